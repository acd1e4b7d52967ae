#include "tests/golden/runner/story.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/mem.h"

static bool read_file(const char *path, buf *text) {
    FILE *file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return false;
    }
    size_t got;
    do {
        got = fread(buf_need(text, 65536), 1, 65536, file);
        text->len += got;
    } while (got);
    fclose(file);
    return true;
}

static void split(story *s, const buf *text) {
    const char *at = text->data, *end = text->data + text->len;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((newline ? newline : end) - at);
        s->lines = mem_realloc(s->lines, (s->line_count + 1) * sizeof *s->lines);
        s->lines[s->line_count++] = mem_copy_text(at, len);
        at += len + 1;
    }
}

static void add_case(story *s, const char *name, uint32_t line) {
    s->cases = mem_realloc(s->cases, (s->case_count + 1) * sizeof *s->cases);
    s->cases[s->case_count++] = (story_case){ .name = mem_copy_text(name, strlen(name)),
                                              .line = line,
                                              .first = s->section_count,
                                              .end = s->section_count };
}

static void add_section(story *s, const char *title, uint32_t index) {
    size_t len = strcspn(title, " ");
    const char *words = title + len;
    words += strspn(words, " ");
    s->sections = mem_realloc(s->sections, (s->section_count + 1) * sizeof *s->sections);
    s->sections[s->section_count++] = (section){ .title = mem_copy_text(title, len),
                                                 .words = mem_copy_text(words, strlen(words)),
                                                 .line = index + 1,
                                                 .first = index + 1,
                                                 .end = index + 1 };
}

static void find_sections(story *s) {
    bool open = false; /* lines belong to the last section */
    for (uint32_t i = 0; i < s->line_count; i++) {
        const char *line = s->lines[i];
        if (strncmp(line, "=== ", 4) == 0) {
            if (!s->case_count) s->prelude_end = s->section_count;
            add_case(s, line + 4, i + 1);
            open = false;
        } else if (strncmp(line, "--- ", 4) == 0) {
            add_section(s, line + 4, i);
            open = true;
        } else if (open && *line) {
            s->sections[s->section_count - 1].end = i + 1;
        }
        if (s->case_count) s->cases[s->case_count - 1].end = s->section_count;
    }
    if (s->case_count) return;
    add_case(s, "", 1);
    s->cases[0].first = 0;
    s->cases[0].end = s->section_count;
}

bool story_read(story *s, const char *path) {
    buf text;
    *s = (story){ .path = mem_copy_text(path, strlen(path)) };
    buf_init(&text);
    bool ok = read_file(path, &text);
    if (ok) {
        split(s, &text);
        find_sections(s);
    }
    buf_done(&text);
    return ok;
}

void story_done(story *s) {
    for (uint32_t i = 0; i < s->line_count; i++) mem_free(s->lines[i]);
    for (uint32_t i = 0; i < s->section_count; i++) {
        mem_free(s->sections[i].title);
        mem_free(s->sections[i].words);
    }
    for (uint32_t i = 0; i < s->case_count; i++) mem_free(s->cases[i].name);
    for (uint32_t i = 0; i < s->edit_count; i++) mem_free(s->edits[i].text);
    mem_free(s->lines);
    mem_free(s->sections);
    mem_free(s->cases);
    mem_free(s->edits);
    mem_free(s->path);
}

void story_edit_lines(story *s, uint32_t first, uint32_t end, const char *text) {
    s->edits = mem_realloc(s->edits, (s->edit_count + 1) * sizeof *s->edits);
    s->edits[s->edit_count++] =
        (story_edit){ .first = first, .end = end, .text = mem_copy_text(text, strlen(text)) };
}

bool story_write(const story *s) {
    FILE *file = fopen(s->path, "wb");
    if (!file) {
        fprintf(stderr, "%s: %s\n", s->path, strerror(errno));
        return false;
    }
    uint32_t edit = 0;
    for (uint32_t i = 0; i <= s->line_count;) {
        if (edit < s->edit_count && s->edits[edit].first == i) {
            fputs(s->edits[edit].text, file);
            i = s->edits[edit++].end;
            continue;
        }
        if (i < s->line_count) fprintf(file, "%s\n", s->lines[i]);
        i++;
    }
    return fclose(file) == 0;
}
