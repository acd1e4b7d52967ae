/* DESIGN. Groups of a window of which panes are in the base come out in slices of the order in
 * which rows leave (shard, hash): what the base has of a slice is read, pane after pane, into a
 * table that lives as long as the slice; its panes take the places of the spilled ones among the
 * window's, and then it is a window like any other. So memory holds a slice at a time, and the
 * generations of a pane are merged in their order, whatever was spilled when. */
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
    pane **now;         /* the same, with what was read in their places; owned */
    table *read;        /* owned */
    buf name;           /* of the table in the base */
    uint64_t count;     /* slices; a power of two, at least one a shard */
    uint32_t waiting;   /* groups of memory that are done */
} slices;

bool emit_has_spilled(const emission *m) {
    for (uint32_t i = 0; i < m->pane_count; i++)
        if (pane_is_spilled(m->panes[i])) return true;
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
    for (uint32_t i = 0; i < s->m->pane_count; i++) {
        if (!pane_is_spilled(s->panes[i])) continue;
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

/* Forget the slice before. */
static void empty(table *t) {
    uint32_t count;
    table_epoch_begin(t);
    for (pane *const *panes; (panes = table_panes(t, &count)) && count;)
        table_drop_pane(t, panes[count - 1]);
    table_commit(t);
}

static err *read_slice(slices *s, uint64_t from, uint64_t to) {
    err *e = NULL;
    empty(s->read);
    table_epoch_begin(s->read);
    for (uint32_t i = 0; !e && i < s->m->pane_count; i++) {
        if (!pane_is_spilled(s->panes[i])) continue;
        base_range range = range_of(s, i, from, to);
        e = base_read_range(s->m->w->base, &range, load_section, s);
    }
    table_commit(s->read);
    return err_wrap(e, "reading spilled state");
}

/* What was read of a spilled pane; as it stands, empty: nothing. */
static pane *read_pane(const slices *s, pane *spilled) {
    uint32_t count;
    pane *const *panes = table_panes(s->read, &count);
    for (uint32_t i = 0; i < count; i++)
        if (pane_start(panes[i]) == pane_start(spilled) &&
            pane_generation(panes[i]) == pane_generation(spilled))
            return panes[i];
    return spilled;
}

static err *emit_slice(slices *s, uint64_t to) {
    emit_space *space = s->m->w->emit;
    uint32_t shards = s->m->b->plan->shards;
    groups_begin(&space->groups);
    for (uint32_t i = 0; i < s->m->pane_count; i++) {
        s->now[i] = s->panes[i];
        if (!pane_is_spilled(s->panes[i])) continue;
        s->now[i] = read_pane(s, s->panes[i]);
        table_cursor at = { 0 };
        for (entry *e; (e = table_scan(s->now[i], &at));) groups_add(&space->groups, e, i, shards);
    }
    for (; s->waiting < space->waiting.count; s->waiting++) {
        const group_item *item = &space->waiting.items[s->waiting];
        if (item->order > to) break;
        groups_add(&space->groups, item->entry, item->pane, shards);
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

err *emit_spilled(emission *m) {
    slices s = { .m = m, .panes = m->panes };
    table_config layout = table_layout(m->w->tables[m->aggregate]);
    s.now = mem_alloc(m->pane_count * sizeof(pane *));
    s.read = table_new(&layout);
    stored_name(m->b->plan, stored_groups_number(m->aggregate), &s.name);
    s.count = count_slices(&s);
    groups_list(&m->w->emit->waiting, m->panes, m->pane_count, false, m->b->plan->shards);
    m->panes = s.now;
    m->dirty_only = true; /* a group may be in any of the panes */
    err *e = emit_slices(&s);
    m->panes = s.panes;
    table_free(s.read);
    mem_free(s.now);
    buf_done(&s.name);
    return e;
}
