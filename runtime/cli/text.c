#include "runtime/cli/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { DAY_MS = 86400000 };

void text_put_count(buf *out, uint64_t count) {
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRIu64, count);
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0) buf_put_char(out, ',');
        buf_put_char(out, digits[i]);
    }
}

void text_put_time(buf *out, int64_t time_ms, int64_t now_ms) {
    char text[40];
    struct tm utc;
    int64_t floored = time_ms >= 0 ? time_ms / 1000 : -((999 - time_ms) / 1000);
    time_t seconds = (time_t)floored;
    bool today = time_ms >= 0 && time_ms / DAY_MS == now_ms / DAY_MS;
    if (!gmtime_r(&seconds, &utc)) {
        buf_printf(out, "%" PRId64 " ms", time_ms);
        return;
    }
    buf_put(out, text, strftime(text, sizeof text, today ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &utc));
}

void text_put_span(buf *out, int64_t span_ms) {
    int64_t seconds = (span_ms + 999) / 1000;
    if (seconds < 120)
        buf_printf(out, "%" PRId64 " s", seconds);
    else if (seconds < 7200)
        buf_printf(out, "%" PRId64 " min", (seconds + 59) / 60);
    else
        buf_printf(out, "%" PRId64 " h", (seconds + 3599) / 3600);
}

static bool continues(char c) { return ((unsigned char)c & 0xc0) == 0x80; }

uint32_t text_width(const char *text, size_t len) {
    uint32_t width = 0;
    for (size_t i = 0; i < len; i++) width += !continues(text[i]);
    return width;
}

void text_put_clipped(buf *out, const char *text, size_t len, uint32_t width) {
    uint32_t whole = text_width(text, len), seen = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (!continues(text[i])) seen++;
        if (seen > width || (whole > width && seen == width)) break;
        buf_put_char(out, c < 0x20 || c == 0x7f ? ' ' : text[i]);
    }
    if (whole > width && width) buf_put_text(out, "…");
}
