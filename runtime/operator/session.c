#include "runtime/operator/session.h"

/* The group of `e` in the pane that starts at `start`. */
static entry *find_in(const table *t, const entry *e, int64_t start) {
    const pane *p = table_find_pane(t, start);
    return p ? table_find(p, e->hash, entry_key(e), entry_key_len(e)) : NULL;
}

entry *session_next(const sl_aggregate *plan, const table *t, const entry *e) {
    const sl_span *span = session_span(plan, e);
    window_bounds bounds = window_pane_bounds(&plan->window, span->first_ms);
    if (bounds.end == INT64_MAX) return NULL;
    entry *next = find_in(t, e, bounds.end);
    if (!next) return NULL;
    return session_reaches(plan, span->last_ms, session_span(plan, next)->first_ms) ? next : NULL;
}

entry *session_previous(const sl_aggregate *plan, const table *t, const entry *e) {
    const sl_span *span = session_span(plan, e);
    window_bounds bounds = window_pane_bounds(&plan->window, span->first_ms);
    if (bounds.start == INT64_MIN) return NULL;
    entry *before = find_in(t, e, session_pane(plan, bounds.start - 1));
    if (!before) return NULL;
    return session_reaches(plan, session_span(plan, before)->last_ms, span->first_ms) ? before
                                                                                      : NULL;
}

static void prefetch_in(const table *t, const entry *e, int64_t start) {
    const pane *p = table_find_pane(t, start);
    if (p) table_prefetch(p, e->hash);
}

void session_prefetch_next(const sl_aggregate *plan, const table *t, const entry *e) {
    int64_t first_ms = session_span(plan, e)->first_ms;
    prefetch_in(t, e, window_pane_bounds(&plan->window, first_ms).end);
}

void session_prefetch_previous(const sl_aggregate *plan, const table *t, const entry *e) {
    int64_t start = session_pane(plan, session_span(plan, e)->first_ms);
    if (start != INT64_MIN) prefetch_in(t, e, session_pane(plan, start - 1));
}
