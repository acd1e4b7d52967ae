#include "runtime/codec/csv_line.h"

#include <string.h>

#include "runtime/codec/bad.h"

void csv_line_begin(csv_line *line, csv_style style, sl_string record) {
    uint32_t len = record.len;
    if (len && record.data[len - 1] == '\n') len--;
    if (len && record.data[len - 1] == '\r') len--;
    *line = (csv_line){ .style = style, .at = record.data, .end = record.data + len };
}

/* The line ends here, for good. */
static bool refuse(csv_line *line, bad_record *bad, const char *what) {
    line->at = NULL;
    return bad_because(bad, "column %u: %s", line->column, what);
}

/* A column that began with a quote; `at` stands behind it. */
static bool next_quoted(csv_line *line, csv_cell *cell, arena *strings, bad_record *bad) {
    const char *start = line->at, *at = start, *end = line->end;
    char quote = line->style.quote;
    size_t doubled = 0;
    for (;; at += 2, doubled++) {
        at = memchr(at, quote, (size_t)(end - at));
        if (!at) return refuse(line, bad, "its quote does not end on the line");
        if (at + 1 == end || at[1] != quote) break;
    }
    *cell = (csv_cell){ { .data = start, .len = (uint32_t)(at - start) }, .is_quoted = true };
    bool is_last = at + 1 == end;
    if (!is_last && at[1] != line->style.delimiter)
        return refuse(line, bad, "text behind its closing quote; a quote inside is written twice");
    line->at = is_last ? NULL : at + 2;
    if (!doubled) return true;
    char *copy = arena_take(strings, cell->text.len, 1), *to = copy;
    for (const char *from = start; from < at; from++) {
        *to++ = *from;
        from += *from == quote;
    }
    cell->text = (sl_string){ .data = copy, .len = (uint32_t)(to - copy) };
    return true;
}

bool csv_line_next(csv_line *line, csv_cell *cell, arena *strings, bad_record *bad) {
    if (!line->at) return false;
    const char *start = line->at, *at = start, *end = line->end;
    char quote = line->style.quote, delimiter = line->style.delimiter;
    line->column++;
    if (quote && at < end && *at == quote) {
        line->at++;
        return next_quoted(line, cell, strings, bad);
    }
    for (; at < end && *at != delimiter; at++) {
        if (quote && *at == quote)
            return refuse(line, bad, "a quote in a column that does not begin with one");
        if (*at == '\n' || *at == '\r') return refuse(line, bad, "a line break outside of quotes");
    }
    *cell = (csv_cell){ .text = { .data = start, .len = (uint32_t)(at - start) } };
    line->at = at < end ? at + 1 : NULL;
    return true;
}
