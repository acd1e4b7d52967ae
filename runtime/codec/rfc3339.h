#pragma once
/* Times as text: RFC 3339 in and out, the proleptic Gregorian calendar, UTC. Pure. thread: any. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RFC3339_TEXT_BYTES = 40 };

/* Parse a date-time of RFC 3339 section 5.6: `T`, `t` or a blank between date and time, `Z`, `z`
 * or an offset at the end; finer than ms is cut off. A leap second is the second after it. Years
 * of six digits with a sign (ISO 8601 expanded, as rfc3339_write makes them) are read too. */
bool rfc3339_parse(const char *text, size_t len, int64_t *time_ms);

/* Parse a date, 2024-01-02, as days since 1970-01-01; years as above. */
bool rfc3339_parse_date(const char *text, size_t len, int64_t *days);

/* Write days since 1970-01-01 as a date; `to`: RFC3339_TEXT_BYTES, no NUL; returns the length. */
size_t rfc3339_write_date(char *to, int32_t days);

/* Write `time_ms` (Unix ms) as 2024-01-02T03:04:05.678Z; years beyond 0 to 9999 with a sign and at
 * least six digits. `to`: RFC3339_TEXT_BYTES, no NUL; returns the length. */
size_t rfc3339_write(char *to, int64_t time_ms);
