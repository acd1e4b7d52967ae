#pragma once
/* JSON arrays and objects to blocks (shared/nested.h), by the type of a field. */
#include "runtime/codec/json_reader.h"

/* Read the value at the next token, which is not null, into block `f` of the row, and step over it;
 * `depth`: objects and arrays open. The block lies in the reader's strings. False: bad. */
bool json_block_read(json_reader *r, const field *f, uint32_t depth);
