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
#include "runtime/operator/emission.h"
#include "runtime/operator/stored.h"
#include "state/base.h"
#include "state/spill.h"
#include "state/table_inside.h"

/* On disk, of a slice. */
enum { SLICE_BYTES = 2 << 20 };

/* A window being emitted by slices. */
typedef struct slices {
    emission *m;
    pane *const *panes; /* of the window, spilled ones empty; borrowed */
    uint32_t pane_count;
    pane **now;       /* the same, with what was read in its places; owned */
    uint32_t *places; /* in `now`, of each pane: of what was read, or of itself; owned */
    table *read;      /* owned, or the emission's while rows that go on borrow from it */
    pane *nothing;    /* in the place of one of which nothing was read */
    buf name;         /* of the table in the base */
    uint64_t count;   /* slices; a power of two, at least one a shard */
    uint32_t waiting; /* groups of memory that are done */
} slices;

static bool is_read(const pane *p) {
    return pane_is_spilled(p) || pane_is_cached(p);
}

bool emit_has_spilled(const emission *m) {
    for (uint32_t i = 0; i < m->pane_count; i++)
        if (is_read(m->panes[i])) return true;
    return false;
}

static base_range range_of(slices *s, uint32_t pane_index, uint64_t from, uint64_t to) {
    return (base_range){ .table = buf_text(&s->name),
                         .start = pane_start(s->panes[pane_index]),
                         .generation = pane_generation(s->panes[pane_index]),
                         .from = from,
                         .to = to };
}

static uint64_t count_slices(slices *s) {
    uint64_t bytes = 0, count = s->m->b->plan->shards;
    for (uint32_t i = 0; i < s->pane_count; i++) {
        if (!is_read(s->panes[i])) continue;
        base_range all = range_of(s, i, 0, UINT64_MAX);
        bytes += base_range_bytes(s->m->w->base, &all);
    }
    while (bytes / count > SLICE_BYTES) count *= 2;
    return count;
}

static err *load_section(void *arg, const image_view *view) {
    const slices *s = arg;
    image_share all = { .workers = 1 };
    return image_load_table(view, s->read, NULL, &all);
}

/* Forget the slice before, unless rows that go on borrow from it. */
static void begin_slice(slices *s) {
    emit_space *space = s->m->w->emit;
    table_config layout = table_layout(s->m->w->tables[s->m->aggregate]);
    if (s->read && !s->m->step->going_on) table_free(s->read);
    s->read = table_new(&layout);
    if (!s->m->step->going_on) return;
    space->kept = mem_realloc(space->kept, (space->kept_count + 1) * sizeof *space->kept);
    space->kept[space->kept_count++] = s->read;
}

/* Of a cached pane what is in memory counts. */
static void remove_known(slices *s, const pane *cached) {
    pane *p = table_find_pane(s->read, pane_start(cached));
    table_cursor at = { 0 };
    if (!p || !pane_count(cached)) return;
    for (entry *e; (e = table_scan(p, &at));)
        if (table_find(cached, e->hash, entry_key(e), entry_key_len(e)))
            table_remove(s->read, p, e);
}

static err *read_slice(slices *s, uint64_t from, uint64_t to) {
    err *e = NULL;
    begin_slice(s);
    table_epoch_begin(s->read);
    for (uint32_t i = 0; !e && i < s->pane_count; i++) {
        if (!is_read(s->panes[i])) continue;
        base_range range = range_of(s, i, from, to);
        e = base_read_range(s->m->w->base, &range, load_section, s);
        if (!e && pane_is_cached(s->panes[i])) remove_known(s, s->panes[i]);
    }
    table_commit(s->read);
    return err_wrap(e, "reading spilled state");
}

/* What was read of a pane; NULL: nothing. */
static pane *read_pane(const slices *s, const pane *of) {
    uint32_t count;
    pane *const *panes = table_panes(s->read, &count);
    for (uint32_t i = 0; i < count; i++)
        if (pane_start(panes[i]) == pane_start(of) &&
            pane_generation(panes[i]) == pane_generation(of))
            return panes[i];
    return NULL;
}

/* List what was read of pane `i`. */
static void put_read(slices *s, uint32_t i) {
    pane *found = read_pane(s, s->panes[i]);
    table_cursor at = { 0 };
    s->now[s->places[i]] = found ? found : s->nothing;
    for (entry *e; found && (e = table_scan(found, &at));)
        groups_add(&s->m->w->emit->groups, e, s->places[i], s->m->b->plan->shards);
}

static err *emit_slice(slices *s, uint64_t to) {
    emit_space *space = s->m->w->emit;
    uint32_t shards = s->m->b->plan->shards;
    groups_begin(&space->groups);
    for (uint32_t i = 0; i < s->pane_count; i++)
        if (is_read(s->panes[i])) put_read(s, i);
    for (; s->waiting < space->waiting.count; s->waiting++) {
        const group_item *item = &space->waiting.items[s->waiting];
        if (item->order > to) break;
        uint32_t place = s->places[item->pane] + pane_is_cached(s->panes[item->pane]);
        groups_add(&space->groups, item->entry, place, shards);
    }
    groups_sort_once(&space->groups);
    return emit_groups(s->m);
}

static err *emit_slices(slices *s) {
    const worker *w = s->m->w;
    uint64_t of_shard = s->count / s->m->b->plan->shards;
    uint32_t shift = 64 - (uint32_t)__builtin_ctzll(s->count); /* 64: one slice */
    err *e = NULL;
    for (uint64_t i = 0; !e && i < s->count; i++) {
        if (i / of_shard % w->count != w->number) continue;
        uint64_t from = shift == 64 ? 0 : i << shift;
        uint64_t to = shift == 64 ? UINT64_MAX : from + (((uint64_t)1 << shift) - 1);
        e = read_slice(s, from, to);
        if (!e) e = emit_slice(s, to);
    }
    return e;
}

void emit_free_kept(emit_space *s) {
    for (uint32_t i = 0; i < s->kept_count; i++) table_free(s->kept[i]);
    s->kept_count = 0;
}

/* Give each pane its places. */
static void set_places(slices *s) {
    uint32_t count = 0;
    s->now = mem_alloc(2 * s->pane_count * sizeof *s->now);
    s->places = mem_alloc(s->pane_count * sizeof *s->places);
    for (uint32_t i = 0; i < s->pane_count; i++) {
        s->places[i] = count;
        s->now[count++] = s->panes[i];
        if (pane_is_cached(s->panes[i])) s->now[count++] = s->panes[i];
    }
    s->m->panes = s->now;
    s->m->pane_count = count;
}

err *emit_spilled(emission *m) {
    slices s = { .m = m, .panes = m->panes, .pane_count = m->pane_count };
    table_config layout = table_layout(m->w->tables[m->aggregate]);
    table *none = table_new(&layout);
    table_epoch_begin(none);
    s.nothing = table_pane(none, 0);
    stored_name(m->b->plan, stored_groups_number(m->aggregate), &s.name);
    s.count = count_slices(&s);
    groups_list(&m->w->emit->waiting, m->panes, m->pane_count, false, m->b->plan->shards);
    set_places(&s);
    m->dirty_only = true; /* a group may be in any of the panes */
    err *e = emit_slices(&s);
    m->panes = s.panes;
    m->pane_count = s.pane_count;
    if (!m->step->going_on) table_free(s.read);
    table_free(none);
    mem_free(s.now);
    mem_free(s.places);
    buf_done(&s.name);
    return e;
}
