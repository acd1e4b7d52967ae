#pragma once
/* Key bytes of a group: made from a row's columns, read back into a result row. Layout: key.c.
 * thread: any. */
#include <stdint.h>

#include "runtime/base/arena.h"
#include "runtime/shared/row.h"

/* Make the key of `row` from `columns`; bytes in `memory`, length in `len`. */
const char *key_make(arena *memory, const sl_column *columns, uint32_t count, const sl_row *row,
                     uint32_t *len);

/* Write a key back into the columns `columns` of `row`; null bits are set and cleared. Strings
 * point into `key`. */
void key_read(const char *key, uint32_t len, const sl_column *columns, uint32_t count, sl_row *row);
