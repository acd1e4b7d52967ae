/* Key bytes, also the key in the state: each group column in order,
 *
 *   null               00
 *   number, bool, time,
 *   date               01, 8 bytes: int64 or double as stored, little-endian; -0 as 0, one NaN
 *   decimal            01, 16 bytes: sl_decimal
 *   string, bytes, list,
 *   map, struct        01, 4 bytes of length (not in the last column), the bytes; of a block all
 *
 * so that equal keys have equal bytes, and the columns can be read back. */
#include "runtime/operator/key.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "runtime/codec/nulls.h"
#include "runtime/shared/nested.h"

/* All NaNs are one key, whatever their sign and payload. */
static const uint64_t NAN_BITS = 0x7ff8000000000000;

/* A fixed-size value as 8 bytes. */
static uint64_t fixed_bits(const sl_row *row, const sl_column *column) {
    const char *at = (const char *)row + column->offset;
    uint64_t bits;
    switch (column->type) {
    case SL_BOOL: return *(const uint8_t *)at;
    case SL_INT32:
    case SL_DATE: return (uint64_t)(int64_t)(*(const int32_t *)at);
    case SL_DOUBLE: {
        double value = *(const double *)at;
        if (value == 0) value = 0; /* -0 groups with 0 */
        if (value != value) return NAN_BITS;
        memcpy(&bits, &value, 8);
        return bits;
    }
    default: memcpy(&bits, at, 8); return bits;
    }
}

static size_t key_size(const sl_column *columns, uint32_t count, const sl_row *row) {
    size_t size = 0;
    for (uint32_t i = 0; i < count; i++) {
        const sl_string *text = (const sl_string *)((const char *)row + columns[i].offset);
        bool has_text = key_type_is_text(columns[i].type) &&
                        !nulls_has(row->nulls, columns[i].null_bit);
        size += 1u + (has_text ? 4u + (size_t)text->len : sizeof(sl_decimal));
    }
    return size;
}

const char *key_make(arena *memory, const sl_column *columns, uint32_t count, const sl_row *row,
                     uint32_t *len) {
    if (key_is_text(columns, count)) return key_make_text(memory, columns, row, len);
    char *key = arena_take(memory, key_size(columns, count, row), 1), *at = key;
    for (uint32_t i = 0; i < count; i++) {
        const sl_column *column = &columns[i];
        if (nulls_has(row->nulls, column->null_bit)) {
            *at++ = 0;
            continue;
        }
        *at++ = 1;
        if (column->type == SL_DECIMAL) {
            memcpy(at, (const char *)row + column->offset, sizeof(sl_decimal));
            at += sizeof(sl_decimal);
            continue;
        }
        if (!key_type_is_text(column->type)) {
            uint64_t bits = fixed_bits(row, column);
            memcpy(at, &bits, 8);
            at += 8;
            continue;
        }
        const sl_string *text = (const sl_string *)((const char *)row + column->offset);
        if (i + 1 < count) {
            memcpy(at, &text->len, 4);
            at += 4;
        }
        if (text->len) memcpy(at, text->data, text->len);
        at += text->len;
    }
    *len = (uint32_t)(at - key);
    return key;
}

static void put_fixed(sl_row *row, const sl_column *column, const char *bytes) {
    char *at = (char *)row + column->offset;
    int64_t value;
    memcpy(&value, bytes, 8);
    if (column->type == SL_BOOL)
        *(uint8_t *)at = (uint8_t)value;
    else if (column->type == SL_INT32 || column->type == SL_DATE)
        *(int32_t *)at = (int32_t)value;
    else
        memcpy(at, bytes, 8);
}

void key_read(const char *key, uint32_t len, const sl_column *columns, uint32_t count,
              sl_row *row) {
    const char *at = key, *end = key + len;
    for (uint32_t i = 0; i < count; i++) {
        const sl_column *column = &columns[i];
        assert(at < end);
        if (*at++ == 0) {
            nulls_put(row->nulls, column->null_bit);
            continue;
        }
        nulls_delete(row->nulls, column->null_bit);
        if (column->type == SL_DECIMAL) {
            memcpy((char *)row + column->offset, at, sizeof(sl_decimal));
            at += sizeof(sl_decimal);
            continue;
        }
        if (!key_type_is_text(column->type)) {
            put_fixed(row, column, at);
            at += 8;
            continue;
        }
        sl_string *text = (sl_string *)((char *)row + column->offset);
        uint32_t text_len = (uint32_t)(end - at);
        if (i + 1 < count) {
            memcpy(&text_len, at, 4);
            at += 4;
        }
        *text = (sl_string){ .data = at, .len = text_len };
        at += text_len;
    }
    assert(at == end);
}
