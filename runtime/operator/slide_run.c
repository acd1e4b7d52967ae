#include "runtime/operator/slide_run.h"

#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/mem.h"
#include "state/order_sort.h"

enum {
    AHEAD = 6,
    LOOK_UPS = 256,
    LINE_BYTES = 64,
    CHUNK_LEAST = 1 << 10,
    CHUNK_MOST = 256 << 10,
};

#define OWN ((uintptr_t)1)

static inline entry *item_entry(const run_item *item) {
    return (entry *)(item->at & ~OWN);
}

run *run_new(int64_t start) {
    run *r = mem_zalloc(1, sizeof *r);
    r->start = r->end = start;
    return r;
}

void run_free(run *r) {
    if (!r) return;
    mem_free(r->items);
    arena_done(&r->entries);
    mem_free(r);
}

static void need_room(run_item **items, uint32_t *room, uint32_t count) {
    if (*room >= count) return;
    *items = mem_realloc(*items, count * sizeof **items);
    *room = count;
}

/* How two groups of one order stand: mostly they are one. Keys are padded with zeros. */
static inline int compare_keys(const entry *a, const entry *b) {
    uint32_t words = (a->short_len + 7u) / 8;
    if (a->short_len != b->short_len || a->short_len == ENTRY_LONG_KEY)
        return group_compare_keys(a, b);
    const uint64_t *x = (const uint64_t *)(const void *)entry_key(a);
    const uint64_t *y = (const uint64_t *)(const void *)entry_key(b);
    for (uint32_t i = 0; i < words; i++)
        if (x[i] != y[i]) return group_compare_keys(a, b);
    return 0;
}

static int compare_items(const void *x, const void *y) {
    const run_item *a = x, *b = y;
    if (a->order != b->order) return a->order < b->order ? -1 : 1;
    return group_compare_keys(item_entry(a), item_entry(b));
}

void run_take_pane(run *r, run_maker *maker, const pane *p, uint32_t shards) {
    need_room(&r->items, &r->room, pane_count(p));
    need_room(&maker->spare, &maker->spare_room, pane_count(p));
    table_cursor at = { 0 };
    for (entry *e; (e = table_scan(p, &at));)
        r->items[r->count++] = (run_item){ shard_order(e->hash, shards), (uintptr_t)e };
    if (order_sort(r->items, maker->spare, r->count, sizeof *r->items, 0, compare_items))
        memcpy(r->items, maker->spare, r->count * sizeof *r->items);
}

void run_take_wanted(run *r, const pane *p, const group_list *wanted) {
    entry *like[LOOK_UPS], *found[LOOK_UPS];
    need_room(&r->items, &r->room, wanted->count);
    for (uint32_t first = 0, count; first < wanted->count; first += count) {
        count = wanted->count - first < LOOK_UPS ? wanted->count - first : LOOK_UPS;
        for (uint32_t i = 0; i < count; i++) like[i] = wanted->items[first + i].entry;
        table_find_many(p, count, like, found);
        for (uint32_t i = 0; i < count; i++)
            if (found[i])
                r->items[r->count++] =
                    (run_item){ wanted->items[first + i].order, (uintptr_t)found[i] };
    }
}

/* -- taking in */

static size_t entry_bytes(const entry *e) {
    return (size_t)e->key_word * 8 + (entry_key_len(e) + 7u) / 8 * 8;
}

/* Entries lie in memory as they were made: fetch what comes soon. */
static inline void fetch_soon(const run_item *at, const run_item *end) {
    if (end - at <= AHEAD) return;
    const char *e = (const char *)item_entry(&at[AHEAD]);
    __builtin_prefetch(e);
    __builtin_prefetch(e + LINE_BYTES);
}

/* Merge the states that are waiting. Code of builtin aggregates that split: it throws nothing, but
 * may be broken off for the time that it takes. */
static void merge_waiting(run *r, run_maker *maker, const emission *m) {
    sl_vector *v = m->w->vector;
    if (!maker->pair_count) return;
    v->count = maker->pair_count;
    v->first = 0;
    v->states = maker->states;
    v->parts = maker->parts;
    v->text = &r->entries;
    if (!script_run(m->w->script, m->plan->merge_driver)) maker->is_broken = true;
    maker->pair_count = 0;
}

/* A group that both have: its state takes in the later one. */
static run_item meet(run *r, run_maker *maker, const emission *m, const run_item *item,
                     const run_item *later) {
    entry *e = item_entry(item);
    if (!(item->at & OWN)) {
        size_t len = entry_bytes(e);
        entry *copy = arena_take(&r->entries, len, 16);
        memcpy(copy, e, len);
        emit_disown(m, entry_state(copy));
        e = copy;
    }
    maker->states[maker->pair_count] = entry_state(e);
    maker->parts[maker->pair_count++] = entry_state(item_entry(later));
    if (maker->pair_count == RUN_PAIRS) merge_waiting(r, maker, m);
    return (run_item){ item->order, (uintptr_t)e | OWN };
}

static size_t chunk_len_for(const emission *m, uint32_t groups) {
    size_t bytes = groups * (sizeof(entry) + m->plan->state_size + 16u);
    if (bytes < CHUNK_LEAST) return CHUNK_LEAST;
    return bytes > CHUNK_MOST ? CHUNK_MOST : bytes;
}

static inline run_item borrowed(const run_item *item) {
    return (run_item){ item->order, item->at & ~OWN };
}

static void take_first(run *r, const run *later) {
    need_room(&r->items, &r->room, later->count);
    for (uint32_t i = 0; i < later->count; i++) r->items[i] = borrowed(&later->items[i]);
    r->count = later->count;
}

void run_take(run *r, run_maker *maker, const emission *m, const run *later) {
    if (!later->count) return;
    if (!r->count) {
        take_first(r, later);
        return;
    }
    if (!r->entries.chunk_len) arena_init(&r->entries, chunk_len_for(m, later->count));
    need_room(&maker->spare, &maker->spare_room, r->count + later->count);
    const run_item *a = r->items, *b = later->items, *a_end = a + r->count;
    const run_item *b_end = b + later->count;
    run_item *out = maker->spare;
    while (a < a_end && b < b_end) {
        int difference = a->order < b->order ? -1 : a->order > b->order;
        fetch_soon(a, a_end);
        fetch_soon(b, b_end);
        if (!difference) difference = compare_keys(item_entry(a), item_entry(b));
        if (difference < 0)
            *out++ = *a++;
        else if (difference > 0)
            *out++ = borrowed(b++);
        else
            *out++ = meet(r, maker, m, a++, b++);
    }
    while (a < a_end) *out++ = *a++;
    while (b < b_end) *out++ = borrowed(b++);
    merge_waiting(r, maker, m);
    r->count = (uint32_t)(out - maker->spare);
    need_room(&r->items, &r->room, r->count);
    memcpy(r->items, maker->spare, r->count * sizeof *r->items);
}

/* -- side by side */

static uint32_t place_of(const run *r, uint64_t order) {
    uint32_t low = 0, high = r->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (r->items[middle].order < order)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void run_walk_begin(run_walk *walk, run *const *runs, uint32_t count, const order_range *range) {
    walk->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        const run *r = runs[i];
        uint32_t from = range->from ? place_of(r, range->from) : 0;
        uint32_t to = range->to == UINT64_MAX ? r->count : place_of(r, range->to + 1);
        if (from == to) continue;
        walk->at[walk->count] = r->items + from;
        walk->end[walk->count] = r->items + to;
        walk->heads[walk->count++] = r->items[from].order;
    }
}

static void advance(run_walk *walk, uint32_t i) {
    if (++walk->at[i] < walk->end[i]) {
        walk->heads[i] = walk->at[i]->order;
        fetch_soon(walk->at[i], walk->end[i]);
        return;
    }
    walk->count--;
    for (; i < walk->count; i++) {
        walk->at[i] = walk->at[i + 1];
        walk->end[i] = walk->end[i + 1];
        walk->heads[i] = walk->heads[i + 1];
    }
}

uint32_t run_walk_next(run_walk *walk, entry **chain) {
    uint32_t from[RUN_MOST_PARTS], taken = 0;
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < walk->count; i++) {
        if (walk->heads[i] > least) continue;
        entry *e = item_entry(walk->at[i]);
        bool is_first = !taken || walk->heads[i] < least;
        int difference = is_first ? -1 : compare_keys(e, chain[0]);
        if (difference > 0) continue;
        if (difference < 0) taken = 0;
        least = walk->heads[i];
        from[taken] = i;
        chain[taken++] = e;
    }
    walk->order = least;
    for (uint32_t i = taken; i-- > 0;) advance(walk, from[i]);
    return taken;
}
