#pragma once
/* Another text of the script does the batches of a running pipeline, too, and nothing of it leaves
 * the process: what it makes is compared with what the running one makes.
 *
 *   start, between two batches ─▶ its thread: the state is loaded ─▶ batch ─▶ batch ─▶ over
 *      checks, as a reload does      main: each batch's records, plan and rows are handed over
 *
 * It is a replay (replay.h) of batches that are just being made: records, processing time and
 * verdicts are the running pipeline's, the watermarks go by its own `delay`. Main never waits for
 * it: a shadow that throws, does not return, takes more memory than `memory` and script_memory
 * allow, or falls behind by SHADOW_WAITING_BYTES is dropped, with the reason.
 * thread: main, unless said otherwise. */
#include "runtime/flow/pipeline.h"

enum { SHADOW_WAITING_BYTES = 256 << 20 };

typedef struct shadow shadow;

typedef struct shadow_options {
    worker *worker;       /* of the other text, number 0 of 1; taken, on failure too */
    const char *path;     /* of it; copied */
    uint64_t batches;     /* how many; > 0 */
    uint32_t rows;        /* that differ: kept to be shown */
    int64_t warm_batches; /* that do not count for the time a record takes */
} shadow_options;

/* Whether it can begin now: not while a script is on trial, or a batch of an earlier run is done
 * again. */
bool shadow_may_start(const pipeline *p);

/* Begin, between batches: p->shadow until shadow_free. ERR_REFUSED: the text could not take over,
 * or part of the state is on disk. Waits for a commit that is under way; costs, where no state is
 * stored, what writing all of it into memory does. The store, if there is one, is read from until
 * the shadow has begun. */
err *shadow_start(pipeline *p, const shadow_options *options);

/* Of the running batch, for whoever measures; its rows are made and have not left. NULL-safe as to
 * p->shadow. */
void shadow_batch_begins(pipeline *p);
void shadow_batch_is_made(pipeline *p, const batch_view *view);

/* Give it up, for `reason`; nothing if it is over. NULL is allowed. thread: any. */
void shadow_drop(shadow *s, const char *reason);

/* A call into its script cannot be broken: its thread will not come back. thread: any. */
void shadow_hung(shadow *s, const char *message);

/* Whether all batches are compared, or it was dropped. thread: any. */
bool shadow_is_over(shadow *s);

typedef struct shadow_result {
    char *reason; /* it was dropped for; the caller's; NULL: it was not */
    uint64_t batches, same, different;
} shadow_result;

shadow_result shadow_result_of(shadow *s); /* thread: any */

/* Append how far it is as members of JSON: "state" (running, done, dropped), "script_hash" first;
 * `whole`: with the rows that differ. thread: any. */
void shadow_put(shadow *s, buf *out, bool whole);

/* The pipeline goes on without. A thread that does not end within some seconds is left alone, with
 * what it uses, which stays for good: it is in a call that cannot be broken. true: so it was. */
bool shadow_free(pipeline *p);
