#pragma once
/* Values that are more than a word: decimals, and the blocks of lists, maps and structs.
 *
 * A block is one run of bytes without pointers or offsets: it can be copied anywhere, and two equal
 * values of one type are the same bytes. It is read from its beginning by its type; nothing in it
 * is aligned. Numbers are little-endian. A value that is not null:
 *
 *   TYPE                SIZE  WHAT
 *   bool                1     0 or 1
 *   int32, date         4
 *   int64, timestamp    8
 *   double              8     -0 as 0, one NaN: 7ff8000000000000
 *   decimal             16    two's complement, the low word first: sl_decimal
 *   string, bytes       4     length; the bytes follow
 *   list                4     count; then each element: 1 byte (1: null), unless null its value
 *   map                 4     count; then each entry, ascending by the bytes of its key: 4 bytes of
 *                             key length, key, 1 byte (1: null), unless null its value
 *   struct              n     (fields + 7) / 8 bytes: bit i % 8 of byte i / 8 set = field i is
 *                             null; then the values of the others, as declared
 *
 * Written by codec (JSON) and lua/sluice/nested/write.lua, read by the encoder and
 * nested/read.lua. */
#include "runtime/shared/types.h"

enum {
    SL_NESTED_DEPTH = 64,    /* lists, maps and structs inside each other */
    SL_DECIMAL_DIGITS = 38,  /* largest precision */
    SL_STRUCT_FIELDS = 1024, /* most fields of a struct */
};

/* The unscaled value of a decimal: value * 10^scale, |unscaled| < 10^precision. */
typedef struct sl_decimal {
    uint64_t low; /* of 128 bits in two's complement */
    int64_t high;
} sl_decimal;

/* What a type needs beyond its number. */
typedef struct sl_shape {
    uint8_t precision; /* SL_DECIMAL: 1..38 */
    uint8_t scale;     /* SL_DECIMAL: 0..precision */
    uint16_t unused;
    uint32_t item_count;          /* SL_LIST, SL_MAP: 1; SL_STRUCT: its fields, >= 1 */
    const struct sl_field *items; /* list: the element; map: the value; struct: the fields, as
                                     declared. source.h */
} sl_shape;
