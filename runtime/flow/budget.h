#pragma once
/* The budget of keyed state in memory (`memory`): seen behind each batch. Past it the run ends
 * (on_state_limit = "fail"), or the coldest panes are spilled: those not touched longest, the
 * oldest first, of all workers at once, until there is room again. Only what the base has, can go;
 * so it is waited for when it is behind.
 *
 * Windows in append mode are spilled in parts, if their aggregates give the same when they are
 * folded in parts (sl_aggregate.splits) and their rows go to sinks alone. Windows in update mode
 * without `final`, running totals and `distinct` that are kept for ever are cached, unless what was
 * sent of them is remembered. The rest stays in memory; if that alone is more than the budget, the
 * run ends. thread: main. */
#include "runtime/flow/pipeline.h"

/* How panes of a table (stored_table) leave memory. */
typedef enum budget_way {
    BUDGET_STAYS,  /* not at all */
    BUDGET_PARTS,  /* spilled: what comes later is another part, merged at the close */
    BUDGET_CACHED, /* cached: a group is brought back before it is touched */
} budget_way;
budget_way budget_way_of(const pipeline *p, uint32_t number);

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
