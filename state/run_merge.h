#pragma once
/* What segments of panes hold, in the order in which groups leave, slice by slice: of each entry
 * the newest of its pane. Entries of several panes with one key come one after the other, in the
 * order of the panes. One owner; thread: the owner's. */
#include "state/run_file.h"

typedef struct run_merge run_merge;

/* `shards`: of the pipeline. `keeps_removed`: entries that went are given, too. */
run_merge *run_merge_new(const char *folder, uint32_t shards, bool keeps_removed);
void run_merge_free(run_merge *m);

/* Add what is to be read: panes in their order, of each the newest segment first. `pane`: marks its
 * entries. */
void run_merge_add(run_merge *m, const run_segment *s, uint32_t pane);

/* Into how many slices of equal ranges of orders it is cut best: a power of two, at least
 * `least`. */
uint64_t run_merge_slices(const run_merge *m, uint64_t least);

/* Slice `slice` of `slices`; ranges rise from call to call. The entries are borrowed until the next
 * one; `from` of each: its pane. */
err *run_merge_read(run_merge *m, uint64_t slice, uint64_t slices, const ordered **items,
                    uint32_t *count);

/* First and last order of a slice. */
void run_slice_range(uint64_t slice, uint64_t slices, uint64_t *from, uint64_t *to);
