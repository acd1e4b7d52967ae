#include "runtime/codec/block.h"

#include <string.h>

#include "runtime/shared/source.h"

size_t block_fixed_len(uint8_t type) {
    switch ((enum sl_type)type) {
    case SL_BOOL: return 1;
    case SL_INT32:
    case SL_DATE: return 4;
    case SL_INT64:
    case SL_DOUBLE:
    case SL_TIMESTAMP: return 8;
    case SL_DECIMAL: return sizeof(sl_decimal);
    default: return 0;
    }
}

static uint32_t count_at(const char *at) {
    uint32_t count;
    memcpy(&count, at, sizeof count);
    return count;
}

/* An element of a list or a value of a map, with the byte that says whether it is null. */
static size_t element_len(const sl_column *column, const char *at) {
    return *at ? 1 : 1 + block_value_len(column, at + 1);
}

static size_t struct_len(const sl_shape *shape, const char *start) {
    const char *at = start + (shape->item_count + 7) / 8;
    for (uint32_t i = 0; i < shape->item_count; i++) {
        if ((unsigned char)start[i / 8] >> (i % 8) & 1) continue;
        at += block_value_len(&shape->items[i].column, at);
    }
    return (size_t)(at - start);
}

size_t block_value_len(const sl_column *column, const char *start) {
    size_t fixed = block_fixed_len(column->type);
    if (fixed) return fixed;
    if (column->type == SL_STRUCT) return struct_len(column->shape, start);
    const char *at = start + 4;
    uint32_t count = count_at(start);
    if (column->type == SL_STRING || column->type == SL_BYTES) return 4 + (size_t)count;
    for (uint32_t i = 0; i < count; i++) {
        if (column->type == SL_MAP) at += 4 + count_at(at);
        at += element_len(&column->shape->items->column, at);
    }
    return (size_t)(at - start);
}
