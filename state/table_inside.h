#pragma once
/* What storing, spilling and sliding need of a table beside table.h. thread: worker. */
#include <stdbool.h>
#include <string.h>

#include "state/table.h"

/* How its states lie; borrowed. */
table_config table_layout(const table *t);

/* States that are made from now on begin with these bytes: the layout is the same. Between batches.
 */
static inline void table_begin_with(table *t, const void *state_init) {
    table_config config = table_layout(t);
    memcpy((void *)(uintptr_t)config.state_init, state_init, config.state_size);
}

/* The pane of a generation, made if there is none: 0, or higher for a partial that began when the
 * one before it had been spilled. Panes of one start stand side by side, and are merged as those of
 * one window are; table_pane gives the newest. In a batch. */
pane *table_pane_of(table *t, int64_t start, uint32_t generation);

/* The next batch marks what it touches from `mark` on: for tests of the end of the numbers. Between
 * batches. */
void table_mark_from(table *t, uint32_t mark);

/* Make room in the index of a pane for `more` entries that will come. */
void table_reserve(table *t, pane *p, uint32_t more);

/* The panes dropped in this batch, in their order. */
pane *const *table_dropped_panes(const table *t, uint32_t *count);

/* Whether this batch made a pane. */
bool table_has_made(const table *t, const pane *p);

/* The epoch that touched a pane last: as long as it stays, so does what is in the pane, unless an
 * epoch was undone. */
uint64_t pane_epoch(const pane *p);
