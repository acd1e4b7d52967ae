#pragma once
/* Bringing together what workers did, in the batch's order. thread: main, between phases; a chunk:
 * any, one at a time. */
#include "runtime/flow/pipeline.h"

/* A chunk has been through all: verdicts are counted, watermarks see the rows, messages and notes
 * go to their sinks. Chunks in their order. */
void collect_chunk(pipeline *p, const batch_view *b, chunk *c);

/* Too many bad records in the running batch: an error. */
err *collect_check(const pipeline *p);

/* Where a worker emits to: SL_MAX_OUTPUTS outboxes for retractions, then as many for rows. */
outbox *collect_boxes(pipeline *p, uint32_t worker);

/* Before an aggregation is emitted: these are empty, and so are the workers' lists. */
void collect_begin(pipeline *p);

/* After the emission of `aggregate`: results of all workers go to their sinks, merged. */
err *collect_results(pipeline *p, uint32_t aggregate);

/* Send what workers noted outside of chunks: rows that a fold in order threw out at the close.
 * Their records were counted when they came. */
void collect_notes(pipeline *p, const batch_view *b);

/* Around the chunks of results that go on (walk_results): the rows they became are merged with
 * those of other results, each sink's in order. */
void collect_results_begin(pipeline *p);
void collect_results_end(pipeline *p);
