#include "runtime/operator/groups.h"

#include <string.h>

#include "runtime/base/mem.h"
#include "state/order_sort.h"

enum { LOOK_UPS = 256 };

void groups_done(group_list *list) {
    mem_free(list->items);
    mem_free(list->spare);
    mem_free(list->chains);
    *list = (group_list){ 0 };
}

int group_compare_keys(const entry *a, const entry *b) {
    uint32_t a_len = entry_key_len(a), b_len = entry_key_len(b);
    int difference = memcmp(entry_key(a), entry_key(b), a_len < b_len ? a_len : b_len);
    if (difference) return difference;
    return a_len < b_len ? -1 : a_len > b_len;
}

int group_compare(const group_item *a, const group_item *b) {
    if (a->order != b->order) return a->order < b->order ? -1 : 1;
    return group_compare_keys(a->entry, b->entry);
}

static int compare(const void *x, const void *y) { return group_compare(x, y); }

/* `known_bits`: top bits of the order that all have in common. */
static void sort(group_list *list, uint32_t known_bits) {
    if (!order_sort(list->items, list->spare, list->count, sizeof *list->items, known_bits,
                    compare))
        return;
    group_item *sorted = list->spare;
    list->spare = list->items;
    list->items = sorted;
}

void groups_sort(group_list *list) { sort(list, 0); }

void groups_begin(group_list *list) {
    list->count = list->chain_count = 0;
    list->is_chained = false;
}

static inline void add_item(group_list *list, const group_item *item) {
    if (list->count == list->room) {
        list->room = list->room ? list->room * 2 : 256;
        list->items = mem_realloc(list->items, list->room * sizeof *list->items);
        list->spare = mem_realloc(list->spare, list->room * sizeof *list->spare);
    }
    list->items[list->count++] = *item;
}

void groups_add(group_list *list, entry *e, uint32_t pane_index, uint32_t shards) {
    add_item(list, &(group_item){ .order = shard_order(e->hash, shards),
                                  .entry = e,
                                  .pane = pane_index });
}

void groups_grow_chains(group_list *list, uint32_t most) {
    list->chain_room = 2 * list->chain_room + most;
    list->chains = mem_realloc(list->chains, list->chain_room * sizeof *list->chains);
}

void groups_add_chain(group_list *list, uint64_t order, uint32_t count) {
    add_item(list, &(group_item){ .order = order,
                                  .entry = list->chains[list->chain_count],
                                  .pane = list->chain_count,
                                  .count = count });
    list->chain_count += count;
}

/* Add those of `some` that no earlier pane has; what one has is not looked for in the next. */
static void add_new(group_list *list, pane *const *panes, uint32_t index, entry **some,
                    uint32_t count, uint32_t shards) {
    entry *found[LOOK_UPS];
    for (uint32_t p = index; p-- > 0 && count;) {
        uint32_t left = 0;
        table_find_many(panes[p], count, some, found);
        for (uint32_t i = 0; i < count; i++)
            if (!found[i]) some[left++] = some[i];
        count = left;
    }
    for (uint32_t i = 0; i < count; i++) groups_add(list, some[i], index, shards);
}

static void add_all(group_list *list, pane *const *panes, uint32_t index, uint32_t shards,
                    const order_range *range) {
    entry *some[LOOK_UPS];
    uint32_t count = 0;
    table_cursor at = { 0 };
    while ((some[count] = table_scan(panes[index], &at))) {
        uint64_t order = shard_order(some[count]->hash, shards);
        if (order < range->from || order > range->to) continue;
        if (++count < LOOK_UPS) continue;
        add_new(list, panes, index, some, count, shards);
        count = 0;
    }
    add_new(list, panes, index, some, count, shards);
}

/* Dirty entries of one group stand in several panes: it is listed from each, the copies go after
 * sorting. */
static void add_dirty(group_list *list, const pane *p, uint32_t index, uint32_t shards) {
    uint32_t count;
    entry *const *dirty = pane_dirty(p, &count);
    for (uint32_t i = 0; i < count; i++) groups_add(list, dirty[i], index, shards);
}

static void drop_copies(group_list *list) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < list->count; i++)
        if (!kept || group_compare(&list->items[kept - 1], &list->items[i]))
            list->items[kept++] = list->items[i];
    list->count = kept;
}

void groups_sort_once(group_list *list) {
    groups_sort(list);
    drop_copies(list);
}

void groups_list_range(group_list *list, pane *const *panes, uint32_t count, uint32_t shards,
                       const order_range *range) {
    groups_begin(list);
    for (uint32_t i = 0; i < count; i++) add_all(list, panes, i, shards, range);
    uint64_t differ = range->from ^ range->to;
    sort(list, differ ? (uint32_t)__builtin_clzll(differ) : 63);
}

void groups_list(group_list *list, pane *const *panes, uint32_t count, bool dirty_only,
                 uint32_t shards) {
    if (!dirty_only) {
        groups_list_range(list, panes, count, shards, &ORDER_ALL);
        return;
    }
    groups_begin(list);
    for (uint32_t i = 0; i < count; i++) add_dirty(list, panes[i], i, shards);
    groups_sort_once(list);
}

uint32_t groups_below(const group_list *list, uint64_t order) {
    uint32_t low = 0, high = list->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (list->items[middle].order < order)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t groups_up_to(const group_list *list, uint64_t order) {
    return order == UINT64_MAX ? list->count : groups_below(list, order + 1);
}
