#pragma once
/* The budget of keyed state in memory (`memory`): seen behind each batch. Past it the run ends
 * (on_state_limit = "fail"), or the coldest panes are spilled: those not touched longest, the
 * oldest first, of all workers at once, until there is room again. Only what the base has, can go;
 * so it is waited for when it is behind.
 *
 * Spilled can be panes of windows in append mode whose aggregates give the same when they are
 * folded in parts (sl_aggregate.splits), and whose rows go to sinks alone. What cannot go stays in
 * memory; if that alone is more than the budget, the run ends. thread: main. */
#include "runtime/flow/pipeline.h"

/* Whether panes of a table (stored_table) can be spilled. */
bool budget_can_spill(const sl_plan *plan, uint32_t number);

/* What tables may hold; what the base may. INT64_MAX: no limit is said. */
size_t budget_bytes(const pipeline *p);
size_t budget_base_bytes(const pipeline *p);

/* Bytes of keyed state in the workers' tables, without what is kept for reuse. */
size_t budget_used(const pipeline *p);

/* Before a batch: tables are told its number. */
void budget_stamp(const pipeline *p, uint64_t batch);

/* Before a batch is delivered: ERR_STATE: it goes past the limit, and nothing can be done. */
err *budget_check(const pipeline *p);

/* Behind a batch: spill until there is room. */
err *budget_keep(pipeline *p);
