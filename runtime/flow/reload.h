#pragma once
/* Another text of the script takes over while the pipeline runs (docs/decisions/0046).
 *
 *   workers of the new script ─▶ swap, between two batches ─▶ on trial ─▶ the first batch committed
 *                                  │ refused: nothing has        │ it fails: the old one is back,
 *                                  ▼ changed                     ▼ and does the same batch
 *
 * Open connectors of sources, positions, watermarks, ledger and store stay; tables that are laid
 * out alike are handed over, others copied by the map that a restart would use; sinks that are the
 * same stay open. The old workers, their scripts, and sinks that went are kept while the new ones
 * are on trial. thread: main, but for what frees. */
#include "runtime/flow/pipeline.h"

typedef struct reload reload;

/* Whether a swap is possible now: not while a batch of an earlier run is done again. */
bool reload_may_swap(const pipeline *p);

/* Let `workers` (taken, on failure too), as many as run, take over. Between batches; waits for a
 * commit that is under way, whose error is the next step's. `changes`: out, lines for people, what
 * is other now; freed by the caller; may be NULL. ERR_REFUSED, or why a sink does not open: nothing
 * has changed. A script that is still on trial, and has not done a batch, is dropped first. Costs
 * what opening new sinks does, and for states of another layout a copy. */
err *reload_swap(pipeline *p, worker **workers, uint32_t count, char **changes);

/* A batch has gone through functions and state: ERR_SCRIPT where a call of a script on trial took
 * longer than script_timeout, whatever became of its row. */
err *reload_judge(const pipeline *p);

/* A batch failed with `why`, before any of it was committed: whether the old script is to do it
 * again, since the new one is on trial and not what is around it is to blame. */
bool reload_goes_back(const pipeline *p, const err *why);

/* Whether rows of the first batch of a script on trial are where no going back reaches: in a sink
 * outside of the transaction that the old script has not. */
bool reload_has_left(const pipeline *p);

/* The same as it was handed over; where rows have left it does not, and `why` says so. */
bool reload_takes_back(const pipeline *p, err **why);

/* The old script is back, and what the new one did to tables gone (worker_end must have been
 * called). `why` is told in the log, and taken. */
void reload_back(pipeline *p, err *why);

/* A batch of the new script is committed: it stays. */
void reload_settle(pipeline *p);

/* Scripts that are done with: to be freed by reload_free. NULL: none. */
reload *reload_take_retired(pipeline *p);
void reload_free(reload *r); /* thread: any; NULL is allowed */

/* Put `behind` behind the last of the chain `r`. */
void reload_chain(reload *r, reload *behind);

/* Their scripts, so that they are not closed with them; the list is the caller's. */
script **reload_take_scripts(reload *r, uint32_t *count);

/* The pipeline is being closed. */
void reload_end(pipeline *p);
