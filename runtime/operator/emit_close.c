#include "runtime/operator/emit_close.h"

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/event/watermark.h"
#include "runtime/operator/slide.h"
#include "runtime/operator/spilled_window.h"
#include "state/spill.h"

/* Groups of a part of the order. */
typedef struct listed {
    bool is_valid;
    order_range range;
    group_list groups;
} listed;

/* What a worker knows of the window that comes out; nothing of it is valid for another one. */
typedef struct close_space {
    uint32_t near;           /* index of the pane that had the last window */
    uint32_t aggregate;      /* index in the plan */
    window_bounds window;    /* Unix ms */
    uint32_t panes;          /* of the window, and */
    uint64_t entries;        /* in them: as they were when it was listed */
    listed waiting;          /* of memory */
    listed due;              /* those and what was read; used if `spilled` */
    spilled_window *spilled; /* NULL: none of its panes is; owned */
} close_space;

close_space *close_space_new(void) { return mem_zalloc(1, sizeof(close_space)); }

static void forget(close_space *c) {
    c->waiting.is_valid = c->due.is_valid = false;
    spilled_window_free(c->spilled);
    c->spilled = NULL;
}

void close_space_free(close_space *c) {
    if (!c) return;
    forget(c);
    groups_done(&c->waiting.groups);
    groups_done(&c->due.groups);
    mem_free(c);
}

void emit_close_forget(worker *w) { forget(w->emit->close); }

void emit_close_begin(worker *w) { w->emit->close->near = 0; }

bool emit_may_spread(const sl_plan *plan, uint32_t aggregate) {
    const sl_aggregate *a = &plan->aggregates[aggregate];
    if (window_is_own(&a->window) || a->window.kind == SL_WINDOW_ROLLING) return false;
    bool emits = a->mode == SL_APPEND || (a->mode == SL_UPDATE && a->final);
    return emits && !plan->steps[a->step].going_on;
}

bool emit_close_holds(const sl_aggregate *plan) {
    return plan->window.kind != SL_WINDOW_TUMBLING && plan->window.kind != SL_WINDOW_NONE;
}

/* -- which windows */

/* Windows of a pane that are closed and not out. */
static window_run due_of(const batch_view *b, uint32_t aggregate, const pane *p,
                         const close_cursor *from) {
    const sl_window *window = &b->plan->aggregates[aggregate].window;
    const aggregate_view *view = &b->aggregates[aggregate];
    int64_t start = pane_start(p), out_to = close_out_to(from, window, view->watermark_before);
    window_run run = window_of_pane(window, start);
    if (pane_is_empty(p)) run.count = 0;
    if (run.count) run.count = window_late_count(window, start, view->watermark_after);
    window_skip(&run, window_late_count(window, start, out_to));
    return run;
}

uint64_t emit_close_most(const worker *w, const batch_view *b, uint32_t aggregate,
                         const close_cursor *from) {
    uint32_t count;
    uint64_t sum = 0;
    pane *const *panes = table_panes(w->tables[aggregate], &count);
    for (uint32_t i = 0; i < count; i++) {
        window_run run = due_of(b, aggregate, panes[i], from);
        bool is_whole = !pane_is_spilled(panes[i]) && !pane_is_cached(panes[i]);
        if (run.count && !is_whole) return UINT64_MAX;
        uint64_t entries = pane_count(panes[i]);
        if (__builtin_mul_overflow(entries, run.count, &entries)) return UINT64_MAX;
        if (__builtin_add_overflow(sum, entries, &sum)) return UINT64_MAX;
    }
    return sum;
}

/* The first windows of panes that are not out lie in the order of the panes. */
bool emit_close_next(worker *w, const batch_view *b, uint32_t aggregate, const close_cursor *from,
                     window_bounds *window) {
    close_space *c = w->emit->close;
    uint32_t count;
    pane *const *panes = table_panes(w->tables[aggregate], &count);
    for (uint32_t i = c->near; i < count; i++) {
        window_run run = due_of(b, aggregate, panes[i], from);
        while (window_next(&run, window)) {
            if (from->is_open && close_is_out(from, window)) continue;
            c->near = i;
            return true;
        }
    }
    c->near = count;
    return false;
}

static emission emission_of(worker *w, const batch_view *b, uint32_t aggregate,
                            const window_bounds *window) {
    const sl_aggregate *plan = &b->plan->aggregates[aggregate];
    uint32_t count;
    pane *const *panes = table_panes(w->tables[aggregate], &count);
    emission m = { .w = w,
                   .b = b,
                   .aggregate = aggregate,
                   .plan = plan,
                   .step = &b->plan->steps[plan->step],
                   .window = *window,
                   .final = plan->final };
    uint32_t near = w->emit->close->near; /* maybe of a later window: this one is another's */
    while (near > 0 && (near == count || pane_start(panes[near]) >= window->end)) near--;
    emit_find_panes(&m, panes, count, near);
    return m;
}

/* -- which groups */

static uint64_t entries_of(const emission *m) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < m->pane_count; i++) sum += pane_count(m->panes[i]);
    return sum;
}

uint64_t emit_close_entries(worker *w, const batch_view *b, uint32_t aggregate,
                            const window_bounds *window) {
    emission m = emission_of(w, b, aggregate, window);
    return emit_has_spilled(&m) ? UINT64_MAX : entries_of(&m);
}

/* Whether what the space knows is of this window as it is. */
static bool is_known(const close_space *c, const emission *m) {
    return c->aggregate == m->aggregate && c->window.start == m->window.start &&
           c->window.end == m->window.end && c->panes == m->pane_count &&
           c->entries == entries_of(m) && (c->spilled != NULL) == emit_has_spilled(m);
}

static bool covers(const listed *l, uint64_t from, uint64_t to) {
    return l->is_valid && l->range.from <= from && to <= l->range.to;
}

/* The end of the part of the order behind `from` that about `groups` of `all` lie in. */
static uint64_t reach(uint64_t from, uint64_t groups, uint64_t all) {
    if (all <= groups) return UINT64_MAX;
    uint64_t width = UINT64_MAX / (all / groups + 1);
    return from > UINT64_MAX - width ? UINT64_MAX : from + width;
}

uint64_t emit_close_reach(worker *w, const batch_view *b, uint32_t aggregate, const close_range *r,
                          uint64_t groups, uint64_t all) {
    const close_space *c = w->emit->close;
    emission m = emission_of(w, b, aggregate, &r->window);
    const listed *l = emit_has_spilled(&m) ? &c->due : &c->waiting;
    if (is_known(c, &m) && covers(l, r->from, r->from)) return l->range.to;
    return emit_has_spilled(&m) ? spilled_window_slice(&m, r->from) : reach(r->from, groups, all);
}

static void list_waiting(close_space *c, const emission *m, uint64_t from, uint64_t to) {
    c->waiting.range = (order_range){ from, to };
    c->waiting.is_valid = true;
    if (slide_list(m, &c->waiting.range, &c->waiting.groups)) return;
    groups_list_range(&c->waiting.groups, m->panes, m->pane_count, m->b->plan->shards,
                      &c->waiting.range);
}

err *emit_close_list(worker *w, const batch_view *b, uint32_t aggregate, const close_range *r,
                     uint64_t groups) {
    close_space *c = w->emit->close;
    emission m = emission_of(w, b, aggregate, &r->window);
    if (!is_known(c, &m)) {
        forget(c);
        c->aggregate = aggregate;
        c->window = m.window;
        c->panes = m.pane_count;
        c->entries = entries_of(&m);
        if (emit_has_spilled(&m)) c->spilled = spilled_window_new(&m);
    }
    if (!covers(&c->waiting, r->from, r->to)) {
        uint64_t to = c->spilled ? reach(r->from, groups, c->entries) : r->to;
        list_waiting(c, &m, r->from, to < r->to ? r->to : to);
    }
    if (!c->spilled || covers(&c->due, r->from, r->to)) return NULL;
    c->due.range = (order_range){ r->from, r->to };
    err *e = spilled_window_list(c->spilled, &m, &c->due.range, &c->waiting.groups,
                                 &c->due.groups);
    c->due.is_valid = !e;
    return e;
}

/* -- out with them */

static const group_item *find_items(const close_space *c, const close_range *r, uint32_t *count) {
    const group_list *list = c->spilled ? &c->due.groups : &c->waiting.groups;
    uint32_t first = groups_below(list, r->from);
    *count = groups_up_to(list, r->to) - first;
    return *count ? list->items + first : NULL;
}

uint64_t emit_close_count(const worker *w, const close_range *r) {
    uint32_t count;
    find_items(w->emit->close, r, &count);
    return count;
}

err *emit_close_rows(worker *w, const batch_view *b, uint32_t aggregate, const close_range *r,
                     outbox *retracted, outbox *boxes) {
    const close_space *c = w->emit->close;
    emission m = emission_of(w, b, aggregate, &r->window);
    uint32_t count;
    const group_item *items = find_items(c, r, &count);
    m.retracted = retracted;
    m.boxes = boxes;
    if (c->waiting.groups.is_chained) m.chains = c->waiting.groups.chains;
    if (c->spilled) spilled_window_use(c->spilled, &m);
    return emit_items(&m, items, count);
}
