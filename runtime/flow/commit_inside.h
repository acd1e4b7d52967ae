#pragma once
/* What the files of the commit share: commit.c (a batch and its pointer as one), commit_object.c
 * (what is stored of it), commit_beside.c (beside the next batch), behind.c (rows first). */
#include "runtime/flow/commit.h"
#include "runtime/flow/keeper.h"
#include "state/jobs.h"

struct behind;

/* How long one rests behind the beginning of the last, so that batches which follow each other
 * share it: a transaction takes a broker several ms of CPU, whatever is in it, and where the
 * pointer is only a restart asks. For a second none rests behind one that main had to wait for. */
enum { COMMIT_REST_MS = 100,
       COMMIT_AWAKE_MS = 1000 };

/* What goes on beside the next batch: p->beside. */
typedef struct beside {
    jobs *thread;
    bool is_on;             /* a commit is: ledger and sinks are its own */
    uint64_t ticket;        /* of its job */
    commit_work work;       /* of it */
    int64_t began_ms;       /* steady time */
    int64_t ended_ms;       /* of its last try */
    int64_t took_ms;        /* the last that is over, or its rows */
    int64_t awake_until_ms; /* steady time: before, nothing is held but beside another */
    int64_t rests_until_ms; /* steady time: before, what another batch follows at once is held */
    err *outcome;           /* what came of it */
    bool holds;             /* batches are done and wait for the next commit: */
    commit_work waiting;    /* the last of them; of all: how many, what they count */
    promise promised;       /* behind the last of them */
    struct behind *behind;  /* at least once: its rows alone are waited for; owned; or NULL */
} beside;

/* A part of a commit; it may be tried again where its error says so. */
typedef err *commit_once(pipeline *p, const commit_work *work);

/* Until it is done, or cannot be. `begins`: what the ledger has begun is given up before another
 * try. thread: any. */
err *commit_try(pipeline *p, commit_once *once, bool begins, const commit_work *work);

/* All of what k->running promises, with its rows. thread: any. */
err *commit_tries(pipeline *p, const commit_work *work);

/* It was tried until it was committed, or cannot be. Takes `e`. */
err *commit_end_tries(pipeline *p, int64_t began_ms, int64_t ended_ms, err *e);

/* Commit the pointer `which` for `marks`. */
err *commit_text(const keeper *k, const pointer *which, const sl_mark *marks, uint32_t count);

/* What is committed with the object that was made last. */
void commit_promise(const keeper *k, promise *it);
void promise_forget(promise *it);
void promise_move(promise *to, promise *from); /* what `to` had is forgotten */

/* Make the object of the batch and begin to write it. */
err *commit_save(pipeline *p, const commit_work *work);

/* It counts; what it was stands in the log already. */
void commit_add(pipeline *p, const commit_work *work);

/* Whether the running batch is held though nothing is beside: others follow it at once, and the
 * last commit has only begun. */
bool beside_rests(const pipeline *p);

/* Commit it beside the next batch: it is handed over, its object is made. One is beside, or it
 * rests: it is held, and is committed with what else is held then. */
void beside_begin(pipeline *p, const commit_work *work);
void beside_hold(pipeline *p, const commit_work *work);
