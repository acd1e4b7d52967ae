/* DESIGN. Groups of a window of which panes are in the base come out in slices of the order in
 * which rows leave (shard, hash): what the base has of a slice is read, pane after pane, into a
 * table that lives as long as the slice; its panes take the places of the spilled ones among the
 * window's, and then it is a window like any other. So memory holds a slice at a time, and the
 * generations of a pane are merged in their order, whatever was spilled when.
 *
 * A cached pane takes two places: what was read of it and is not in memory, then what is. No group
 * is in both. */
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/operator/spilled_window.h"
#include "runtime/operator/stored.h"
#include "state/base.h"
#include "state/spill.h"
#include "state/table_inside.h"

/* On disk, of a slice. */
enum { SLICE_BYTES = 2 << 20 };

struct spilled_window {
    const emission *m; /* while it is listed; its panes are the window's, spilled ones empty */
    pane **now;        /* the same, with what was read in its places; owned */
    uint32_t now_count;
    uint32_t *places; /* in `now`, of each pane: of what was read, or of itself; owned */
    table *read;      /* owned, or the emission's while rows that go on borrow from it */
    bool keeps_read;  /* the latter */
    table *none;      /* owned; has a pane with nothing in it: */
    pane *nothing;    /* in the place of one of which nothing was read */
    buf name;         /* of the table in the base */
};

static bool is_read(const pane *p) {
    return pane_is_spilled(p) || pane_is_cached(p);
}

bool emit_has_spilled(const emission *m) {
    for (uint32_t i = 0; i < m->pane_count; i++)
        if (is_read(m->panes[i])) return true;
    return false;
}

spilled_window *spilled_window_new(const emission *m) {
    spilled_window *s = mem_zalloc(1, sizeof *s);
    table_config layout = table_layout(m->w->tables[m->aggregate]);
    s->keeps_read = m->step->going_on != 0;
    s->none = table_new(&layout);
    table_epoch_begin(s->none);
    s->nothing = table_pane(s->none, 0);
    stored_name(m->b->plan, stored_groups_number(m->aggregate), &s->name);
    return s;
}

void spilled_window_free(spilled_window *s) {
    if (!s) return;
    if (!s->keeps_read) table_free(s->read);
    table_free(s->none);
    mem_free(s->now);
    mem_free(s->places);
    buf_done(&s->name);
    mem_free(s);
}

void spilled_window_use(const spilled_window *s, emission *m) {
    m->panes = s->now;
    m->pane_count = s->now_count;
    m->dirty_only = true; /* a group may be in any of the panes */
}

static base_range range_of(const emission *m, const char *name, uint32_t i,
                           const order_range *range) {
    return (base_range){ .table = name,
                         .start = pane_start(m->panes[i]),
                         .generation = pane_generation(m->panes[i]),
                         .from = range->from,
                         .to = range->to };
}

uint64_t spilled_window_slice(const emission *m, uint64_t from) {
    static const order_range all = { 0, UINT64_MAX };
    uint64_t bytes = 0, count = m->b->plan->shards;
    buf name = { 0 };
    stored_name(m->b->plan, stored_groups_number(m->aggregate), &name);
    for (uint32_t i = 0; i < m->pane_count; i++) {
        if (!is_read(m->panes[i])) continue;
        base_range range = range_of(m, buf_text(&name), i, &all);
        bytes += base_range_bytes(m->w->base, &range);
    }
    buf_done(&name);
    while (bytes / count > SLICE_BYTES) count *= 2;
    return count == 1 ? UINT64_MAX : from | UINT64_MAX >> __builtin_ctzll(count);
}

static err *load_section(void *arg, const image_view *view) {
    const spilled_window *s = arg;
    image_share all = { .workers = 1 };
    return image_load_table(view, s->read, NULL, &all);
}

/* Forget the slice before, unless rows that go on borrow from it. */
static void begin_slice(spilled_window *s) {
    emit_space *space = s->m->w->emit;
    table_config layout = table_layout(s->m->w->tables[s->m->aggregate]);
    if (!s->keeps_read) table_free(s->read);
    s->read = table_new(&layout);
    if (!s->keeps_read) return;
    space->kept = mem_realloc(space->kept, (space->kept_count + 1) * sizeof *space->kept);
    space->kept[space->kept_count++] = s->read;
}

/* Of a cached pane what is in memory counts. */
static void remove_known(spilled_window *s, const pane *cached) {
    pane *p = table_find_pane(s->read, pane_start(cached));
    table_cursor at = { 0 };
    if (!p || !pane_count(cached)) return;
    for (entry *e; (e = table_scan(p, &at));)
        if (table_find(cached, e->hash, entry_key(e), entry_key_len(e)))
            table_remove(s->read, p, e);
}

static err *read_range(spilled_window *s, const order_range *part) {
    const emission *m = s->m;
    err *e = NULL;
    for (uint32_t i = 0; !e && i < m->pane_count; i++) {
        if (!is_read(m->panes[i])) continue;
        base_range range = range_of(m, buf_text(&s->name), i, part);
        e = base_read_range(m->w->base, &range, load_section, s);
    }
    return err_wrap(e, "reading spilled state");
}

/* What of `range` lies in the worker's shards, which are the top bits of an order. */
static err *read_shards(spilled_window *s, const order_range *range) {
    const worker *w = s->m->w;
    uint32_t shards = s->m->b->plan->shards, shift = 64 - (uint32_t)__builtin_ctz(shards);
    if (w->count == 1) return read_range(s, range);
    if (shards == 1) return w->number == 0 ? read_range(s, range) : NULL;
    err *e = NULL;
    for (uint64_t i = range->from >> shift; !e && i <= range->to >> shift; i++) {
        order_range part = { i << shift, i << shift | UINT64_MAX >> (64 - shift) };
        if (part.from < range->from) part.from = range->from;
        if (part.to > range->to) part.to = range->to;
        if (i % w->count == w->number) e = read_range(s, &part);
    }
    return e;
}

static err *read_slice(spilled_window *s, const order_range *range) {
    const emission *m = s->m;
    begin_slice(s);
    table_epoch_begin(s->read);
    err *e = read_shards(s, range);
    for (uint32_t i = 0; !e && i < m->pane_count; i++)
        if (pane_is_cached(m->panes[i])) remove_known(s, m->panes[i]);
    table_commit(s->read);
    return e;
}

/* What was read of a pane; NULL: nothing. */
static pane *read_pane(const spilled_window *s, const pane *of) {
    uint32_t count;
    pane *const *panes = table_panes(s->read, &count);
    for (uint32_t i = 0; i < count; i++)
        if (pane_start(panes[i]) == pane_start(of) &&
            pane_generation(panes[i]) == pane_generation(of))
            return panes[i];
    return NULL;
}

/* List what was read of pane `i`. */
static void put_read(spilled_window *s, uint32_t i, group_list *out) {
    pane *found = read_pane(s, s->m->panes[i]);
    table_cursor at = { 0 };
    s->now[s->places[i]] = found ? found : s->nothing;
    for (entry *e; found && (e = table_scan(found, &at));)
        groups_add(out, e, s->places[i], s->m->b->plan->shards);
}

/* Give each pane its places. */
static void set_places(spilled_window *s) {
    const emission *m = s->m;
    uint32_t count = 0;
    s->now = mem_realloc(s->now, 2 * m->pane_count * sizeof *s->now);
    s->places = mem_realloc(s->places, m->pane_count * sizeof *s->places);
    for (uint32_t i = 0; i < m->pane_count; i++) {
        s->places[i] = count;
        s->now[count++] = m->panes[i];
        if (pane_is_cached(m->panes[i])) s->now[count++] = m->panes[i];
    }
    s->now_count = count;
}

err *spilled_window_list(spilled_window *s, const emission *m, const order_range *range,
                         const group_list *waiting, group_list *out) {
    uint32_t shards = m->b->plan->shards, end = groups_up_to(waiting, range->to);
    s->m = m;
    err *e = read_slice(s, range);
    if (e) return e;
    set_places(s);
    groups_begin(out);
    for (uint32_t i = 0; i < m->pane_count; i++)
        if (is_read(m->panes[i])) put_read(s, i, out);
    for (uint32_t i = groups_below(waiting, range->from); i < end; i++) {
        const group_item *item = &waiting->items[i];
        uint32_t place = s->places[item->pane] + pane_is_cached(m->panes[item->pane]);
        groups_add(out, item->entry, place, shards);
    }
    groups_sort_once(out);
    return NULL;
}

void emit_free_kept(emit_space *s) {
    for (uint32_t i = 0; i < s->kept_count; i++) table_free(s->kept[i]);
    s->kept_count = 0;
}

err *emit_spilled(emission *m) {
    emit_space *space = m->w->emit;
    spilled_window *s = spilled_window_new(m);
    order_range range = { 0, 0 };
    err *e = NULL;
    groups_list(&space->waiting, m->panes, m->pane_count, false, m->b->plan->shards);
    for (; !e; range.from = range.to + 1) {
        emission part = *m;
        range.to = spilled_window_slice(m, range.from);
        e = spilled_window_list(s, m, &range, &space->waiting, &space->groups);
        spilled_window_use(s, &part);
        if (!e) e = emit_groups(&part);
        if (range.to == UINT64_MAX) break;
    }
    spilled_window_free(s);
    return e;
}
