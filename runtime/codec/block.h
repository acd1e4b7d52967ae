#pragma once
/* What lies in a block (shared/nested.h), by its type. Pure. thread: any. */
#include <stddef.h>
#include <stdint.h>

#include "runtime/shared/nested.h"

/* Bytes of a value of fixed size; 0: its type has none. */
size_t block_fixed_len(uint8_t type);

/* Bytes of the value at `at`, which is of the column's type and not null. */
size_t block_value_len(const sl_column *column, const char *at);
