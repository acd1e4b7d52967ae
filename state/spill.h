#pragma once
/* Panes of a table that lie in the base (base.h) and not in memory.
 *
 *   pane 0 ─spill▶ pane 0, spilled      a row for its start ─▶ pane 0, generation 1
 *                  (in the base)                                (in memory)
 *
 * A spilled pane stands in its table, empty: whoever goes over the panes of a window meets it, and
 * reads its entries from the base; the generations of a start are merged in their order, as panes
 * of one window are.
 *
 *   pane 0 ─cache▶ pane 0, cached: an entry that is not in memory may be in the base, and must be
 *                  looked for there before it is touched (table_settle); what is in memory counts
 *
 * One owner; thread: the owner's worker, between batches unless said otherwise. */
#include <stdbool.h>

#include "runtime/base/buf.h"
#include "state/table.h"

/* Number of the batch that runs, for pane_touched. */
void table_stamp(table *t, uint64_t batch);

/* Its generation: 0, or higher where those before it were spilled. Whether it is spilled: its
 * entries are in the base (base.h) and not here. The stamp of the batch that touched it last. */
uint32_t pane_generation(const pane *p);
bool pane_is_spilled(const pane *p);
uint64_t pane_touched(const pane *p);

/* Whether entries of it may be in the base alone, and others in memory. */
bool pane_is_cached(const pane *p);

/* Whether it has no entries, here or in the base. */
bool pane_is_empty(const pane *p);

/* Free all entries of a pane, which are in the base by now; it stays in its place, spilled. Rows
 * that still come for its start begin a pane of the next generation. Between batches. O(its slabs),
 * with parts O(its entries). */
void table_spill_pane(table *t, pane *p);

/* Make a pane that is in the base, and was not read from there. Between batches. */
void table_add_spilled(table *t, int64_t start, uint32_t generation);

/* The same for panes that are cached: nothing is in memory at first. */
void table_cache_pane(table *t, pane *p);
void table_add_cached(table *t, int64_t start);

/* The entries of `p` that were touched behind the first `from` of its dirty list are what the base
 * has of them: they were not touched, and not made by this batch. Undo takes them out. In a batch,
 * before their states change; begins a step (table_epoch_next). */
void table_settle(table *t, pane *p, uint32_t from);

/* Remove an entry that this batch brought back and has not touched. Undo does not bring it back. */
void table_remove_settled(table *t, pane *p, entry *e);

/* The spilled panes of a table as a section (IMAGE_SPILLED), appended to `out`; their number.
 * Stored with each object, so that a restart need not read them. */
uint32_t spill_write(const table *t, buf *out);

/* Pane `i` of such a section of `len` bytes; false: there is none. */
bool spill_read(const char *bytes, size_t len, uint32_t i, int64_t *start, uint32_t *generation);

/* Give memory that is kept for reuse back, but for about an eighth of what is in use. */
void table_trim(table *t);

/* Bytes that what is in it takes, without what is kept for reuse. */
size_t table_used_bytes(const table *t);
