/* DESIGN. At the end of a batch each aggregation looks at its panes in order of time and lists the
 * windows that have something to say: those that the watermark closed (append, final), those
 * touched (update), all (complete). A window's groups are listed once, in the order in which rows
 * leave, and made in vectors (emit_rows.c). Panes that no open window and no row to come needs are
 * dropped. Windows that close with many groups have their rows from emit_close.c. */
#include "runtime/base/mem.h"
#include "runtime/event/watermark.h"
#include "runtime/operator/emission.h"
#include "runtime/operator/emit.h"
#include "runtime/operator/emit_close.h"
#include "runtime/operator/fetch.h"
#include "runtime/operator/operators.h"
#include "runtime/operator/slide.h"
#include "runtime/operator/stored.h"
#include "state/spill.h"

emit_space *emit_space_new(uint32_t largest_row, uint32_t largest_state) {
    emit_space *space = mem_zalloc(1, sizeof *space);
    space->row_memory = mem_alloc_aligned(64, (size_t)EMIT_ROWS * (largest_row ? largest_row : 8));
    space->state_memory =
        mem_alloc_aligned(64, (size_t)EMIT_ROWS * (largest_state ? largest_state : 8));
    arena_init(&space->text, 64 << 10);
    buf_init(&space->key);
    buf_init(&space->failed_key);
    space->sessions = session_space_new();
    space->close = close_space_new();
    return space;
}

void emit_space_free(emit_space *space) {
    if (!space) return;
    groups_done(&space->groups);
    groups_done(&space->waiting);
    emit_free_kept(space);
    mem_free(space->kept);
    close_space_free(space->close);
    mem_free(space->row_memory);
    mem_free(space->state_memory);
    mem_free(space->parts);
    mem_free(space->merged);
    mem_free(space->found);
    mem_free(space->going);
    arena_done(&space->text);
    buf_done(&space->key);
    buf_done(&space->failed_key);
    session_space_free(space->sessions);
    mem_free(space);
}

void emit_list_going(const emission *m) {
    emit_space *s = m->w->emit;
    expiry *x = &m->w->expiries[m->aggregate];
    int64_t watermark = m->b->aggregates[m->aggregate].watermark_after;
    expiry_cursor at = { 0 };
    s->going_count = 0;
    if (!x->calendar || watermark == WATERMARK_NONE) return;
    for (entry *e; (e = expiry_take(x, watermark, &at));) {
        if (s->going_count == s->going_room) {
            s->going_room = s->going_room ? 2 * s->going_room : 256;
            s->going = mem_realloc(s->going, s->going_room * sizeof *s->going);
        }
        s->going[s->going_count++] = e;
    }
}

/* Whether a row of the group is its last. */
static bool is_final(const emission *m, const entry *e) {
    if (m->plan->window.kind != SL_WINDOW_RUNNING || !m->plan->final) return m->final;
    int64_t watermark = m->b->aggregates[m->aggregate].watermark_after;
    return watermark != WATERMARK_NONE &&
           expiry_due(&m->w->expiries[m->aggregate], e) <= watermark;
}

err *emit_items(const emission *m, const group_item *items, uint32_t all) {
    emit_space *s = m->w->emit;
    m->w->result_count += all;
    for (uint32_t first = 0; first < all; first += EMIT_ROWS) {
        uint32_t count = all - first;
        if (count > EMIT_ROWS) count = EMIT_ROWS;
        for (uint32_t i = 0; i < count; i++) {
            const group_item *item = &items[first + i];
            s->results[i] = (result){ .group = *item,
                                      .window = m->window,
                                      .chain = m->chains ? m->chains + item->pane : NULL,
                                      .chain_count = item->count,
                                      .final = is_final(m, item->entry) };
        }
        err *e = emit_rows(m, count);
        if (e) return e;
    }
    return NULL;
}

err *emit_groups(const emission *m) {
    return emit_items(m, m->w->emit->groups.items, m->w->emit->groups.count);
}

static err *emit_window(emission *m, bool dirty_only) {
    group_list *groups = &m->w->emit->groups;
    m->chains = NULL;
    if (!dirty_only && slide_list(m, &ORDER_ALL, groups)) {
        m->chains = groups->chains;
        return emit_groups(m);
    }
    if (!dirty_only && emit_has_spilled(m)) return emit_spilled(m);
    m->dirty_only = dirty_only;
    groups_list(groups, m->panes, m->pane_count, dirty_only, m->b->plan->shards);
    for (uint32_t i = 0; dirty_only && i < m->pane_count; i++) {
        uint32_t number = stored_groups_number(m->aggregate);
        err *e = fetch_groups(m->w, m->b->plan, number, m->panes[i], groups);
        if (e) return e;
    }
    group_list *merged = &m->w->emit->waiting;
    if (dirty_only && slide_list_touched(m, groups, merged)) {
        m->chains = merged->chains;
        return emit_items(m, merged->items, merged->count);
    }
    return emit_groups(m);
}

static bool has_dirty(pane *const *panes, uint32_t count) {
    uint32_t dirty = 0;
    for (uint32_t i = 0; i < count && !dirty; i++) pane_dirty(panes[i], &dirty);
    return dirty > 0;
}

void emit_find_panes(emission *m, pane *const *all, uint32_t count, uint32_t near) {
    uint32_t first = near, end = near;
    while (first > 0 && pane_start(all[first - 1]) >= m->window.start) first--;
    while (first < count && pane_start(all[first]) < m->window.start) first++;
    if (end < first) end = first;
    while (end < count && pane_start(all[end]) < m->window.end) end++;
    m->panes = all + first;
    m->pane_count = end - first;
}

/* What a window has to say at this batch's end. */
static err *visit_window(emission *m, bool reached) {
    const sl_aggregate *plan = m->plan;
    const aggregate_view *view = &m->b->aggregates[m->aggregate];
    if (plan->mode == SL_COMPLETE) return reached ? emit_window(m, false) : NULL;
    bool was_closed = window_is_late(&plan->window, m->window.end, view->watermark_before);
    if (was_closed) return NULL;
    bool closes = window_is_late(&plan->window, m->window.end, view->watermark_after);
    m->final = closes && plan->final;
    if (closes && (plan->final || plan->mode == SL_APPEND))
        return view->closes_apart ? NULL : emit_window(m, false);
    if (plan->mode == SL_UPDATE && has_dirty(m->panes, m->pane_count)) return emit_window(m, true);
    return NULL;
}

/* The windows of a pane that can have something to say: those that close, with a touched pane also
 * those that stay open. They are few of many where `every` is small beside `size`. */
static window_run due_windows(const emission *m, pane *p, bool reached) {
    const sl_aggregate *plan = m->plan;
    const aggregate_view *view = &m->b->aggregates[m->aggregate];
    int64_t start = pane_start(p);
    window_run run = window_of_pane(&plan->window, start);
    if (plan->mode == SL_COMPLETE) {
        if (!reached) run.count = 0;
        return run;
    }
    uint64_t closed = window_late_count(&plan->window, start, view->watermark_before);
    bool closing_counts = plan->mode == SL_APPEND || plan->final;
    if (plan->mode != SL_UPDATE || !has_dirty(&p, 1))
        run.count = closing_counts
                        ? window_late_count(&plan->window, start, view->watermark_after)
                        : closed;
    window_skip(&run, closed);
    return run;
}

/* All windows that are due, each once, oldest first. */
static err *visit_windows(emission *m, table *t, bool reached) {
    uint32_t count;
    pane *const *panes = table_panes(t, &count);
    window_bounds last = { INT64_MIN, INT64_MIN };
    for (uint32_t i = 0; i < count; i++) {
        window_run run = due_windows(m, panes[i], reached);
        while (window_next(&run, &m->window)) {
            if (m->window.end < last.end) continue;
            if (m->window.end == last.end && m->window.start <= last.start) continue;
            last = m->window;
            emit_find_panes(m, panes, count, i);
            err *e = visit_window(m, reached);
            if (e) return e;
        }
    }
    return NULL;
}

/* Drop what no open window needs. */
static void evict(const emission *m, table *t) {
    const sl_window *window = &m->plan->window;
    int64_t watermark = m->b->aggregates[m->aggregate].out_to;
    uint32_t count;
    if (m->plan->mode == SL_COMPLETE || watermark == WATERMARK_NONE) return;
    pane *const *panes = table_panes(t, &count);
    while (count && window_pane_goes(window, pane_start(panes[0])) <= watermark) {
        table_drop_pane(t, panes[0]);
        panes = table_panes(t, &count);
    }
    emit_forget_sent(m, watermark);
}

void emit_begin(worker *w) {
    w->result_count = 0;
    onward_list_reset(&w->onward);
    emit_free_kept(w->emit);
    slides_let_go(w->slides);
}

/* By kind of window. */
static err *emit_table(emission *m, table *t, bool reached) {
    switch (m->plan->window.kind) {
    case SL_WINDOW_SESSION: return emit_sessions(m, t, reached);
    case SL_WINDOW_ROLLING: return emit_rolling(m, t);
    case SL_WINDOW_RUNNING: return emit_running(m, t, reached);
    }
    err *e = visit_windows(m, t, reached);
    if (!e) evict(m, t);
    return e;
}

err *emit_aggregate(worker *w, const batch_view *b, uint32_t aggregate, bool reached,
                    outbox *retracted, outbox *boxes) {
    const sl_aggregate *plan = &b->plan->aggregates[aggregate];
    emission m = { .w = w,
                   .b = b,
                   .aggregate = aggregate,
                   .plan = plan,
                   .step = &b->plan->steps[plan->step],
                   .retracted = retracted,
                   .boxes = boxes };
    slides_begin(w->slides);
    expiry_add_new(&w->expiries[aggregate]);
    err *e = emit_table(&m, w->tables[aggregate], reached);
    laps_add(w->laps, LAP_LIST);
    return e;
}

uint64_t emit_failed_group(const worker *w, uint32_t *aggregate) {
    *aggregate = w->emit->failed.aggregate;
    return w->emit->failed.hash;
}

bool emit_fails_again(worker *w, const batch_view *b) {
    emit_space *s = w->emit;
    const sl_aggregate *plan = &b->plan->aggregates[s->failed.aggregate];
    emission m = { .w = w,
                   .b = b,
                   .aggregate = s->failed.aggregate,
                   .plan = plan,
                   .step = &b->plan->steps[plan->step],
                   .window = s->failed.window,
                   .dirty_only = true };
    uint32_t count;
    if (plan->window.kind == SL_WINDOW_SESSION)
        return session_find_failed(&m, w->tables[m.aggregate]) && !emit_make_rows(&m, 1);
    pane *const *panes = table_panes(w->tables[m.aggregate], &count);
    emit_find_panes(&m, panes, count, 0);
    for (uint32_t p = 0; p < m.pane_count; p++) {
        entry *e =
            table_find(m.panes[p], s->failed.hash, s->failed_key.data, (uint32_t)s->failed_key.len);
        s->results[0] = (result){ .group = { .entry = e, .pane = p }, .window = m.window };
        if (e) return !emit_make_rows(&m, 1);
    }
    return false;
}

bool emit_is_due(const worker *w, const sl_plan *plan, uint32_t aggregate, int64_t before,
                 int64_t watermark) {
    const sl_aggregate *a = &plan->aggregates[aggregate];
    uint32_t count;
    if (a->mode == SL_COMPLETE || watermark == WATERMARK_NONE) return false;
    if (window_is_own(&a->window)) return expiry_is_due(&w->expiries[aggregate], watermark);
    pane *const *panes = table_panes(w->tables[aggregate], &count);
    for (uint32_t i = 0; i < count; i++) {
        /* its only rows were thrown out */
        if (pane_is_empty(panes[i])) continue;
        if (window_next_close(&a->window, pane_start(panes[i]), before) > watermark) continue;
        bool emits = a->mode == SL_APPEND || a->final;
        if (emits || window_pane_goes(&a->window, pane_start(panes[i])) <= watermark) return true;
    }
    return false;
}
