#pragma once
/* A batch becomes permanent: its object, its outputs, and the pointer that ties them together.
 *
 *   the object is made ─▶ written in the background ───────────────┐
 *                     ledger begins ─▶ sinks write and flush ─▶ both done ─▶ ledger commits
 *                          └────────◀── aborts: the same outputs again ◀──────────┘
 *
 * Nothing is processed twice: outputs stay in memory until they are committed. Where a sink has a
 * position, the object holds it, and is made behind the sinks. Else all that waits for others goes
 * on in a thread of its own, while main fetches the next batch: it alone uses ledger and sinks
 * then. thread: main. */
#include "runtime/flow/keeper.h"

/* What is committed, beside keyed state. */
typedef struct commit_work {
    const batch_view *view; /* NULL: no batch */
    uint64_t batch;         /* number of the next */
    int64_t now_ms;         /* processing time */
    const int64_t *next;    /* watermarks at its end: of aggregations, then of distincts */
    bool is_flushed;        /* nothing can come behind it */
} commit_work;

/* Begin to commit the batch; before the tables take it as done. `work`: borrowed until
 * commit_await. */
err *commit_begin(pipeline *p, const commit_work *work);

/* Whether it goes on by itself: there is time for the next fetch. */
bool commit_is_beside(const pipeline *p);

/* Wait until it is committed. Retries what may pass for as long as the process is not told to stop.
 * ERR_FENCED: somebody else works here. */
err *commit_await(pipeline *p);

/* The tables have taken it. */
err *commit_applied(pipeline *p);

/* The batch failed before it was committed. */
void commit_given_up(pipeline *p);

/* The first commit: where reading begins. */
err *commit_genesis(pipeline *p);

/* Commit what is committed once more. */
err *commit_again(pipeline *p);
