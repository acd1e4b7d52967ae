#pragma once
/* The budget of keyed state in memory (`memory`): seen behind each batch. Past it the run ends
 * (on_state_limit = "fail"), or the coldest panes are spilled: those not touched longest, the
 * oldest first, of all workers at once, until there is room again. Only what the base has, can go;
 * so it is waited for when it is behind.
 *
 * How, and what cannot, is settled by the plan (lua/sluice/analyse/spill.lua): in parts, or cached.
 * The rest stays in memory; if that alone is more than the budget, the run ends. thread: main. */
#include "runtime/flow/pipeline.h"

/* How a table (stored_table) leaves memory: sl_spill, as the plan says. */
int32_t budget_way_of(const pipeline *p, uint32_t number);

/* What tables may hold; what the base may. INT64_MAX: no limit is said. */
size_t budget_bytes(const pipeline *p);
size_t budget_base_bytes(const pipeline *p);

/* Bytes of keyed state in the workers' tables, without what is kept for reuse, and of what looking
 * into spilled panes takes. */
size_t budget_used(const pipeline *p);

/* Groups of a table (stored_table) that are in memory. */
uint64_t budget_groups(const pipeline *p, uint32_t number);

/* Before a batch: tables are told its number. */
void budget_stamp(const pipeline *p, uint64_t batch);

/* Before a batch is delivered: ERR_STATE: it goes past the limit, and nothing can be done. */
err *budget_check(const pipeline *p);

/* Behind a batch: spill until there is room. */
err *budget_keep(pipeline *p);
