#include "runtime/cli/columns.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "runtime/cli/text.h"

void columns_begin(columns *c, const char *heads) {
    *c = (columns){ 0 };
    buf_init(&c->text);
    for (const char *at = heads; *at && c->count < COLUMNS_MOST; c->count++) {
        c->is_right[c->count] = *at == '>';
        at += *at == '>';
        size_t len = strcspn(at, "|");
        buf_put(&c->text, at, len);
        buf_put_char(&c->text, '\0');
        c->widths[c->count] = text_width(at, len);
        at += len + (at[len] == '|');
    }
}

void columns_put(columns *c, const char *format, ...) {
    char cell[512];
    va_list args;
    va_start(args, format);
    vsnprintf(cell, sizeof cell, format, args);
    va_end(args);
    for (char *at = cell; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 127) *at = ' ';
    uint32_t width = text_width(cell, strlen(cell));
    if (width > c->widths[c->at]) c->widths[c->at] = width;
    buf_put(&c->text, cell, strlen(cell) + 1);
    c->at = (c->at + 1) % c->count;
}

void columns_put_count(columns *c, uint64_t count) {
    buf text;
    buf_init(&text);
    text_put_count(&text, count);
    columns_put(c, "%s", buf_text(&text));
    buf_done(&text);
}

void columns_put_bytes(columns *c, uint64_t bytes) {
    static const char *const UNITS[] = { "B", "KB", "MB", "GB", "TB" };
    double value = (double)bytes;
    int unit = 0;
    for (; value >= 1000 && unit < 4; unit++) value /= 1000;
    columns_put(c, unit ? "%.1f %s" : "%.0f %s", value, UNITS[unit]);
}

void columns_put_time(columns *c, int64_t time_ms) {
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm utc;
    char text[32] = "";
    if (gmtime_r(&seconds, &utc)) strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &utc);
    columns_put(c, "%s", text);
}

static void put_blanks(buf *out, uint32_t count) {
    while (count-- > 0) buf_put_char(out, ' ');
}

void columns_end(columns *c, buf *out) {
    const char *at = c->text.data, *end = at + c->text.len;
    for (uint32_t column = 0; at < end; column = (column + 1) % c->count) {
        size_t len = strlen(at);
        uint32_t blanks = c->widths[column] - text_width(at, len);
        put_blanks(out, 2);
        if (c->is_right[column]) put_blanks(out, blanks);
        buf_put(out, at, len);
        if (!c->is_right[column] && column + 1 < c->count) put_blanks(out, blanks);
        if (column + 1 == c->count) {
            while (out->len && out->data[out->len - 1] == ' ') out->len--;
            buf_put_char(out, '\n');
        }
        at += len + 1;
    }
    buf_done(&c->text);
}
