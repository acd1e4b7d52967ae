#include "state/note.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "runtime/base/mem.h"

#define MAGIC "sluice note "
#define VERSION "1"

static void put_escaped(buf *out, const char *text) {
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c <= ' ' || *c == '%' || *c == 127)
            buf_printf(out, "%%%02X", *c);
        else
            buf_put_char(out, (char)*c);
    }
}

void note_write(buf *out, const char *pointer, int64_t now_ms, const sl_mark *marks,
                uint32_t count) {
    size_t begin = out->len;
    buf_printf(out, MAGIC VERSION "\nwritten %" PRId64 "\npointer %s\n", now_ms, pointer);
    for (uint32_t i = 0; i < count; i++) {
        buf_printf(out, "mark %" PRId64 " %" PRId32 " ", marks[i].offset, marks[i].partition);
        put_escaped(out, marks[i].topic);
        buf_put_char(out, '\n');
    }
    uint64_t sum = XXH3_64bits(out->data + begin, out->len - begin);
    buf_printf(out, "end %016" PRIx64 "\n", sum);
}

/* -- reading: a line at a time, in a copy whose ends of lines become NULs */

typedef struct lines {
    char *next;
    char *topics; /* where the next topic goes */
} lines;

static char *next_line(lines *l) {
    char *line = l->next, *end = line ? strchr(line, '\n') : NULL;
    if (!end) return NULL;
    *end = '\0';
    l->next = end + 1;
    return line;
}

static bool take_word(char **at, const char *word) {
    size_t len = strlen(word);
    if (strncmp(*at, word, len) != 0) return false;
    *at += len;
    return true;
}

static bool take_number(char **at, int64_t *number) {
    char *end;
    *number = strtoll(*at, &end, 10);
    if (end == *at) return false;
    *at = end;
    return true;
}

static const char *take_topic(lines *l, const char *from) {
    const char *topic = l->topics;
    for (; *from; from++) {
        unsigned byte = (unsigned char)*from;
        if (byte == '%' && sscanf(from + 1, "%2x", &byte) == 1) from += 2;
        *l->topics++ = (char)byte;
    }
    *l->topics++ = '\0';
    return topic;
}

static bool read_mark(commit_note *n, lines *l, char *line) {
    int64_t offset, partition;
    if (!take_word(&line, "mark ") || !take_number(&line, &offset)) return false;
    if (!take_number(&line, &partition) || *line++ != ' ') return false;
    n->items = mem_realloc(n->items, (n->count + 1) * sizeof *n->items);
    sl_committed *item = &n->items[n->count++];
    *item = (sl_committed){ .mark = { .partition = (int32_t)partition, .offset = offset } };
    item->mark.topic = take_topic(l, line);
    memcpy(item->pointer, n->pointer, sizeof item->pointer);
    return true;
}

static bool read_lines(commit_note *n, lines *l) {
    char *line = next_line(l);
    if (!(line = next_line(l)) || !take_word(&line, "written ")) return false;
    if (!take_number(&line, &n->written_ms)) return false;
    if (!(line = next_line(l)) || !take_word(&line, "pointer ")) return false;
    if (strlen(line) >= sizeof n->pointer) return false;
    strcpy(n->pointer, line);
    while ((line = next_line(l)) && strncmp(line, "end ", 4) != 0)
        if (!read_mark(n, l, line)) return false;
    return line != NULL;
}

/* Whether the last line holds the sum of all before it. */
static bool is_whole(const char *text) {
    const char *end = strstr(text, "\nend ");
    uint64_t sum;
    if (!end || sscanf(end, "\nend %16" SCNx64, &sum) != 1 || strlen(end + 1) != 21) return false;
    return sum == XXH3_64bits(text, (size_t)(end + 1 - text));
}

err *note_read(const char *name, const buf *bytes, commit_note *n) {
    *n = (commit_note){ 0 };
    char *text = mem_copy_text(bytes->len ? bytes->data : "", bytes->len);
    bool known = !strncmp(text, MAGIC VERSION "\n", strlen(MAGIC VERSION "\n"));
    err *e = NULL;
    if (!known && !strncmp(text, MAGIC, strlen(MAGIC)))
        e = err_new(ERR_REFUSED,
                    "%s is of a newer version of sluice (\"%.*s\", this one reads " VERSION
                    "): use the version that wrote it, or a newer one",
                    name, (int)strcspn(text, "\n"), text);
    else if (!known || strlen(text) != bytes->len || !is_whole(text))
        e = err_new(ERR_REFUSED, "%s is damaged (%zu bytes, their checksum is wrong)", name,
                    bytes->len);
    if (!e) {
        n->topics = mem_alloc(bytes->len + 1);
        lines l = { .next = text, .topics = n->topics };
        if (!read_lines(n, &l)) e = err_new(ERR_REFUSED, "%s does not hold what it should", name);
    }
    mem_free(text);
    if (e) note_done(n);
    return e;
}

void note_done(commit_note *n) {
    mem_free(n->items);
    mem_free(n->topics);
    *n = (commit_note){ 0 };
}
