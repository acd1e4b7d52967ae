/* golden_runner [OPTIONS] PATH…: plays the golden files below each PATH. Prints what differs, and
 * ends with `golden: P passed, F failed`; exit code 1 if any failed. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/base/mem.h"
#include "tests/golden/runner/play.h"

typedef struct totals {
    play_options options;
    const char *only; /* part of FILE or `FILE CASE`; NULL: all */
    uint32_t passed, failed;
} totals;

static void play_file(totals *t, const char *path) {
    story s;
    bool changed = false;
    if (!story_read(&s, path)) {
        t->failed++;
        story_done(&s);
        return;
    }
    for (uint32_t i = 0; i < s.case_count; i++) {
        char full[1024];
        snprintf(full, sizeof full, "%s %s", path, s.cases[i].name);
        if (t->only && !strstr(full, t->only)) continue;
        bool ok = play_case(&s, &s.cases[i], &t->options);
        if (ok)
            t->passed++;
        else
            t->failed++;
        fflush(stdout);
    }
    changed = s.edit_count > 0;
    if (changed) story_write(&s);
    story_done(&s);
}

static int is_shown(const struct dirent *entry) { return entry->d_name[0] != '.'; }

static void play_path(totals *t, const char *path) {
    struct stat about;
    struct dirent **entries;
    size_t len = strlen(path);
    if (stat(path, &about)) {
        perror(path);
        t->failed++;
        return;
    }
    if (!S_ISDIR(about.st_mode)) {
        if (len > 7 && strcmp(path + len - 7, ".golden") == 0) play_file(t, path);
        return;
    }
    int count = scandir(path, &entries, is_shown, alphasort);
    for (int i = 0; i < count; i++) {
        char below[1024];
        snprintf(below, sizeof below, "%s/%s", path, entries[i]->d_name);
        play_path(t, below);
        mem_free(entries[i]);
    }
    if (count >= 0) mem_free(entries);
}

static int usage(void) {
    fprintf(stderr, "golden_runner [--workers N] [--restarts N] [--crashes FIRST] [--planned] "
                    "[--beside] [--reloads] [--close GROUPS] [-joff] [--only TEXT] "
                    "[--update] PATH…\n");
    return 2;
}

int main(int argc, char **argv) {
    totals t = { .options = { .workers = 1 } };
    int at = 1;
    for (; at < argc && argv[at][0] == '-'; at++) {
        if (strcmp(argv[at], "-joff") == 0) {
            t.options.jit_off = true;
            continue;
        }
        if (strcmp(argv[at], "--reloads") == 0) {
            t.options.reloads = true;
            continue;
        }
        if (strcmp(argv[at], "--planned") == 0) {
            t.options.plans_ahead = true;
            continue;
        }
        if (strcmp(argv[at], "--beside") == 0) {
            t.options.beside = true;
            continue;
        }
        if (strcmp(argv[at], "--update") == 0) {
            t.options.update = true;
            continue;
        }
        if (at + 1 == argc) return usage();
        if (strcmp(argv[at], "--workers") == 0)
            t.options.workers = (uint32_t)strtoul(argv[++at], NULL, 10);
        else if (strcmp(argv[at], "--crashes") == 0)
            t.options.crashes = 1 + (uint32_t)strtoul(argv[++at], NULL, 10);
        else if (strcmp(argv[at], "--close") == 0)
            t.options.closes = (uint32_t)strtoul(argv[++at], NULL, 10);
        else if (strcmp(argv[at], "--restarts") == 0)
            t.options.restarts = (uint32_t)strtoul(argv[++at], NULL, 10);
        else if (strcmp(argv[at], "--only") == 0)
            t.only = argv[++at];
        else
            return usage();
    }
    if (at == argc || !t.options.workers || t.options.workers > 64) return usage();
    for (; at < argc; at++) play_path(&t, argv[at]);
    printf("golden: %u passed, %u failed\n", t.passed, t.failed);
    return t.failed > 0;
}
