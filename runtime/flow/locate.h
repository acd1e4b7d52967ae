#pragma once
/* Which record is to blame for a result that cannot be made. thread: main. */
#include "runtime/flow/pipeline.h"

/* Let a chunk begin at `record` of `source`; how many records it takes is the caller's. */
void locate_chunk(const pipeline *p, chunk *c, uint32_t source, uint32_t record);

/* A result failed: fold the batch again, record by record, and name the one since which it does. A
 * result that failed before this batch, or fails whatever it is made of, is nobody's; nor is one
 * made of other results. Slow, and the last thing that the batch does. `e` is taken. */
err *locate_record(pipeline *p, const batch_view *view, err *e);
