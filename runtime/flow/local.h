#pragma once
/* The local base (state/base.h) beside a pipeline's keeper: when there is one, what it is used for.
 *
 *   - Where the store is another machine's, it spares a restart the transfer; begun once the state
 *     is large enough for that to matter.
 *   - Past three quarters of the budget (budget.h) it is begun on any store: what is spilled lies
 *     there.
 *   - While it follows, full objects are made of it in the background, instead of in a pause.
 *
 * It waits for a full object of the chain (the next batch's), follows from then on, and is used
 * after a restart if the chain passes it. One that fails is given up unless something is spilled.
 * thread: main. */
#include "runtime/flow/pipeline.h"
#include "state/base.h"
#include "state/jobs.h"

struct image_reader;

typedef struct local {
    char *folder;                 /* owned; NULL: there is no place for one */
    base *base;                   /* owned; NULL: not begun */
    bool is_remote;               /* the store is not a disk of this machine */
    bool in_line;                 /* no threads (tests) */
    char *given_up;               /* why it is, for messages; owned; NULL: it is not */
    jobs *fulls;                  /* the thread that makes full objects; owned */
    uint64_t full_ticket;         /* of the last one */
    _Atomic bool is_making, ends; /* a full object is being made; and is to end */
    _Atomic uint64_t full_bytes;  /* of the last one */
    int64_t full_ms, began_ms;    /* how long it took; when it began, steady */
    uint64_t full_batch;
} local;

/* Allocate what the checkpoint's follow is told of: local_follow, with p->local. */
void local_new(pipeline *p, const pipeline_options *options);
void local_follow(void *arg, const pointer *p, image *m);

/* Open the base that is there from an earlier run, if any. */
err *local_find(pipeline *p);

/* Whether it stands somewhere: what checkpoint_load is told. */
bool local_stands_at(const pipeline *p, pointer *at);

/* An object is read while the chain is loaded. `takes`: out, it went into the base, and the tables
 * are to be filled from there (local_fill) when all are read. */
err *local_take(pipeline *p, const pointer *at, image_reader *object, bool *takes);

/* Fill the workers' tables from the base, hot panes first, up to the budget; other sections go to
 * `take`. `maps`: as worker_load. `whole`: nothing stays in the base, the next object is a full one
 * of memory. */
struct stored_maps;
err *local_fill(pipeline *p, const struct stored_maps *maps, bool whole, base_visit *take,
                void *arg);

/* Fill the empty tables of other workers from a base that has caught up, with all that it holds.
 * `plan`: theirs; `into`: by number. */
err *local_copy(pipeline *p, const sl_plan *plan, worker **into, const struct stored_maps *maps);

/* Before all that the base holds is read for another layout, by either of these: ERR_REFUSED where
 * that takes more than four times `memory`, with `way_out`. */
err *local_check_whole(const pipeline *p, const char *way_out);

/* Whether the next object is to be a full one; `wants`: what checkpoint_wants_full says,
 * `held_bytes`: of the state in memory. Begins one in the background instead where it can. */
bool local_wants_full(pipeline *p, bool wants, size_t held_bytes);

/* Whether local_keep would begin it, or end it. */
bool local_is_due(const pipeline *p, size_t held_bytes);

/* Behind a batch: begin it when it is time, `held_bytes`: of the state in memory; errors of its
 * thread. Behind its commit, where it is due. */
err *local_keep(pipeline *p, size_t held_bytes);

/* Panes are in the base alone. */
bool local_has_spilled(const pipeline *p);

/* Wait until all that is committed is in it. An error as of local_keep; without one the base may be
 * given up, and be none any more. */
err *local_catch_up(pipeline *p);

void local_close(local *l); /* NULL is allowed */
