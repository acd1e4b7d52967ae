#pragma once
/* Windows that close with many groups: their rows come out over several batches, each with at most
 * pipeline.close_groups of them and in the order in which they would have come out in one. Which
 * groups a batch emits follows from the state and the cursor before it alone; the cursor is stored
 * with the state (decision 0037). thread: main. */
#include "runtime/flow/pipeline.h"

/* Emit what the batch's watermark closes of an aggregation, up to the limit, into the workers'
 * boxes, and say in `of` what is left to emit_aggregate. The running batch's watermarks stand in
 * `view`; its cursor becomes closing_next. */
err *closing_emit(pipeline *p, const batch_view *view, aggregate_view *of, uint32_t aggregate,
                  bool threaded);

/* A batch begins: what is still to come out is as the last one left it. */
void closing_begin(pipeline *p);

/* It is done: what it left counts. */
void closing_keep(pipeline *p);

/* Whether rows are still to come out: the next batch follows at once. */
bool closing_is_open(const pipeline *p);

/* The same of the running batch, once it has emitted. */
bool closing_goes_on(const pipeline *p);

/* Whether the running batch only brings out what an earlier one closed: it reads nothing, judges
 * nobody, and no watermark moves, so that rows that come over several batches are those that would
 * have come in one. */
bool closing_stands_still(const pipeline *p);

/* Before inputs are planned, behind closing_begin or what the running batch emitted: those that the
 * next batch must not read are held, because records could change what is still to come out, or
 * because none may come any more. */
void closing_hold_inputs(pipeline *p);
