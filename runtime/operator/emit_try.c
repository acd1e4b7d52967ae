/* DESIGN. The first batch of a text that took over closes no window as a rule, and a `result` that
 * throws would end the run an hour later. So results of windows that are still open are made from
 * what is there, as at a close: the states are copies, and rows go nowhere. */
#include "runtime/base/err.h"
#include "runtime/operator/emission.h"
#include "runtime/operator/operators.h"

enum { TRIED = 256, /* groups in all, on each worker */
       OF_PANE = 32 };

/* The first window of the pane that is open, and its panes; false: none is. */
static bool find_window(emission *m, pane *const *panes, uint32_t count, uint32_t at) {
    const sl_window *window = &m->plan->window;
    int64_t start = pane_start(panes[at]);
    int64_t watermark = m->b->aggregates[m->aggregate].watermark_after;
    window_run run;
    switch (window->kind) {
    case SL_WINDOW_RUNNING:
        m->window = (window_bounds){ INT64_MIN, INT64_MAX };
        break;
    case SL_WINDOW_SESSION:
        m->window = (window_bounds){ start, saturate_add(start, window->size_ms) };
        break;
    case SL_WINDOW_ROLLING:
        m->window.end = window_pane_bounds(window, start).end;
        m->window.start = saturate_sub(m->window.end, window->size_ms);
        break;
    default:
        run = window_of_pane(window, start);
        window_skip(&run, window_late_count(window, start, watermark));
        if (!window_next(&run, &m->window)) return false;
    }
    if (window->kind != SL_WINDOW_RUNNING)
        emit_find_panes(m, panes, count, at);
    else
        m->panes = panes, m->pane_count = count;
    return true;
}

/* A session of one entry is as good as one of many. */
static err *try_pane(emission *m, pane *const *panes, uint32_t count, uint32_t at, uint32_t most) {
    emit_space *s = m->w->emit;
    entry *chain[OF_PANE];
    table_cursor next = { 0 };
    uint32_t n = 0;
    if (!find_window(m, panes, count, at)) return NULL;
    uint32_t index = at - (uint32_t)(m->panes - panes);
    for (entry *e; n < most && (e = table_scan(panes[at], &next)); n++) {
        chain[n] = e;
        s->results[n] = (result){ .group = { .entry = e, .pane = index },
                                  .window = m->window,
                                  .chain = &chain[n],
                                  .chain_count = 1 };
    }
    return n ? emit_try_rows(m, n) : NULL;
}

err *emit_try(worker *w, const batch_view *b, uint32_t aggregate) {
    const sl_aggregate *plan = &b->plan->aggregates[aggregate];
    emission m = { .w = w,
                   .b = b,
                   .aggregate = aggregate,
                   .plan = plan,
                   .step = &b->plan->steps[plan->step],
                   .dirty_only = true };
    uint32_t count;
    pane *const *panes = table_panes(w->tables[aggregate], &count);
    err *e = NULL;
    for (uint32_t left = TRIED, p = count; p-- > 0 && left && !e;) {
        uint32_t most = left < OF_PANE ? left : OF_PANE;
        uint32_t has = pane_count(panes[p]);
        e = try_pane(&m, panes, count, p, most);
        left -= has < most ? has : most;
    }
    return e;
}
