/* DESIGN. How far the sweep is, is no state: the place in (shard, hash) order is the watermark's
 * place in its cycle. So a restart goes on where it was, and each worker reads its own shards. */
#include "runtime/operator/sweep.h"

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/event/watermark.h"
#include "runtime/operator/fetch.h"
#include "runtime/operator/stored.h"
#include "state/base.h"
#include "state/spill.h"
#include "state/table_inside.h"

typedef struct sweep {
    const emission *m;
    expiry *x;
    pane *pane; /* that is cached */
    buf name;
    group_list past; /* of the section being looked at */
} sweep;

/* The watermark's place in its cycle, as a place in order. */
static uint64_t place_of(int64_t watermark, int64_t cycle_ms) {
    int64_t into = watermark % cycle_ms;
    if (into < 0) into += cycle_ms;
    return (uint64_t)(((unsigned __int128)(uint64_t)into << 64) / (uint64_t)cycle_ms);
}

/* Bring back what is past and not in memory, and remove it. */
static err *forget(sweep *s) {
    const emission *m = s->m;
    uint32_t count = 0, before = s->x->fetched_count;
    for (uint32_t i = 0; i < s->past.count; i++) {
        const entry *e = s->past.items[i].entry;
        if (!table_find(s->pane, e->hash, entry_key(e), entry_key_len(e)))
            s->past.items[count++] = s->past.items[i];
    }
    s->past.count = count;
    if (!count) return NULL;
    uint32_t number = stored_groups_number(m->aggregate);
    err *e = fetch_groups(m->w, m->b->plan, number, s->pane, &s->past);
    s->x->fetched_count = before;
    for (uint32_t i = 0; !e && i < count; i++) {
        const entry *like = s->past.items[i].entry;
        entry *found = table_find(s->pane, like->hash, entry_key(like), entry_key_len(like));
        if (found) table_remove_settled(m->w->tables[m->aggregate], s->pane, found);
    }
    return e;
}

static err *look_at(void *arg, const image_view *view) {
    sweep *s = arg;
    const emission *m = s->m;
    int64_t watermark = m->b->aggregates[m->aggregate].watermark_after;
    table_config layout = table_layout(m->w->tables[m->aggregate]);
    table *read = table_new(&layout);
    image_share all = { .workers = 1 };
    table_epoch_begin(read);
    err *e = image_load_table(view, read, NULL, &all);
    table_commit(read);
    uint32_t count;
    pane *const *panes = table_panes(read, &count);
    groups_begin(&s->past);
    for (uint32_t i = 0; !e && i < count; i++) {
        table_cursor at = { 0 };
        for (entry *one; (one = table_scan(panes[i], &at));)
            if (expiry_is_past(s->x, one, watermark))
                groups_add(&s->past, one, 0, m->b->plan->shards);
    }
    if (!e) e = forget(s);
    table_free(read);
    return e;
}

/* What this worker's shards have in [from, to]. */
static err *sweep_range(sweep *s, uint64_t from, uint64_t to) {
    const worker *w = s->m->w;
    uint32_t shards = s->m->b->plan->shards;
    uint64_t last_of_shard = UINT64_MAX / shards;
    err *e = NULL;
    for (uint32_t i = w->number; !e && i < shards; i += w->count) {
        uint64_t first = i * (last_of_shard + 1), last = first + last_of_shard;
        if (last < from || first > to) continue;
        base_range range = { .table = buf_text(&s->name),
                             .start = pane_start(s->pane),
                             .generation = pane_generation(s->pane),
                             .from = first > from ? first : from,
                             .to = last < to ? last : to };
        e = base_read_range(w->base, &range, look_at, s);
    }
    return e;
}

static err *sweep_pane(sweep *s) {
    const emission *m = s->m;
    const aggregate_view *view = &m->b->aggregates[m->aggregate];
    int64_t cycle_ms = m->plan->window.size_ms / 2 + 1;
    uint64_t from = place_of(view->watermark_before, cycle_ms);
    uint64_t to = place_of(view->watermark_after, cycle_ms);
    if (saturate_sub(view->watermark_after, view->watermark_before) >= cycle_ms)
        return sweep_range(s, 0, UINT64_MAX);
    if (from < to) return sweep_range(s, from, to - 1);
    if (from == to) return NULL;
    err *e = sweep_range(s, from, UINT64_MAX);
    return e || !to ? e : sweep_range(s, 0, to - 1);
}

err *sweep_base(const emission *m, table *t) {
    const aggregate_view *view = &m->b->aggregates[m->aggregate];
    sweep s = { .m = m, .x = &m->w->expiries[m->aggregate] };
    uint32_t count;
    pane *const *panes = table_panes(t, &count);
    bool is_due = s.x->calendar && m->w->base && count && pane_is_cached(panes[0]) &&
                  view->watermark_before != WATERMARK_NONE && view->watermark_after != INT64_MAX;
    if (!is_due) return NULL;
    s.pane = panes[0];
    stored_name(m->b->plan, stored_groups_number(m->aggregate), &s.name);
    err *e = sweep_pane(&s);
    groups_done(&s.past);
    buf_done(&s.name);
    return err_wrap(e, "going through spilled state");
}
