/* DESIGN. A run is the groups of a stretch of panes in the order in which rows leave. Of one pane
 * it is its entries, sorted; of several it is merged from the runs of its four parts:
 *
 *   level 2   |               0               |               1       ..
 *   level 1   |   0   |   1   |   2   |   3   |   4   |   5   |
 *   level 0   | | | | | | | | | | | | | | | | | | | | | | | | |
 *   window          [. .|   1   |   2   |   3   |   4   |. . .)
 *
 * A group of one part only keeps that part's entry; else it gets one of its own, with the merged
 * state. So a run costs 16 bytes a group, and states where groups meet: with all groups in all
 * panes, the panes' own bytes by about a half, which is also the most.
 *
 * Wider than two: a window has a few parts more, the cache half the states. Two stacks (suffixes of
 * one stretch, a prefix of the next) would have two parts a window, but copy a group that is in one
 * pane into as many suffixes as a stretch has panes. */
#include "runtime/operator/slide.h"

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "state/order_sort.h"
#include "state/spill.h"
#include "state/table_inside.h"

enum {
    RADIX_BITS = 2,
    RADIX = 1 << RADIX_BITS,
    LEVELS = 12,
    MOST_RUNS = 2 * (RADIX - 1) * LEVELS + RADIX,
    AHEAD = 6,
    LINE_BYTES = 64,
    CHUNK_LEAST = 1 << 10,
    CHUNK_MOST = 256 << 10,
};

/* Panes that stand side by side. */
typedef struct stretch {
    pane *const *panes;
    uint32_t count;
} stretch;

typedef struct run_item {
    uint64_t order;
    entry *entry; /* of the pane, of a run of a lower level, or of the run's own memory */
} run_item;

typedef struct run {
    int64_t number;  /* its place among those of its level */
    uint64_t newest; /* latest epoch of its panes, and */
    uint32_t panes;  /* how many there were: else it is void */
    uint32_t count;
    run_item *items; /* owned */
    arena entries;   /* of groups that several parts have */
} run;

typedef struct run_list {
    run **items; /* by number; owned */
    uint32_t count, room;
} run_list;

/* Of one aggregation. */
typedef struct slide {
    run_list levels[LEVELS];
    run_list gone; /* rows that go on may borrow from them */
} slide;

struct slides {
    slide *items; /* by aggregate; owned */
    uint32_t count;
    run_item *spare; /* for sorting; owned */
    uint32_t spare_room;
    /* groups being merged into a run */
    void *states[EMIT_ROWS];
    void *parts[EMIT_ROWS * (RADIX - 1)];
    uint32_t part_first[EMIT_ROWS + 1];
    uint32_t state_count;
    bool is_broken; /* a merge was broken off: runs are not what they should be */
};

slides *slides_new(const sl_plan *plan) {
    slides *all = mem_zalloc(1, sizeof *all);
    all->count = plan->aggregate_count;
    all->items = mem_zalloc(all->count, sizeof *all->items);
    return all;
}

/* -- runs and lists of them */

static run *run_new(int64_t number, uint32_t room, size_t chunk_len) {
    run *r = mem_zalloc(1, sizeof *r);
    r->number = number;
    r->items = mem_alloc((room ? room : 1) * sizeof *r->items);
    arena_init(&r->entries, chunk_len);
    return r;
}

static void run_free(run *r) {
    if (!r) return;
    mem_free(r->items);
    arena_done(&r->entries);
    mem_free(r);
}

static void list_insert(run_list *l, uint32_t at, run *r) {
    if (l->count == l->room) {
        l->room = l->room ? 2 * l->room : 16;
        l->items = mem_realloc(l->items, l->room * sizeof *l->items);
    }
    memmove(&l->items[at + 1], &l->items[at], (l->count - at) * sizeof *l->items);
    l->items[at] = r;
    l->count++;
}

/* Index of the first run whose number is not lower. */
static uint32_t list_place(const run_list *l, int64_t number) {
    uint32_t low = 0, high = l->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (l->items[middle]->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void list_clear(run_list *l) {
    for (uint32_t i = 0; i < l->count; i++) run_free(l->items[i]);
    l->count = 0;
}

static void forget(slide *s) {
    for (uint32_t i = 0; i < LEVELS; i++) list_clear(&s->levels[i]);
    list_clear(&s->gone);
}

void slides_forget(slides *all) {
    for (uint32_t i = 0; i < all->count; i++) forget(&all->items[i]);
}

void slides_let_go(slides *all) {
    for (uint32_t i = 0; i < all->count; i++) list_clear(&all->items[i].gone);
}

void slides_free(slides *all) {
    if (!all) return;
    slides_forget(all);
    for (uint32_t i = 0; i < all->count; i++) {
        for (uint32_t k = 0; k < LEVELS; k++) mem_free(all->items[i].levels[k].items);
        mem_free(all->items[i].gone.items);
    }
    mem_free(all->items);
    mem_free(all->spare);
    mem_free(all);
}

/* Runs that begin before pane `number`: no window to come needs them. */
static void drop_before(slide *s, int64_t number) {
    for (uint32_t level = 0; level < LEVELS; level++) {
        run_list *l = &s->levels[level];
        int64_t first = (number >> level * RADIX_BITS) +
                        ((number & ((1ll << level * RADIX_BITS) - 1)) != 0);
        uint32_t end = list_place(l, first);
        if (!end) continue;
        for (uint32_t i = 0; i < end; i++) list_insert(&s->gone, s->gone.count, l->items[i]);
        l->count -= end;
        memmove(l->items, l->items + end, l->count * sizeof *l->items);
    }
}

/* -- merging runs in order */

typedef struct merging {
    const run_item *at[MOST_RUNS], *end[MOST_RUNS];
    uint64_t heads[MOST_RUNS]; /* order of at[i] */
    uint32_t count;            /* of those that are not at their end */
    uint64_t order;            /* of the group given last */
} merging;

static uint32_t run_place(const run *r, uint64_t order) {
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

/* What `count` runs, oldest first, have of a range. */
static void merging_begin(merging *g, run *const *runs, uint32_t count, const order_range *range) {
    g->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        const run *r = runs[i];
        uint32_t from = range->from ? run_place(r, range->from) : 0;
        uint32_t to = range->to == UINT64_MAX ? r->count : run_place(r, range->to + 1);
        if (from == to) continue;
        g->at[g->count] = r->items + from;
        g->end[g->count] = r->items + to;
        g->heads[g->count++] = r->items[from].order;
    }
}

/* Entries lie in memory as they were made: fetch what comes soon. */
static inline void fetch_soon(const run_item *at, const run_item *end) {
    if (end - at <= AHEAD) return;
    const char *e = (const char *)at[AHEAD].entry;
    __builtin_prefetch(e);
    __builtin_prefetch(e + LINE_BYTES);
}

static void advance(merging *g, uint32_t i) {
    if (++g->at[i] < g->end[i]) {
        g->heads[i] = g->at[i]->order;
        fetch_soon(g->at[i], g->end[i]);
        return;
    }
    g->count--;
    for (; i < g->count; i++) {
        g->at[i] = g->at[i + 1];
        g->end[i] = g->end[i + 1];
        g->heads[i] = g->heads[i + 1];
    }
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

/* The entries of the next group, oldest first, into `chain`; 0: there is none. */
static uint32_t merging_next(merging *g, entry **chain) {
    uint32_t from[MOST_RUNS], taken = 0;
    if (!g->count) return 0;
    uint64_t least = g->heads[0];
    for (uint32_t i = 1; i < g->count; i++)
        if (g->heads[i] < least) least = g->heads[i];
    for (uint32_t i = 0; i < g->count; i++) {
        if (g->heads[i] != least) continue;
        entry *e = g->at[i]->entry;
        int difference = taken ? compare_keys(e, chain[0]) : 0;
        if (difference > 0) continue;
        if (difference < 0) taken = 0;
        from[taken] = i;
        chain[taken++] = e;
    }
    g->order = least;
    for (uint32_t i = taken; i-- > 0;) advance(g, from[i]);
    return taken;
}

/* -- making runs */

static int compare(const void *x, const void *y) {
    const run_item *a = x, *b = y;
    if (a->order != b->order) return a->order < b->order ? -1 : 1;
    return group_compare_keys(a->entry, b->entry);
}

static run *sort_pane(slides *all, const pane *p, int64_t number, uint32_t shards) {
    run *r = run_new(number, pane_count(p), CHUNK_LEAST);
    if (all->spare_room < pane_count(p)) {
        all->spare_room = pane_count(p);
        all->spare = mem_realloc(all->spare, all->spare_room * sizeof *all->spare);
    }
    table_cursor at = { 0 };
    for (entry *e; (e = table_scan(p, &at));)
        r->items[r->count++] = (run_item){ shard_order(e->hash, shards), e };
    if (order_sort(r->items, all->spare, r->count, sizeof *r->items, 0, compare))
        memcpy(r->items, all->spare, r->count * sizeof *r->items);
    return r;
}

static size_t entry_bytes(const entry *e) {
    return (size_t)e->key_word * 8 + (entry_key_len(e) + 7u) / 8 * 8;
}

/* Merge the states that are waiting. Builtin aggregates' code only: it does not throw, but may be
 * broken off for the time or memory that it takes. */
static void fold_waiting(slides *all, const emission *m) {
    sl_vector *v = m->w->vector;
    if (!all->state_count) return;
    v->count = all->state_count;
    v->first = 0;
    v->states = all->states;
    v->parts = all->parts;
    v->part_first = all->part_first;
    v->text = &m->w->emit->text;
    if (!script_run(m->w->script, m->plan->merge_driver)) all->is_broken = true;
    all->state_count = all->part_first[0] = 0;
}

/* An entry of the run for a group that several parts have; its state waits to be merged. */
static entry *add_merged(slides *all, run *r, entry *const *chain, uint32_t count) {
    entry *made = arena_take(&r->entries, entry_bytes(chain[0]), 16);
    uint32_t part = all->part_first[all->state_count];
    memcpy(made, chain[0], entry_bytes(chain[0]));
    all->states[all->state_count++] = entry_state(made);
    for (uint32_t i = 1; i < count; i++) all->parts[part++] = entry_state(chain[i]);
    all->part_first[all->state_count] = part;
    return made;
}

static size_t chunk_len_for(const emission *m, uint32_t groups) {
    size_t bytes = groups * (sizeof(entry) + m->plan->state_size + 16u);
    if (bytes < CHUNK_LEAST) return CHUNK_LEAST;
    return bytes > CHUNK_MOST ? CHUNK_MOST : bytes;
}

static run *merge_runs(slides *all, const emission *m, int64_t number, run *const *parts,
                       uint32_t count) {
    uint32_t most = 0, largest = 0;
    for (uint32_t i = 0; i < count; i++) {
        most += parts[i]->count;
        if (parts[i]->count > largest) largest = parts[i]->count;
    }
    run *r = run_new(number, most, chunk_len_for(m, largest));
    entry *chain[MOST_RUNS];
    merging g;
    merging_begin(&g, parts, count, &ORDER_ALL);
    for (uint32_t n; (n = merging_next(&g, chain));) {
        entry *e = n == 1 ? chain[0] : add_merged(all, r, chain, n);
        r->items[r->count++] = (run_item){ g.order, e };
        if (all->state_count == EMIT_ROWS) fold_waiting(all, m);
    }
    fold_waiting(all, m);
    r->items = mem_realloc(r->items, (r->count ? r->count : 1) * sizeof *r->items);
    return r;
}

/* -- the runs of a window */

/* Panes are numbered in time; all begin at the same place of their number. */
static int64_t number_of(const sl_window *w, int64_t start_ms) {
    int64_t number = start_ms / w->pane_ms;
    return number - (start_ms % w->pane_ms < 0);
}

/* Take from the front of `left` the panes that begin before `end_ms`. */
static stretch take_before(stretch *left, int64_t end_ms) {
    stretch taken = { left->panes, 0 };
    while (taken.count < left->count && pane_start(left->panes[taken.count]) < end_ms)
        taken.count++;
    left->panes += taken.count;
    left->count -= taken.count;
    return taken;
}

static uint64_t newest_of(stretch panes) {
    uint64_t newest = 0;
    for (uint32_t i = 0; i < panes.count; i++)
        if (pane_epoch(panes.panes[i]) > newest) newest = pane_epoch(panes.panes[i]);
    return newest;
}

/* The run of the panes that there are in place `number` of a level, which begins at `start_ms`;
 * NULL: none. One that only a part of it has is that part's. */
static run *find_run(const emission *m, uint32_t level, int64_t number, int64_t start_ms,
                     stretch panes) {
    slides *all = m->w->slides;
    const sl_window *w = &m->plan->window;
    if (!panes.count) return NULL;
    if (panes.count == 1) {
        level = 0;
        number = number_of(w, pane_start(panes.panes[0]));
    }
    run_list *l = &all->items[m->aggregate].levels[level];
    uint32_t at = list_place(l, number);
    run *known = at < l->count && l->items[at]->number == number ? l->items[at] : NULL;
    uint64_t newest = newest_of(panes);
    if (known && known->newest == newest && known->panes == panes.count) return known;
    run *made, *parts[RADIX];
    if (level) {
        uint32_t count = 0;
        int64_t part_ms = w->pane_ms << (level - 1) * RADIX_BITS;
        stretch left = panes;
        for (int64_t i = 0; i < RADIX; i++) {
            stretch taken = take_before(&left, start_ms + (i + 1) * part_ms);
            run *part = find_run(m, level - 1, number * RADIX + i, start_ms + i * part_ms, taken);
            if (part) parts[count++] = part;
        }
        if (count == 1) return parts[0];
        made = merge_runs(all, m, number, parts, count);
    } else {
        made = sort_pane(all, panes.panes[0], number, m->b->plan->shards);
    }
    made->newest = newest;
    made->panes = panes.count;
    if (known) {
        run_free(known);
        l->items[at] = made;
    } else {
        list_insert(l, at, made);
    }
    return made;
}

/* The largest level whose places begin at pane `number` and reach no further than `end`. */
static uint32_t level_at(int64_t number, int64_t end) {
    uint32_t level = 0;
    while (level + 1 < LEVELS) {
        int64_t width = 1ll << (level + 1) * RADIX_BITS;
        if (number & (width - 1) || width > end - number) break;
        level++;
    }
    return level;
}

static uint32_t find_runs(const emission *m, run **runs) {
    const sl_window *w = &m->plan->window;
    int64_t number = number_of(w, m->window.start), at_ms = m->window.start;
    int64_t end = number + (m->window.end - m->window.start) / w->pane_ms;
    stretch left = { m->panes, m->pane_count };
    uint32_t count = 0;
    while (number < end && left.count) {
        uint32_t level = level_at(number, end);
        int64_t next_ms = at_ms + (w->pane_ms << level * RADIX_BITS);
        run *r = find_run(m, level, number >> level * RADIX_BITS, at_ms,
                          take_before(&left, next_ms));
        if (r) runs[count++] = r;
        number += 1ll << level * RADIX_BITS;
        at_ms = next_ms;
    }
    return count;
}

/* -- which windows */

/* Runs take less than the tables: so much must be left of `memory`. */
static bool has_memory(const emission *m) {
    const sl_plan *plan = m->b->plan;
    int64_t memory = plan->checkpoint.memory_bytes;
    uint64_t used = 0;
    for (uint32_t a = 0; a < plan->aggregate_count; a++) used += table_used_bytes(m->w->tables[a]);
    return memory <= 0 || 2 * used * m->w->count <= (uint64_t)memory;
}

static bool serves(const emission *m) {
    const sl_window *w = &m->plan->window;
    const window_bounds *bounds = &m->window;
    if (!m->plan->slides) return false;
    if (bounds->start < INT64_MIN / 2 || bounds->end > INT64_MAX / 2) return false;
    int64_t panes = (bounds->end - bounds->start) / w->pane_ms;
    if (panes >= 1ll << LEVELS * RADIX_BITS) return false;
    if (emit_has_spilled(m)) return false;
    if (has_memory(m)) return true;
    forget(&m->w->slides->items[m->aggregate]);
    return false;
}

bool slide_list(const emission *m, const order_range *range, group_list *list) {
    if (!serves(m)) return false;
    slide *s = &m->w->slides->items[m->aggregate];
    run *runs[MOST_RUNS];
    entry *chain[MOST_RUNS];
    merging g;
    drop_before(s, number_of(&m->plan->window, m->window.start));
    if (!m->step->going_on) list_clear(&s->gone);
    uint32_t count = find_runs(m, runs);
    if (m->w->slides->is_broken) {
        m->w->slides->is_broken = false;
        forget(s);
        return false;
    }
    merging_begin(&g, runs, count, range);
    groups_begin(list);
    list->is_chained = true;
    for (uint32_t n; (n = merging_next(&g, chain));) groups_add_chain(list, g.order, chain, n);
    return true;
}
