#pragma once
/* Groups of cached panes (state/spill.h) that are not in memory: they are looked for in the base
 * before a vector of rows touches them, all at once and in order, and come into memory as they
 * were. thread: worker. */
#include "runtime/operator/groups.h"
#include "runtime/operator/work.h"

/* Bring in what the base has of `count` groups in table `number` (stored_table); their panes,
 * hashes and keys. In a batch, before they are touched. O(1) where no pane is cached. */
struct err *fetch_rows(worker *w, const sl_plan *plan, uint32_t number, uint32_t count,
                       pane *const *panes, const uint64_t *hashes, const char *const *keys,
                       const uint32_t *key_lens);

/* The same for the groups of a list in one pane. */
struct err *fetch_groups(worker *w, const sl_plan *plan, uint32_t number, pane *p,
                         const group_list *groups);
