#pragma once
/* Chunks on their way through functions and state, level by level. thread: main. */
#include "runtime/flow/pipeline.h"

/* Find out how deep each tree of steps goes. */
void walk_init(pipeline *p);

/* How many records, or results, the next chunk takes at most: fewer where flat_maps make many rows
 * of each, so that a chunk's rows stay few. */
uint32_t walk_chunk_records(const pipeline *p);

/* Bring chunks [0, count) of the round through all their levels: of several errors the one that
 * comes first in the batch. What came of them is still to be collected. */
err *walk_round(pipeline *p, const batch_view *view, uint32_t count, bool threaded);

/* Bring what `aggregate` emitted on all workers, and what goes on, through the steps behind it: as
 * walk_round, and collected. */
err *walk_results(pipeline *p, const batch_view *view, uint32_t aggregate, bool threaded);
