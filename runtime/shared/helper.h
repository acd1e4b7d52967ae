#pragma once
/* Leaf functions behind sluice.time, sluice.text and sluice.hash, called by FFI from compiled code:
 * short, no callback, nothing is thrown. Texts are borrowed for the call. Implemented in
 * runtime/helper. thread: any, but a regex belongs to one Lua state. */
#include <stdint.h>

/* A regular expression. */
typedef struct sl_regex {
    void *code;           /* the engine's */
    void *space;          /* of a match */
    int32_t *spans;       /* of the last match: start and end, in bytes, of the whole and then of
                             each group; -1: that group took no part */
    uint32_t group_count; /* without the whole */
    uint32_t unused;
} sl_regex;

enum sl_regex_kind {
    SL_REGEX_TEXT = 1, /* of characters; bytes that are no UTF-8 match nothing */
    SL_REGEX_BYTES,
};

/* Compile a pattern of PCRE2. NULL: it is none, and `problem` (`room` bytes, with a NUL) says why.
 * Owned by the caller: sl_regex_free. */
sl_regex *sl_regex_new(const char *pattern, uint32_t len, int32_t kind, char *problem,
                       uint32_t room);
void sl_regex_free(sl_regex *regex);

/* Find the first match at or behind byte `start` of `text`: 1 and spans, or 0; -1: it was given up,
 * since the pattern tries too many ways. */
int32_t sl_regex_match(sl_regex *regex, const char *text, uint32_t len, uint32_t start);

/* XXH3 (64 bits), its upper 53 bits: a whole number that a double holds. */
double sl_hash_xxh3(const char *text, uint32_t len);

/* SHA-256 as 64 hex digits, in lower case, without a NUL. */
void sl_hash_sha256(const char *text, uint32_t len, char *hex);

/* A time zone of the system's database. */
typedef struct sl_zone sl_zone;

/* Look up a zone ("UTC", "Europe/Berlin", "fixed/+05:30" is none). NULL: there is none of that
 * name. Owned by the caller: sl_zone_free. */
sl_zone *sl_zone_new(const char *name, uint32_t len);
void sl_zone_free(sl_zone *zone);

enum sl_floor {
    SL_FLOOR_SPAN = 1, /* a number of ms, counted from 1970-01-01T00:00 of the zone's clocks */
    SL_FLOOR_DAY,
    SL_FLOOR_WEEK, /* from Monday */
    SL_FLOOR_MONTH,
    SL_FLOOR_QUARTER,
    SL_FLOOR_YEAR,
};

/* The beginning, by the clocks of `zone`, of the day (or other `unit`, a sl_floor) in which
 * `time_ms` (Unix ms, within 2^53) lies; Unix ms. */
double sl_time_floor(const sl_zone *zone, double time_ms, int32_t unit, double span_ms);

/* Read a time: by `format`, as strftime has it, with %E*S for parts of a second and %Ez for an
 * offset; NULL: RFC 3339, or such a date alone, or without an offset. What says no offset is of
 * `zone`. Unix ms, finer is cut off; NaN: the text is no such time. */
double sl_time_parse(const sl_zone *zone, const char *text, uint32_t len, const char *format,
                     uint32_t format_len);

/* Write a time of `zone` into `to` (`room` bytes), by `format` as above; NULL: RFC 3339 with ms.
 * The length; -1: there is no room. */
int32_t sl_time_format(const sl_zone *zone, double time_ms, const char *format,
                       uint32_t format_len, char *to, uint32_t room);

/* Days from 1970-01-01 to a date such as 2024-05-01; NaN: the text is none. */
double sl_time_days(const char *text, uint32_t len);
