#pragma once
/* Decimals of nested.h as text, and their order. Nothing is ever rounded. Pure. thread: any. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/shared/nested.h"

enum { DECIMAL_TEXT_BYTES = 48 };

/* Read the JSON number (RFC 8259 section 6) at `text` as a decimal of `precision` digits, `scale`
 * of them behind the point; the first byte behind it, or NULL: there is no number, or it has more
 * digits than fit. A byte that cannot belong to a number must follow it. */
const char *decimal_scan(const char *text, uint8_t precision, uint8_t scale, sl_decimal *out);

/* Write all digits: "-0.50" with scale 2. `to`: DECIMAL_TEXT_BYTES, no NUL; returns the length. */
size_t decimal_write(char *to, const sl_decimal *value, uint8_t scale);

/* < 0, 0 or > 0, as `a` stands to `b`, both of one scale. */
int decimal_compare(const sl_decimal *a, const sl_decimal *b);
