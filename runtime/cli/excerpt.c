#include "runtime/cli/excerpt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/cli/text.h"

enum { AROUND = 2, /* lines before and behind */
       MOST_BYTES = 4096,
       MOST_WIDTH = 100 };

/* The place that `text` begins with; 0: it does with none. */
static unsigned long place_at(const char *text, char *path, size_t room) {
    size_t len = strcspn(text, ":\n ");
    if (text[len] != ':' || !len || len >= room) return 0;
    char *end;
    unsigned long line = strtoul(text + len + 1, &end, 10);
    if (end == text + len + 1 || (*end != ':' && *end && !strchr(" ,\n", *end))) return 0;
    memcpy(path, text, len);
    path[len] = '\0';
    return line;
}

static void put_line(buf *out, const char *text, unsigned long number, bool is_meant, bool styled) {
    size_t len = strcspn(text, "\n");
    if (is_meant && styled) buf_put_text(out, "\033[1m");
    buf_printf(out, "  %s %4lu | ", is_meant ? ">" : " ", number);
    text_put_clipped(out, text, len, MOST_WIDTH);
    if (is_meant && styled) buf_put_text(out, "\033[0m");
    buf_put_char(out, '\n');
}

static bool put_lines(buf *out, const char *path, unsigned long meant, bool styled) {
    FILE *file = fopen(path, "r");
    char text[MOST_BYTES];
    bool found = false;
    if (!file) return false;
    for (unsigned long n = 1; fgets(text, sizeof text, file) && n <= meant + AROUND; n++) {
        if (n + AROUND < meant) continue;
        found |= n == meant;
        put_line(out, text, n, n == meant, styled);
    }
    fclose(file);
    return found;
}

void excerpt_put(buf *out, const char *message, bool styled) {
    char path[MOST_BYTES];
    size_t before = out->len;
    for (const char *at = message; *at; at += strcspn(at, " \n"), at += strspn(at, " \n")) {
        unsigned long line = place_at(at, path, sizeof path);
        if (line && put_lines(out, path, line, styled)) return;
        out->len = before;
    }
}
