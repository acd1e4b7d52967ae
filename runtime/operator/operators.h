#pragma once
/* The stages of a batch, one file each. See work.h for the data and who owns it.
 * All return an error only when the whole batch fails. thread: worker. */
#include "runtime/operator/work.h"

/* prepare.c: records [first_record, first_record + record_count) of c->source to good rows: decode,
 * event time, skew guard. What is bad becomes a note. */
struct err *prepare_chunk(worker *w, const batch_view *b, chunk *c);

/* advance.c: functions of the chunk's steps of one level, then messages and keys of their rows. */
struct err *advance_chunk(worker *w, const batch_view *b, chunk *c, uint32_t level);

/* write.c: messages of the rows of step `s` that go to sinks. */
void write_rows(worker *w, const batch_view *b, chunk *c, uint32_t s);

/* group.c: key, hash, pane and lateness of the rows of step `s` that go to aggregations and
 * distincts. */
void group_rows(worker *w, const batch_view *b, chunk *c, uint32_t s);

/* distinct.c: judge the rows of the shards of `of` that go to distincts of `level`. As fold_chunk:
 * worker `w` does it, its Lua and its space, with the state of `of`, which nobody else touches
 * meanwhile. */
struct err *distinct_chunk(worker *w, worker *of, const batch_view *b, chunk *c, uint32_t level);

/* distinct.c: at the end of a batch, forget keys of this worker that the watermark has passed. */
void distinct_forget(worker *w, const batch_view *b);

/* fold.c: fold the rows of the shards of `of` into its tables, of aggregations of `level`. */
struct err *fold_chunk(worker *w, worker *of, const batch_view *b, chunk *c, uint32_t level);

/* emit.c: before an aggregation is emitted: what its rows borrowed for the last one goes. */
void emit_begin(worker *w);

/* emit.c: results of one aggregation on this worker, ordered by (window end, start, shard, hash,
 * key): `retracted[k]` and `boxes[k]` get the messages of output k of the step behind it,
 * w->results what goes on otherwise.
 * `reached`: a row of this batch came to the aggregation (any worker). */
struct err *emit_aggregate(worker *w, const batch_view *b, uint32_t aggregate, bool reached,
                           outbox *retracted, outbox *boxes);

/* emit.c: after an error of emit_aggregate, the hash of the group whose result failed, and the
 * aggregation. */
uint64_t emit_failed_group(const worker *w, uint32_t *aggregate);

/* emit.c: make that result again from the states as they are now; true: it fails. */
bool emit_fails_again(worker *w, const batch_view *b);

/* emit_try.c: make results of some groups of windows that are open, the newest ones, and nothing of
 * them leaves: ERR_SCRIPT, by the text that has taken over, where one cannot be made. What is on
 * disk is not looked at. At the end of a batch, behind emit_aggregate. O(panes of a window). */
struct err *emit_try(worker *w, const batch_view *b, uint32_t aggregate);

/* emit.c: would a batch without records emit or evict anything if the watermark went from `before`
 * to `watermark`? */
bool emit_is_due(const worker *w, const sl_plan *plan, uint32_t aggregate, int64_t before,
                 int64_t watermark);
