#include "runtime/operator/fetch.h"

#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/operator/stored.h"
#include "state/base.h"
#include "state/order_sort.h"
#include "state/shard.h"
#include "state/spill.h"

enum { AHEAD = 12,
       SOME = 8 };

/* Where the dirty list of a pane ended before. */
typedef struct pane_end {
    pane *pane;
    uint32_t dirty;
} pane_end;

typedef struct fetching {
    table *t;
    const char *name;       /* of its sections */
    wanted *wanted, *spare; /* `from`: of `ends`; owned */
    uint32_t count;
    pane_end *ends; /* of the panes that get entries; owned */
    uint32_t end_count, end_room;
} fetching;

static int compare(const void *x, const void *y) {
    const wanted *a = x, *b = y;
    if (a->order != b->order) return a->order < b->order ? -1 : 1;
    uint32_t len = a->key_len < b->key_len ? a->key_len : b->key_len;
    int difference = len ? memcmp(a->key, b->key, len) : 0;
    if (!difference) difference = (a->key_len > b->key_len) - (a->key_len < b->key_len);
    return difference ? difference : (a->from > b->from) - (a->from < b->from);
}

static void sort_once(fetching *f) {
    uint32_t kept = 0;
    if (order_sort(f->wanted, f->spare, f->count, sizeof *f->wanted, 0, compare)) {
        wanted *sorted = f->spare;
        f->spare = f->wanted;
        f->wanted = sorted;
    }
    for (uint32_t i = 0; i < f->count; i++)
        if (!kept || compare(&f->wanted[kept - 1], &f->wanted[i]))
            f->wanted[kept++] = f->wanted[i];
    f->count = kept;
}

/* The number of a pane among those that get entries. */
static uint32_t number_of(fetching *f, pane *p) {
    for (uint32_t i = f->end_count; i > 0; i--)
        if (f->ends[i - 1].pane == p) return i - 1;
    if (f->end_count == f->end_room) {
        f->end_room = f->end_room ? 2 * f->end_room : SOME;
        f->ends = mem_realloc(f->ends, f->end_room * sizeof *f->ends);
    }
    pane_end *end = &f->ends[f->end_count];
    end->pane = p;
    pane_dirty(p, &end->dirty);
    return f->end_count++;
}

/* What was brought back may go by its own time. */
static void note_fetched(worker *w, const sl_plan *plan, uint32_t number, const pane_end *end) {
    uint32_t count;
    entry *const *dirty = pane_dirty(end->pane, &count);
    if (!stored_groups(plan, number)) return;
    for (uint32_t i = end->dirty; i < count; i++)
        expiry_fetched(&w->expiries[number / 2], dirty[i]);
}

static err *load_section(void *arg, const image_view *view) {
    const fetching *f = arg;
    image_share all = { .workers = 1 };
    return image_load_table(view, f->t, NULL, &all);
}

static bool has_cached(uint32_t count, pane *const *panes) {
    const pane *last = NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (panes[i] == last) continue;
        last = panes[i];
        if (pane_is_cached(last)) return true;
    }
    return false;
}

/* Look for those of one pane. */
static err *look_into(base *b, fetching *f, uint32_t number) {
    const pane *p = f->ends[number].pane;
    base_range in = {
        .table = f->name, .start = pane_start(p), .generation = pane_generation(p)
    };
    if (f->end_count == 1) return base_look(b, &in, f->count, f->wanted, load_section, f);
    uint32_t count = 0;
    for (uint32_t i = 0; i < f->count; i++)
        if (f->wanted[i].from == number) f->spare[count++] = f->wanted[i];
    return base_look(b, &in, count, f->spare, load_section, f);
}

err *fetch_rows(worker *w, const sl_plan *plan, uint32_t number, uint32_t count,
                pane *const *panes, const uint64_t *hashes, const char *const *keys,
                const uint32_t *key_lens) {
    if (!w->base || !has_cached(count, panes)) return NULL;
    buf name = { 0 };
    fetching f = { .t = stored_table(w, plan, number), .name = stored_name(plan, number, &name) };
    f.wanted = mem_alloc(count * sizeof *f.wanted);
    f.spare = mem_alloc(count * sizeof *f.spare);
    for (uint32_t i = 0; i < count; i++) {
        if (i + AHEAD < count) table_prefetch(panes[i + AHEAD], hashes[i + AHEAD]);
        if (!pane_is_cached(panes[i]) || table_find(panes[i], hashes[i], keys[i], key_lens[i]))
            continue;
        f.wanted[f.count++] = (wanted){ .order = shard_order(hashes[i], plan->shards),
                                        .key = keys[i],
                                        .key_len = key_lens[i],
                                        .from = number_of(&f, panes[i]) };
    }
    sort_once(&f);
    err *e = NULL;
    for (uint32_t i = 0; !e && i < f.end_count; i++) e = look_into(w->base, &f, i);
    for (uint32_t i = 0; i < f.end_count; i++) {
        note_fetched(w, plan, number, &f.ends[i]);
        table_settle(f.t, f.ends[i].pane, f.ends[i].dirty);
    }
    buf_done(&name);
    mem_free(f.ends);
    mem_free(f.wanted);
    mem_free(f.spare);
    return err_wrap(e, "reading spilled state");
}

err *fetch_groups(worker *w, const sl_plan *plan, uint32_t number, pane *p,
                  const group_list *groups) {
    if (!w->base || !pane_is_cached(p)) return NULL;
    uint32_t count = groups->count;
    pane **panes = mem_alloc(count * sizeof *panes);
    uint64_t *hashes = mem_alloc(count * sizeof *hashes);
    const char **keys = mem_alloc(count * sizeof *keys);
    uint32_t *key_lens = mem_alloc(count * sizeof *key_lens);
    for (uint32_t i = 0; i < count; i++) {
        const entry *of = groups->items[i].entry;
        panes[i] = p;
        hashes[i] = of->hash;
        keys[i] = entry_key(of);
        key_lens[i] = entry_key_len(of);
    }
    err *e = fetch_rows(w, plan, number, count, panes, hashes, keys, key_lens);
    mem_free(panes);
    mem_free(hashes);
    mem_free(keys);
    mem_free(key_lens);
    return e;
}
