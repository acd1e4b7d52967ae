#pragma once
/* Commits that follow, at least once: rows of a batch leave as soon as those before have, and need
 * not wait for a disk or a coordinator. The pointer goes after them, of the newest batch whose rows
 * are out, as often as the ledger takes one (decision 0060):
 *
 *   main        ─batch 7─▶ batch 8 ──▶ batch 9 ──▶ batch 10 ─▶
 *   deliveries           └rows 7┘   └rows 8┘   └rows 9┘
 *   commits                     └── pointer 7 ────┘└ pointer 9 ┘
 *
 * A process that dies does the batches behind its pointer again, and so their rows. Sinks are the
 * deliveries' thread's, the ledger is the commits'. Part of commit.h; thread: main. */
#include "runtime/flow/commit_inside.h"

typedef struct behind behind;

/* ERR_IO: there is no thread. */
err *behind_new(behind **b);
void behind_free(behind *b); /* nothing is under way; NULL is allowed */

/* The batch in p->beside: its object is being written, its rows are handed over. */
void behind_begin(pipeline *p);

/* Wait for the rows, at most `most_ms`; true: they are out, or cannot be. */
bool behind_wait(const beside *b, int64_t most_ms);

/* Steady time, ms, of the next batch: they keep a distance, longer while the store is slower than
 * they are, so that what waits for it does not grow. */
int64_t behind_next_ms(const pipeline *p);

/* The least time between the beginnings of two batches, ms. */
int64_t behind_pace_ms(void);

/* Take in the commits that are over; errors as of commit_await. Waits only behind an error. */
err *behind_look(pipeline *p);

/* The next batch may be handed over: the rows before are out, and what is not committed is bounded
 * (checkpoint_is_behind). Or all of it is committed. */
err *behind_make_way(pipeline *p);
err *behind_settle(pipeline *p);
