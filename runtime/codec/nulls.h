#pragma once
/* The null bits of a row: bit i of word i / 64 belongs to the column with null_bit i, see
 * shared/row.h. Values are not touched. thread: the row's. */
#include <stdbool.h>

#include "runtime/shared/row.h"

static inline bool nulls_has(const uint64_t *nulls, uint32_t bit) {
    return nulls[bit / 64] >> (bit % 64) & 1;
}

/* The column is null. */
static inline void nulls_put(uint64_t *nulls, uint32_t bit) {
    nulls[bit / 64] |= UINT64_C(1) << (bit % 64);
}

/* It has a value. */
static inline void nulls_delete(uint64_t *nulls, uint32_t bit) {
    nulls[bit / 64] &= ~(UINT64_C(1) << (bit % 64));
}
