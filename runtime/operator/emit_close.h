#pragma once
/* Windows that close with more groups than a batch is to emit (decision 0037): the main thread goes
 * over them window by window, a range of the groups' order at a time (flow/closing.c). Every worker
 * lists its groups of the range, from all lists together follows where the batch ends, and then
 * each emits its own up to there: so where it ends depends on the groups alone, not on workers or
 * on what was spilled.
 *
 * Lists are kept from batch to batch: panes of a closing window do not change. thread: worker;
 * where said, main while the workers rest. */
#include "runtime/event/close.h"
#include "runtime/operator/work.h"

struct close_space;
struct close_space *close_space_new(void);
void close_space_free(struct close_space *c);

/* A range of the groups of a window: orders (state/shard.h), both included. */
typedef struct close_range {
    window_bounds window;
    uint64_t from, to;
} close_range;

/* Whether what an aggregation closes may come out over several batches: not if other stages take
 * it, which see a window whole. */
bool emit_may_spread(const sl_plan *plan, uint32_t aggregate);

/* Whether rows that come meanwhile could change what is still to come out: panes of a closing
 * window are also those of open ones. */
bool emit_close_holds(const sl_aggregate *plan);

/* The most groups that windows from the cursor on can have on this worker; UINT64_MAX: not known.
 * thread: main. */
uint64_t emit_close_most(const worker *w, const batch_view *b, uint32_t aggregate,
                         const close_cursor *from);

/* A batch begins to look for windows. thread: main. */
void emit_close_begin(worker *w);

/* The first window from the cursor on that is due on this worker; false: none. thread: main. */
bool emit_close_next(worker *w, const batch_view *b, uint32_t aggregate, const close_cursor *from,
                     window_bounds *window);

/* The most groups of a window on this worker; UINT64_MAX: not known. thread: main. */
uint64_t emit_close_entries(worker *w, const batch_view *b, uint32_t aggregate,
                            const window_bounds *window);

/* Where a range that begins at r->from should end: as an earlier list does, a slice of what is
 * spilled, or else about `groups` of `all`. Asked of worker 0. thread: main. */
uint64_t emit_close_reach(worker *w, const batch_view *b, uint32_t aggregate, const close_range *r,
                          uint64_t groups, uint64_t all);

/* List the worker's groups of the range. ERR_IO: the base cannot be read. */
struct err *emit_close_list(worker *w, const batch_view *b, uint32_t aggregate,
                            const close_range *r, uint64_t groups);

/* How many of those listed lie in the range. thread: main. */
uint64_t emit_close_count(const worker *w, const close_range *r);

/* Emit those listed that lie in the range, as emit_aggregate does. */
struct err *emit_close_rows(worker *w, const batch_view *b, uint32_t aggregate,
                            const close_range *r, outbox *retracted, outbox *boxes);

/* Forget the lists: a batch was undone. */
void emit_close_forget(worker *w);
