#pragma once
/* The words of the C/Lua contract. Headers in this folder are one text for C and LuaJIT:
 * lua/sluice/cdef.lua drops the directives and hands the rest to ffi.cdef. So: fixed-width
 * integers, double, pointers, enums; no macro, bit-field, union, by-value struct argument. */
#include <stddef.h>
#include <stdint.h>

/* Types of a field or column. */
enum sl_type {
    SL_BOOL = 1,  /* stored as uint8_t, 0 or 1 */
    SL_INT32,     /* int32_t */
    SL_INT64,     /* int64_t; |v| <= 2^53 unless the field is exact */
    SL_DOUBLE,    /* double */
    SL_TIMESTAMP, /* int64_t, Unix ms */
    SL_STRING,    /* sl_string, valid UTF-8 */
    SL_BYTES,     /* sl_string, any bytes */
    SL_DATE,      /* int32_t, days since 1970-01-01 */
    SL_DECIMAL,   /* sl_decimal; precision and scale stand in the shape */
    SL_LIST,      /* sl_string, a block: nested.h */
    SL_MAP,       /* the same; keys are strings */
    SL_STRUCT,    /* the same */
};

/* Bytes that somebody else owns. `data` may be NULL only where the holder says what that means. */
typedef struct sl_string {
    const char *data;
    uint32_t len;
    uint32_t unused;
} sl_string;

/* A value of an options table: what Lua validated, for connectors to read (connect/options.h).
 * Numbers that are integers are exact up to 2^53. */
enum sl_value_kind {
    SL_NIL = 0,
    SL_FLAG,
    SL_NUMBER,
    SL_TEXT,
    SL_TABLE,
};

typedef struct sl_value {
    sl_string name;               /* its key in the table it stands in; empty for a list's items */
    int32_t kind;                 /* sl_value_kind */
    uint32_t item_count;          /* SL_TABLE */
    double number;                /* SL_NUMBER; SL_FLAG: 0 or 1 */
    sl_string text;               /* SL_TEXT */
    const struct sl_value *items; /* SL_TABLE; lists in their order, else by name */
} sl_value;

/* Where a column's value lies in a row. */
typedef struct sl_column {
    sl_string name;
    uint32_t offset;              /* bytes from the row's start */
    uint16_t null_bit;            /* number of its bit in the row's null words: set = null */
    uint8_t type;                 /* sl_type */
    uint8_t exact;                /* SL_INT64: values beyond 2^53 are allowed */
    const struct sl_shape *shape; /* SL_DECIMAL, SL_LIST, SL_MAP, SL_STRUCT: nested.h; else NULL */
} sl_column;
