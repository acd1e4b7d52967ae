#pragma once
/* The groups of one window, listed in the order in which their rows leave. Does not read states.
 * One owner; thread: the owner's. */
#include <stdbool.h>

#include "state/shard.h"
#include "state/table.h"

typedef struct group_item {
    uint64_t order; /* (shard, hash) as one number, see shard_order */
    entry *entry;   /* an entry of the group in one pane of the window; borrowed from the table */
    uint32_t pane;  /* index of that pane among the window's; the oldest that has the group, unless
                     * only dirty entries were asked for. Chained: its first entry in `chains` */
    uint32_t count; /* chained: its entries there */
} group_item;

typedef struct group_list {
    group_item *items; /* owned */
    group_item *spare; /* for sorting; owned */
    uint32_t count, room;
    bool is_chained; /* all entries of each group are known (slide.h): */
    entry **chains;  /* oldest first, group after group; owned */
    uint32_t chain_count, chain_room;
} group_list;

/* Orders from `from` to `to`, both included. */
typedef struct order_range {
    uint64_t from, to;
} order_range;

static const order_range ORDER_ALL = { 0, UINT64_MAX };

/* Fill `list` with the groups of `panes` (those of one window, by start), each once, sorted by
 * order, then key bytes. `dirty_only`: those touched in this batch. O(groups * panes). */
void groups_list(group_list *list, pane *const *panes, uint32_t count, bool dirty_only,
                 uint32_t shards);

/* All groups whose order lies in a range. O(groups * panes), sorting only those in it. */
void groups_list_range(group_list *list, pane *const *panes, uint32_t count, uint32_t shards,
                       const order_range *range);

/* Of a sorted list: groups before `order`; groups up to it. O(log groups). */
uint32_t groups_below(const group_list *list, uint64_t order);
uint32_t groups_up_to(const group_list *list, uint64_t order);

/* The same in steps: an empty list, some groups, each once, and the order. */
void groups_begin(group_list *list);
void groups_add(group_list *list, entry *e, uint32_t pane_index, uint32_t shards);

/* Slow path of groups_next_chain. */
void groups_grow_chains(group_list *list, uint32_t most);

/* Where the next chain goes, of `most` entries at most; the caller adds it, or leaves it. */
static inline entry **groups_next_chain(group_list *list, uint32_t most) {
    if (list->chain_room - list->chain_count < most) groups_grow_chains(list, most);
    return list->chains + list->chain_count;
}

void groups_add_chain(group_list *list, uint64_t order, uint32_t count);

void groups_sort(group_list *list);

/* Sort groups that may stand in it several times, and keep each once. */
void groups_sort_once(group_list *list);

/* Compare two groups as rows leave: < 0, 0 (one group) or > 0. */
int group_compare(const group_item *a, const group_item *b);
int group_compare_keys(const entry *a, const entry *b); /* those of one order */

void groups_done(group_list *list);
