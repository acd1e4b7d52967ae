#include "tests/golden/runner/text.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/json_text.h"

static const char wildcard[] = "…";

static void put_byte(buf *out, unsigned char c, bool is_text) {
    if (c == '\\')
        buf_put_text(out, "\\\\");
    else if (c == '\n')
        buf_put_text(out, "\\n");
    else if (c == '\r')
        buf_put_text(out, "\\r");
    else if (c == '\t')
        buf_put_text(out, "\\t");
    else if (c < 0x20 || c == 0x7f || (c >= 0x80 && !is_text))
        buf_printf(out, "\\x%02x", c);
    else
        buf_put_char(out, (char)c);
}

void text_put(buf *out, const char *data, size_t len) {
    if (!data) {
        buf_put_char(out, '~');
        return;
    }
    if (!len) buf_put_text(out, "\\e");
    if (len == 1 && *data == '~') {
        buf_put_text(out, "\\~");
        return;
    }
    bool is_text = json_text_is_utf8(data, len);
    for (size_t i = 0; i < len; i++) put_byte(out, (unsigned char)data[i], is_text);
}

static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The \*COUNT(TEXT) at `at`: its text and where it ends; NULL: none. */
static const char *repeat_at(const char *at, const char *end, long *count, const char **text,
                             size_t *len) {
    char *open;
    if (end - at < 5 || at[0] != '\\' || at[1] != '*') return NULL;
    *count = strtol(at + 2, &open, 10);
    if (open == at + 2 || open >= end || *open != '(' || *count < 0) return NULL;
    int depth = 0; /* TEXT may hold pairs of parentheses, and one lone \( */
    for (const char *c = open + 1; c < end; c++) {
        if (*c == '\\' && c + 1 < end) {
            c++;
            continue;
        }
        if (*c == '(') depth++;
        if (*c != ')') continue;
        if (depth--) continue;
        *text = open + 1;
        *len = (size_t)(c - open - 1);
        return c + 1;
    }
    return NULL;
}

/* One escape at `at`; where it ends, NULL: none. */
static const char *parse_escape(buf *out, const char *at, const char *end) {
    static const char names[] = "\\nrt~()", bytes[] = "\\\n\r\t~()";
    const char *text, *behind;
    size_t len;
    long count;
    if (end - at < 2) return NULL;
    if (at[1] == 'e') return at + 2;
    if (at[1] == 'x') {
        if (end - at < 4 || hex(at[2]) < 0 || hex(at[3]) < 0) return NULL;
        buf_put_char(out, (char)(hex(at[2]) * 16 + hex(at[3])));
        return at + 4;
    }
    if (at[1] == '*') {
        if (!(behind = repeat_at(at, end, &count, &text, &len))) return NULL;
        for (long i = 0; i < count; i++)
            if (!text_parse(out, text, len)) return NULL;
        return behind;
    }
    const char *name = strchr(names, at[1]);
    if (!name || !*name) return NULL;
    buf_put_char(out, bytes[name - names]);
    return at + 2;
}

bool text_parse(buf *out, const char *text, size_t len) {
    const char *end = text + len;
    while (text < end) {
        if (*text != '\\') {
            buf_put_char(out, *text++);
            continue;
        }
        if (!(text = parse_escape(out, text, end))) return false;
    }
    return true;
}

void text_expand(buf *out, const char *line) {
    const char *end = line + strlen(line), *text, *behind;
    size_t len;
    long count;
    for (const char *at = line; at < end;) {
        if (!(behind = repeat_at(at, end, &count, &text, &len))) {
            if (*at == '\\' && at + 1 < end) buf_put_char(out, *at++);
            buf_put_char(out, *at++);
            continue;
        }
        for (long i = 0; i < count; i++) buf_put(out, text, len);
        at = behind;
    }
}

static bool matches(const char *pattern, const char *pattern_end, const char *line) {
    const char *gap = strstr(pattern, wildcard);
    if (!gap) return strcmp(pattern, line) == 0;
    size_t fixed = (size_t)(gap - pattern);
    if (strncmp(pattern, line, fixed) != 0) return false;
    pattern = gap + sizeof wildcard - 1;
    for (line += fixed;; line++) {
        if (matches(pattern, pattern_end, line)) return true;
        if (!*line) return false;
    }
}

bool text_matches(const char *pattern, const char *line) {
    return matches(pattern, pattern + strlen(pattern), line);
}

bool text_span(const char *text, int64_t *ms) {
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {
        { "", 1 },
        { "ms", 1 },
        { "second", 1000 },
        { "minute", 60000 },
        { "hour", 3600000 },
        { "day", 86400000 },
    };
    char *unit;
    long long number = strtoll(text, &unit, 10);
    if (unit == text) return false;
    while (*unit == ' ') unit++;
    size_t len = strlen(unit);
    if (len > 2 && unit[len - 1] == 's') len--;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strlen(units[i].name) != len || strncmp(units[i].name, unit, len) != 0) continue;
        *ms = number * units[i].ms;
        return true;
    }
    return false;
}
