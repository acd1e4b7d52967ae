#pragma once
/* Key bytes of a group: made from a row's columns, read back into a result row. Layout: key.c.
 * thread: any. */
#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/arena.h"
#include "runtime/base/copy.h"
#include "runtime/codec/nulls.h"
#include "runtime/shared/nested.h"
#include "runtime/shared/row.h"

/* Make the key of `row` from `columns`; bytes in `memory`, length in `len`. */
const char *key_make(arena *memory, const sl_column *columns, uint32_t count, const sl_row *row,
                     uint32_t *len);

/* Kept as sl_string: text, bytes, blocks (nested.h: equal values, equal bytes). */
static inline bool key_type_is_text(uint8_t type) {
    return type == SL_STRING || type == SL_BYTES || type >= SL_LIST;
}

/* Is the key that of one column of text, the usual one? */
static inline bool key_is_text(const sl_column *columns, uint32_t count) {
    return count == 1 && key_type_is_text(columns->type);
}

/* key_make of such a key, inline. */
static inline const char *key_make_text(arena *memory, const sl_column *column, const sl_row *row,
                                        uint32_t *len) {
    const sl_string *text = (const sl_string *)((const char *)row + column->offset);
    bool is_null = nulls_has(row->nulls, column->null_bit);
    uint32_t text_len = is_null ? 0 : text->len;
    char *key = arena_take(memory, 1 + (size_t)text_len, 1);
    key[0] = !is_null;
    copy_text(key + 1, text->data, text_len);
    *len = 1 + text_len;
    return key;
}

/* Write a key back into the columns `columns` of `row`; null bits are set and cleared. Strings
 * point into `key`. */
void key_read(const char *key, uint32_t len, const sl_column *columns, uint32_t count, sl_row *row);

/* key_read of such a key, inline. */
static inline void key_read_text(const char *key, uint32_t len, const sl_column *column,
                                 sl_row *row) {
    if (!*key) {
        nulls_put(row->nulls, column->null_bit);
        return;
    }
    nulls_delete(row->nulls, column->null_bit);
    *(sl_string *)((char *)row + column->offset) = (sl_string){ .data = key + 1, .len = len - 1 };
}
