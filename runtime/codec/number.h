#pragma once
/* Numbers as text: the grammar of JSON in, ECMAScript's Number::toString out. C++ lies behind it
 * for std::from_chars and std::to_chars, which are exact, shortest, and know no locale. thread:
 * any. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NUMBER_TEXT_BYTES = 32,
       NUMBER_PADDING = 8 };

/* A number as it was scanned: (-1)^is_negative * digits * 10^exponent, unless `is_cut`. */
typedef struct number {
    const char *end;  /* first byte behind it */
    uint64_t digits;  /* the first 19 significant digits */
    int64_t exponent; /* decimal */
    bool is_negative;
    bool is_integer; /* neither fraction nor exponent is written */
    bool is_cut;     /* more than 19 digits: `digits` is not the whole of it */
} number;

#ifdef __cplusplus
extern "C" {
#endif

/* Scan the JSON number (RFC 8259 section 6) at `text`; false if there is none. It must end with
 * a byte that cannot belong to a number, and 8 readable ones behind; what byte, the caller
 * checks. */
bool number_scan(const char *text, number *out);

/* The int64 that `n` is. False: it has a fraction or an exponent, or does not fit. */
bool number_int64(const number *n, int64_t *out);

/* The double nearest to `n`, scanned from `text`. False: it is too large; too small gives 0. */
bool number_double(const number *n, const char *text, double *out);

/* Parse `text`, a JSON number of `len` bytes, as number_double does: the way that is always
 * exact. */
bool number_parse(const char *text, size_t len, double *out);

/* Write a finite `value` as ECMAScript does (ECMA-262, Number::toString): 12, 0.000001, 1e-7,
 * 1e+21, -0 as 0. `to`: NUMBER_TEXT_BYTES; returns the length. */
size_t number_write(char *to, double value);

/* Write an integer in decimal. `to`: NUMBER_TEXT_BYTES; returns the length. */
size_t number_write_int64(char *to, int64_t value);

/* Write the shortest digits of a finite `value` > 0, without point or leading zeros, to `digits`
 * (NUMBER_TEXT_BYTES); returns their number. `point`: value = 0.DIGITS * 10^point. */
size_t number_shortest(double value, char *digits, int *point);

#ifdef __cplusplus
}
#endif
