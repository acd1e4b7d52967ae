#pragma once
/* Refill of what is new in an aggregation that has a `backfill` (docs/decisions/0053): the rows of
 * the last while are read again, by connections of their own, and folded into tables of their own
 * by the new script; what is new of them goes into the running tables between two batches.
 *
 *   a reload:  find what is new ─▶ read beside the run, up to where it stands ─▶ again, up to where
 *              it stands now ─▶ … ─▶ the rest of it, in the pause ─▶ exchange
 *   a start:   the state was another script's ─▶ read, before the first batch
 *
 * The batch behind it records what was read (record.h): done again, it reads the same.
 * thread: main, but for the reading beside. */
#include "runtime/flow/pipeline.h"
#include "runtime/shared/compat.h"

typedef struct backfill backfill;

/* What is to be filled; owned by the pipeline until it is. */
typedef struct fill_list fill_list;
fill_list *backfill_keep(const sl_compat *compat); /* NULL: nothing */
void backfill_forget(fill_list *f);

/* Before a batch: fill what p->fills says, which is NULL afterwards. ERR_STOPPED: asked to stop,
 * nothing has changed; ERR_REFUSED: what is needed cannot be read again. */
err *backfill_due(pipeline *p);

/* The batch behind it is done. */
void backfill_done(pipeline *p);

/* Whether these workers may take over: nothing is to be filled, or all but a little of it has been
 * read, or it cannot be, which the swap then tells. Else it goes on beside. `why`: out; not NULL:
 * they never may, and what was read beside is to be given up before they are freed. */
bool backfill_is_ready(pipeline *p, worker **workers, uint32_t count, err **why);

/* In a swap to these workers, whose tables have what is taken over: read what is still to be read,
 * and fill them. `record`: out, for the record of the next batch, owned by the caller; NULL:
 * nothing was to be filled. */
err *backfill_swap(pipeline *p, worker **workers, const sl_compat *compat, char **record);

/* Give up what is being read beside, which notices soon; the caller's to free. NULL: nothing is. */
backfill *backfill_give_up(pipeline *p);

/* Wait until it has noticed, and free it. False: a call into the script does not return, so both
 * are lost: the script must not be touched again. thread: any. NULL is allowed. */
bool backfill_free(backfill *b);

/* The same at once, of what is not being read at the moment. */
void backfill_drop(pipeline *p);

/* A partition as a refill on main (p->filler) numbers them; NULL: there is none. */
const sl_partition *backfill_partition(const pipeline *p, uint32_t source, uint32_t partition);

/* Records that were read beside, and are still to be; false: none are being read. */
bool backfill_progress(const pipeline *p, uint64_t *done, uint64_t *left);
