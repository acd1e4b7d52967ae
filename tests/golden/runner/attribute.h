#pragma once
/* Words in front of a record's value: `@OFFSET`, `key=K`, `time=MS`, `logtime=MS`, `h.NAME=V`.
 * thread: any. */
#include "runtime/base/buf.h"
#include "runtime/kit/world.h"

/* Put what a word says into the record; false: it is none of these. `scratch`: any memory. */
bool attribute_take(world_record *r, const char *word, size_t len, buf *scratch);
