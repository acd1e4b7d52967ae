/* DESIGN. Entries come pane by pane, in no order: each pane keeps its own, with the number that
 * they are sorted by. Entries of one number stay in the order they came, so the last of one key is
 * what counts. */
#include "state/gather.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/mem.h"
#include "state/shard.h"

typedef struct gather_pane {
    pane_id id;
    ordered_list items;
    bool in_files;
    bool is_dropped; /* all of its start, before what is gathered here */
} gather_pane;

struct gather {
    uint32_t shards;
    gather_pane *panes; /* by table, start, generation; owned */
    uint32_t count, room;
};

gather *gather_new(uint32_t shards) {
    gather *g = mem_zalloc(1, sizeof *g);
    g->shards = shards;
    return g;
}

void gather_reset(gather *g) {
    for (uint32_t i = 0; i < g->count; i++) ordered_done(&g->panes[i].items);
    g->count = 0;
}

void gather_free(gather *g) {
    if (!g) return;
    gather_reset(g);
    mem_free(g->panes);
    mem_free(g);
}

static uint32_t place_of(const gather *g, const pane_id *id) {
    return pane_id_place(g->panes, g->count, sizeof *g->panes, id);
}

static bool is_of(const gather *g, uint32_t i, uint32_t number, int64_t start) {
    return i < g->count && g->panes[i].id.number == number && g->panes[i].id.start == start;
}

static gather_pane *find_pane(gather *g, pane_id id) {
    uint32_t at = place_of(g, &id);
    if (at < g->count && !pane_id_compare(&g->panes[at].id, &id)) return &g->panes[at];
    if (g->count == g->room) {
        g->room = g->room ? 2 * g->room : 64;
        g->panes = mem_realloc(g->panes, g->room * sizeof *g->panes);
    }
    memmove(&g->panes[at + 1], &g->panes[at], (g->count - at) * sizeof *g->panes);
    g->count++;
    g->panes[at] = (gather_pane){ .id = id };
    return &g->panes[at];
}

/* A pane goes, all generations: what was gathered of it, and what the base has. */
static gather_pane *drop_pane(gather *g, uint32_t number, int64_t start) {
    gather_pane *first = find_pane(g, (pane_id){ .number = number, .start = start });
    first->is_dropped = true;
    for (uint32_t at = place_of(g, &first->id); is_of(g, at, number, start); at++)
        g->panes[at].items.count = 0;
    return first;
}

static void add_entries(const gather *g, ordered_list *to, saved_table *section, uint32_t count) {
    saved_entry one;
    ordered_reserve(to, count);
    while (saved_table_entry(section, &one)) {
        const char *at = one.key - one.value_len - sizeof(entry_head);
        to->items[to->count++] = (ordered){ .order = shard_order(one.hash, g->shards), .at = at };
    }
}

void gather_add(gather *g, uint32_t number, bool in_files, saved_table *section) {
    saved_pane of;
    while (saved_table_pane(section, &of)) {
        if (of.is_dropped) drop_pane(g, number, of.start)->in_files = in_files;
        if (!of.entry_count) continue;
        gather_pane *p = find_pane(g, (pane_id){ number, of.generation, of.start });
        p->in_files = in_files;
        add_entries(g, &p->items, section, of.entry_count);
    }
}

size_t gather_held_bytes(const gather *g) {
    size_t bytes = g->room * sizeof(gather_pane);
    for (uint32_t i = 0; i < g->count; i++) bytes += g->panes[i].items.room * sizeof(ordered);
    return bytes;
}

static void keep_last(ordered_list *l) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < l->count; i++) {
        if (kept && ordered_is_same(&l->items[kept - 1], &l->items[i])) kept--;
        l->items[kept++] = l->items[i];
    }
    l->count = kept;
}

bool gather_next(gather *g, bool in_files, uint32_t *at, gather_view *view) {
    while (*at < g->count && g->panes[*at].in_files != in_files) ++*at;
    if (*at == g->count) return false;
    gather_pane *p = &g->panes[(*at)++];
    ordered_sort(&p->items, 0);
    keep_last(&p->items);
    *view = (gather_view){ .pane = p->id,
                           .is_dropped = p->is_dropped,
                           .items = p->items.items,
                           .count = p->items.count };
    return true;
}
