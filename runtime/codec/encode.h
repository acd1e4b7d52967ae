#pragma once
/* From a row to the JSON bytes of a message (semantics.md 5, "Bytes"). Columns keep their order,
 * nulls are written out, there are no blanks; the same row gives the same bytes everywhere.
 *
 * An encoder is made once for each list of columns, which it borrows; it is read-only afterwards
 * and may be used by several threads at once, each with its own `out` and counter. */
#include <stdint.h>

#include "runtime/base/buf.h"
#include "runtime/shared/plan.h"
#include "runtime/shared/row.h"

typedef struct encoder encoder;

/* Make an encoder for `count` columns; `times` (sl_times) says how timestamps are written. */
encoder *encoder_new(const sl_column *columns, uint32_t count, int32_t times);
void encoder_free(encoder *e);

/* Append the object of all columns. `not_finite` grows by the number of NaN and infinite doubles,
 * which are written as null. */
void encode_value(const encoder *e, buf *out, const sl_row *row, uint64_t *not_finite);

/* The same; behind the first `count` columns, 1 or more, `*at` of them bytes are there. */
void encode_value_at(const encoder *e, buf *out, const sl_row *row, uint32_t count, size_t *at,
                     uint64_t *not_finite);

/* Append a message's key. `kind`: SL_KEY_OBJECT, or SL_KEY_PLAIN for the text of the only column:
 * as in JSON without quotes, bytes as they are (the object when it is null). SL_KEY_RECORD is the
 * caller's: a copy of the record's key. */
void encode_key(const encoder *e, buf *out, const sl_row *row, int32_t kind, uint64_t *not_finite);

/* Append a double as ECMAScript's Number::toString writes it (12, 1e+21, 1e-7, -0 as 0); NaN and
 * infinity as null. Shortest form that reads back as the same double. */
void encode_double(buf *out, double value);

/* Append an integer in decimal. */
void encode_int64(buf *out, int64_t value);
