#pragma once
/* Plans ahead: where a sink takes rows outside of the ledger's commit, what a batch will be is
 * durable before its first row is processed, under the name of the pointer that it follows. A batch
 * that died is then done again as it was, and such a sink gets the same rows under the same number.
 * thread: main. */
#include "runtime/flow/keeper.h"

/* Whether this pipeline's batches are planned ahead. */
bool ahead_is_on(const pipeline *p);

/* Look for the plan of a batch that an earlier run did not finish: k->planned. ERR_REFUSED: this
 * script cannot do it again. */
err *ahead_find(pipeline *p);

/* The plan of batch `number` of an earlier run; NULL: there is none. */
const recorded *ahead_planned(const pipeline *p);

/* Of its source `number`. */
err *ahead_source(const pipeline *p, uint32_t number, const recorded_source **was);

/* Make the plan of the running batch durable. */
err *ahead_put(pipeline *p, const batch_view *b);

/* Another script does the running batch after all: so says its plan from now on. */
err *ahead_put_again(pipeline *p, const batch_view *b);

/* The batch is committed: its plan is done with. */
void ahead_forget(pipeline *p);
