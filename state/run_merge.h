#pragma once
/* What segments of panes hold, in the order in which groups leave, slice by slice: of each entry
 * the newest of its pane. Entries of several panes with one key come one after the other, in the
 * order of the panes. One owner; thread: the owner's. */
#include "state/run_file.h"

typedef struct run_merge run_merge;

/* Orders, both included. */
typedef struct run_range {
    uint64_t from, to;
} run_range;

/* `shards`: of the pipeline. `keeps_removed`: entries that went are given, too. */
run_merge *run_merge_new(const char *folder, uint32_t shards, bool keeps_removed);
void run_merge_free(run_merge *m);

/* Add what is to be read: panes in their order, of each the newest segment first. `pane`: marks its
 * entries. */
void run_merge_add(run_merge *m, const run_segment *s, uint32_t pane);

/* Into how many slices, equal ranges of orders, it is cut best: a power of two, at least
 * `least`. */
uint64_t run_merge_slices(const run_merge *m, uint64_t least);

/* What there is in the orders of `range`; cheapest where ranges follow each other. The entries are
 * borrowed until the next call; `from` of each: its pane. */
err *run_merge_read(run_merge *m, run_range range, const ordered **items, uint32_t *count);

/* The orders of slice `slice` of `slices`. */
run_range run_slice(uint64_t slice, uint64_t slices);
