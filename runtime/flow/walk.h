#pragma once
/* Chunks on their way through functions and state, level by level, in turns (turns.h). thread:
 * main. */
#include "runtime/flow/pipeline.h"

/* Find out how deep each tree of steps goes. */
void walk_init(pipeline *p);

/* By root of a tree of steps: its highest level; owned by the caller. */
uint32_t *walk_depths(const sl_plan *plan);

/* How many records, or results, the next chunk takes at most: fewer where flat_maps make many rows
 * of each, so that a chunk's rows stay few. thread: any. */
uint32_t walk_chunk_records(const pipeline *p);

/* What a walk goes over. */
typedef struct walk_plan {
    bool (*cut)(void *arg, chunk *c); /* the next chunk; false: none is left. thread: any */
    void *arg;
    void (*beside)(void *pipeline); /* done by the main thread first, while the others begin; or
                                       NULL */
    uint32_t depth;                 /* deepest level of what is cut */
    bool threaded;
} walk_plan;

/* Bring chunks through all their levels, and collect them: of several errors the one that comes
 * first in the batch. */
err *walk_chunks(pipeline *p, const batch_view *view, const walk_plan *plan);

/* Bring one chunk through, by the calling thread; what came of it is not collected. */
err *walk_alone(pipeline *p, const batch_view *view, chunk *c);

/* Bring what `aggregate` emitted on all workers, and what goes on, through the steps behind it. */
err *walk_results(pipeline *p, const batch_view *view, uint32_t aggregate, bool threaded);
