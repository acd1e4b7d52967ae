#pragma once
/* A batch becomes permanent: its object, its outputs, and the pointer that ties them together.
 *
 *   the object is made ─▶ written in the background ───────────────┐
 *                     ledger begins ─▶ sinks write and flush ─▶ both done ─▶ ledger commits
 *                          └────────◀── aborts: the same outputs again ◀──────────┘
 *
 * Nothing is processed twice: outputs stay in memory until they are committed. Where a sink has a
 * position, the object holds it, and is made behind the sinks: the commit ends in the call. Else
 * all that waits for others goes on in a thread of its own, beside the next batch (decision 0044).
 * A batch that is done before the commit is over is held, where its rows are few: object on its
 * way, rows copied. All that are held then are one commit (decision 0065):
 *
 *   main    ─batch 7─▶ begin 7 ─batch 8─▶ hold 8 ─batch 9─▶ settle 7, begin 8, hold 9 ─▶
 *   commits               └──────sinks, ledger──────▶ over           └──sinks, ledger──▶
 *
 * At least once the pointer follows by itself, behind the rows (behind.h): the next batch waits for
 * them alone. Where nothing is kept, rows are all there is.
 *
 * The thread alone uses ledger and sinks then. The object is made before it begins, so the tables
 * go on; what it tells (counters, the local base, garbage) waits for commit_settle. One that fails
 * for good ends the run, and what came behind it in memory is of no account. thread: main. */
#include "runtime/flow/pipeline.h"

/* What is committed, beside keyed state. View and watermarks are not looked at beside the next. */
typedef struct commit_work {
    const batch_view *view;  /* NULL: no batch */
    uint64_t batch;          /* number of the next */
    int64_t now_ms;          /* processing time */
    const int64_t *next;     /* watermarks at its end: of aggregations, then of distincts */
    bool is_flushed;         /* nothing can come behind it */
    uint32_t batches;        /* so many as one: 1, or those that were held */
    uint64_t nulled_numbers; /* run_counters */
} commit_work;

/* The sinks are others: what goes beside depends on them. ERR_IO: nothing does, for want of a
 * thread. */
err *commit_follow_sinks(pipeline *p);

/* Nothing is under way. */
void commit_close(pipeline *p);

/* Begin to commit the batch, or hold it where one is beside; before the tables take it as done.
 * commit_make_way was called. That of a script on trial never goes beside. */
err *commit_begin(pipeline *p, const commit_work *work);

/* Whether one goes on by itself, or batches are held for one; steady time, ms, when it began. */
bool commit_is_beside(const pipeline *p);
int64_t commit_began_ms(const pipeline *p);

/* One that is not: try until it is committed. Retries what may pass for as long as the process is
 * not told to stop. ERR_FENCED: somebody else works here. */
err *commit_await(pipeline *p, const commit_work *work);

/* The batch counts, though its source's records are still there. */
void commit_count(pipeline *p, const commit_work *work);

/* The tables have taken it. */
err *commit_applied(pipeline *p);

/* The batch failed before it was committed. */
void commit_given_up(pipeline *p);

/* Whether the batch whose commit ended in the call with an error leaves no trace once it is given
 * up: exactly once, and its commit was not asked for. */
bool commit_leaves_no_trace(const pipeline *p);

/* Give such a batch up, outputs too: another may be made of its records. */
err *commit_take_back(pipeline *p);

/* One that is beside: wait until it is over, at most `most_ms`; true: it is. */
bool commit_wait(const pipeline *p, int64_t most_ms);

/* Whether something is not committed: one is beside, or follows. */
bool commit_is_open(const pipeline *p);

/* Steady time, ms: before, the next batch need not begin, since it would only wait. One is open. */
int64_t commit_next_ms(const pipeline *p);

/* Likewise, of the batch behind one that begins now; INT64_MIN: not known. */
int64_t commit_follows_ms(const pipeline *p);

/* Take in what is over (errors as of commit_await); does not wait. */
err *commit_look(pipeline *p);

/* No batch follows at once: what is held for it begins. */
void commit_rest_no_longer(pipeline *p);

/* The running batch may be handed over, or held: wait for what its rows must not pass, and take in
 * what it tells. */
err *commit_make_way(pipeline *p);

/* Wait for all, and take it in. Behind this nothing is under way: ledger, sinks and checkpoint are
 * main's, all counters are told. */
err *commit_settle(pipeline *p);

/* The same between two steps: its error is the next step's, beside one that waits there. */
void commit_settle_for_later(pipeline *p);

/* The same where `e` (may be NULL) was met meanwhile: an error of the commit comes first. */
err *commit_settle_before(pipeline *p, err *e);

/* Append section IMAGE_PROGRESS of an object behind `work`; without a keeper, too. */
void commit_put_progress(const pipeline *p, const commit_work *work, buf *out);

/* The first commit: where reading begins. */
err *commit_genesis(pipeline *p);

/* Commit what is committed once more. */
err *commit_again(pipeline *p);
