#pragma once
/* Text for people: counts with separators, times of day, widths on a terminal. Pure. thread: any.
 */
#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/buf.h"

/* Append 1234567 as "1,234,567". */
void text_put_count(buf *out, uint64_t count);

/* Append `time_ms` (Unix ms) as "HH:MM:SS" in UTC, with the date in front unless that is the day of
 * `now_ms`. */
void text_put_time(buf *out, int64_t time_ms, int64_t now_ms);

/* Append a span as "23 s", "4 min", "2 h". */
void text_put_span(buf *out, int64_t span_ms);

/* Columns that `len` bytes of UTF-8 take on a terminal: one a character. */
uint32_t text_width(const char *text, size_t len);

/* Append at most `width` columns of `text`; what is cut off ends in "…". Control characters become
 * blanks: nothing that came in a record reaches the terminal as a command. */
void text_put_clipped(buf *out, const char *text, size_t len, uint32_t width);
