/* DESIGN. Entries come pane by pane, in no order: each pane keeps its own, with the number that
 * they are sorted by. Three passes over its top bits leave it nearly sorted, as hashes are spread;
 * insertion does the rest. Entries of one number stay in the order they came, so the last of one
 * key is what counts. */
#include "state/gather.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/mem.h"
#include "state/base_key.h"
#include "state/shard.h"

enum { DIGIT_BITS = 11,
       DIGITS = 1 << DIGIT_BITS,
       SMALL = 64 };

typedef struct gathered {
    uint64_t order;
    const char *key, *value; /* value NULL: the entry went */
    uint64_t value_len;
    uint32_t key_len;
    uint32_t came; /* number in the pane, as they came */
} gathered;

typedef struct gather_pane {
    uint32_t number, generation;
    int64_t start;
    gathered *items; /* owned */
    uint32_t count, room;
    bool is_dropped; /* all of its start, before what is gathered here */
} gather_pane;

struct gather {
    uint32_t shards;
    gather_pane *panes; /* by table, start, generation; owned */
    uint32_t count, room;
    gathered *spare; /* for sorting; owned */
    size_t spare_room;
    buf key;
};

gather *gather_new(uint32_t shards) {
    gather *g = mem_zalloc(1, sizeof *g);
    g->shards = shards;
    return g;
}

void gather_reset(gather *g) {
    for (uint32_t i = 0; i < g->count; i++) mem_free(g->panes[i].items);
    g->count = 0;
    mem_free(g->spare);
    g->spare = NULL;
    g->spare_room = 0;
}

void gather_free(gather *g) {
    if (!g) return;
    gather_reset(g);
    mem_free(g->panes);
    buf_done(&g->key);
    mem_free(g);
}

static bool is_before(const gather_pane *p, uint32_t number, int64_t start, uint32_t generation) {
    if (p->number != number) return p->number < number;
    if (p->start != start) return p->start < start;
    return p->generation < generation;
}

/* Index of the first pane that is not before (table, start, generation). */
static uint32_t position(const gather *g, uint32_t number, int64_t start, uint32_t generation) {
    uint32_t low = 0, high = g->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (is_before(&g->panes[middle], number, start, generation))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_of(const gather *g, uint32_t i, uint32_t number, int64_t start) {
    return i < g->count && g->panes[i].number == number && g->panes[i].start == start;
}

static gather_pane *find_pane(gather *g, uint32_t number, int64_t start, uint32_t generation) {
    uint32_t at = position(g, number, start, generation);
    if (is_of(g, at, number, start) && g->panes[at].generation == generation) return &g->panes[at];
    if (g->count == g->room) {
        g->room = g->room ? 2 * g->room : 64;
        g->panes = mem_realloc(g->panes, g->room * sizeof *g->panes);
    }
    memmove(&g->panes[at + 1], &g->panes[at], (g->count - at) * sizeof *g->panes);
    g->count++;
    g->panes[at] = (gather_pane){ .number = number, .start = start, .generation = generation };
    return &g->panes[at];
}

/* A pane goes, all generations: what was gathered of it, and what the base has. */
static void drop_pane(gather *g, uint32_t number, int64_t start) {
    find_pane(g, number, start, 0)->is_dropped = true;
    for (uint32_t at = position(g, number, start, 0); is_of(g, at, number, start); at++)
        g->panes[at].count = 0;
}

static void add_entries(gather *g, gather_pane *p, saved_table *section, uint32_t count) {
    saved_entry one;
    if (p->room - p->count < count) {
        p->room = p->count + count > 2 * p->room ? p->count + count : 2 * p->room;
        p->items = mem_realloc(p->items, p->room * sizeof *p->items);
    }
    while (saved_table_entry(section, &one)) {
        p->items[p->count] = (gathered){ .order = shard_order(one.hash, g->shards),
                                         .key = one.key,
                                         .key_len = one.key_len,
                                         .value = one.is_removed ? NULL : one.value,
                                         .value_len = one.value_len,
                                         .came = p->count };
        p->count++;
    }
}

void gather_add(gather *g, uint32_t number, saved_table *section) {
    saved_pane of;
    while (saved_table_pane(section, &of)) {
        if (of.is_dropped) drop_pane(g, number, of.start);
        if (of.entry_count)
            add_entries(g, find_pane(g, number, of.start, of.generation), section, of.entry_count);
    }
}

size_t gather_count(const gather *g) {
    size_t count = 0;
    for (uint32_t i = 0; i < g->count; i++) count += g->panes[i].count;
    return count;
}

size_t gather_held_bytes(const gather *g) {
    size_t bytes = g->spare_room * sizeof(gathered) + g->room * sizeof(gather_pane);
    for (uint32_t i = 0; i < g->count; i++) bytes += g->panes[i].room * sizeof(gathered);
    return bytes;
}

static int compare(const gathered *a, const gathered *b) {
    if (a->order != b->order) return a->order < b->order ? -1 : 1;
    uint32_t len = a->key_len < b->key_len ? a->key_len : b->key_len;
    int difference = len ? memcmp(a->key, b->key, len) : 0;
    if (difference) return difference;
    if (a->key_len != b->key_len) return a->key_len < b->key_len ? -1 : 1;
    return a->came < b->came ? -1 : a->came > b->came;
}

static void sort_by_digit(const gathered *from, gathered *to, uint32_t count, int shift) {
    uint32_t starts[DIGITS] = { 0 }, sum = 0;
    for (uint32_t i = 0; i < count; i++) starts[from[i].order >> shift & (DIGITS - 1)]++;
    for (uint32_t d = 0; d < DIGITS; d++) {
        uint32_t here = starts[d];
        starts[d] = sum;
        sum += here;
    }
    for (uint32_t i = 0; i < count; i++)
        to[starts[from[i].order >> shift & (DIGITS - 1)]++] = from[i];
}

static void sort_pane(gather *g, gather_pane *p) {
    gathered *items = p->items;
    if (p->count > SMALL) {
        if (g->spare_room < p->count)
            g->spare = mem_realloc(g->spare, (g->spare_room = p->count) * sizeof *g->spare);
        sort_by_digit(p->items, g->spare, p->count, 64 - 3 * DIGIT_BITS);
        sort_by_digit(g->spare, p->items, p->count, 64 - 2 * DIGIT_BITS);
        sort_by_digit(p->items, g->spare, p->count, 64 - DIGIT_BITS);
        memcpy(p->items, g->spare, p->count * sizeof *items);
    }
    for (uint32_t i = 1; i < p->count; i++) {
        if (compare(&items[i - 1], &items[i]) <= 0) continue;
        gathered item = items[i];
        uint32_t at = i;
        for (; at > 0 && compare(&item, &items[at - 1]) < 0; at--) items[at] = items[at - 1];
        items[at] = item;
    }
}

static bool is_same(const gathered *a, const gathered *b) {
    return a->order == b->order && a->key_len == b->key_len &&
           (!a->key_len || memcmp(a->key, b->key, a->key_len) == 0);
}

static void write_entry(gather *g, const gather_pane *p, const gathered *item, rocks_run *run) {
    buf_reset(&g->key);
    char *at = buf_need(&g->key, BASE_KEY_BYTES + item->key_len);
    base_key_begin(at, p->number, p->start, p->generation, item->order);
    if (item->key_len) memcpy(at + BASE_KEY_BYTES, item->key, item->key_len);
    rocks_bytes key = { at, BASE_KEY_BYTES + item->key_len };
    if (item->value)
        rocks_run_put(run, key, (rocks_bytes){ item->value, item->value_len });
    else
        rocks_run_delete(run, key);
}

static void write_pane(gather *g, gather_pane *p, rocks_run *run) {
    if (p->is_dropped) {
        char from[BASE_KEY_BYTES], to[BASE_KEY_BYTES];
        base_key_begin(from, p->number, p->start, 0, 0);
        base_key_begin(to, p->number, p->start, UINT32_MAX, UINT64_MAX);
        rocks_run_delete_range(run, (rocks_bytes){ from, BASE_PANE_BYTES },
                               (rocks_bytes){ to, BASE_GENERATION_BYTES });
    }
    sort_pane(g, p);
    for (uint32_t i = 0; i < p->count; i++)
        if (i + 1 == p->count || !is_same(&p->items[i], &p->items[i + 1]))
            write_entry(g, p, &p->items[i], run);
}

void gather_write(gather *g, rocks_run *run) {
    for (uint32_t i = 0; i < g->count; i++) write_pane(g, &g->panes[i], run);
}
