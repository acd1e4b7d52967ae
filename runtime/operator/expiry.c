#include "runtime/operator/expiry.h"

#include "runtime/base/mem.h"
#include "runtime/event/window.h"
#include "runtime/operator/session.h"

enum { AHEAD = 8 };

void expiry_init(expiry *x, const sl_aggregate *plan, table *its_table) {
    bool forever = plan->mode == SL_COMPLETE || plan->window.size_ms == INT64_MAX;
    *x = (expiry){ .plan = plan, .table = its_table };
    if (window_is_own(&plan->window) && !forever) x->calendar = calendar_new();
}

void expiry_done(expiry *x) {
    calendar_free(x->calendar);
    mem_free(x->fetched);
    *x = (expiry){ 0 };
}

/* When it goes unless something holds it. */
static int64_t own_time(const expiry *x, const entry *e) {
    int64_t last_ms = session_span(x->plan, e)->last_ms;
    return window_close_time(&x->plan->window, window_own(&x->plan->window, last_ms).end);
}

/* Whether it goes with the entry behind it. */
static bool is_held(const expiry *x, const entry *e) {
    return x->plan->window.kind == SL_WINDOW_SESSION && session_next(x->plan, x->table, e);
}

int64_t expiry_due(const expiry *x, const entry *e) {
    return is_held(x, e) ? INT64_MAX : own_time(x, e);
}

void expiry_fetched(expiry *x, entry *e) {
    if (!x->calendar) return;
    if (x->fetched_count == x->fetched_room) {
        x->fetched_room = x->fetched_room ? 2 * x->fetched_room : 256;
        x->fetched = mem_realloc(x->fetched, x->fetched_room * sizeof *x->fetched);
    }
    x->fetched[x->fetched_count++] = e;
}

bool expiry_is_past(const expiry *x, const entry *e, int64_t watermark) {
    int64_t last_ms = session_span(x->plan, e)->last_ms;
    return last_ms != INT64_MIN && own_time(x, e) <= watermark;
}

void expiry_add_new(expiry *x) {
    uint32_t pane_count, count;
    if (!x->calendar) return;
    x->has_changed = true;
    pane *const *panes = table_dirty_panes(x->table, &pane_count);
    for (uint32_t p = 0; p < pane_count; p++) {
        entry *const *dirty = pane_dirty(panes[p], &count);
        for (uint32_t i = 0; i < count; i++)
            if (table_is_new(x->table, dirty[i]))
                calendar_add(x->calendar, own_time(x, dirty[i]), dirty[i]);
    }
}

/* Entries that are due lie anywhere: fetch what the next ones need, in two steps. */
static void prefetch(const expiry *x, const expiry_cursor *at) {
    bool is_session = x->plan->window.kind == SL_WINDOW_SESSION;
    uint32_t far = at->next + 2 * AHEAD, near = at->next + AHEAD;
    if (far < at->count) {
        const entry *e = at->items[far].entry;
        __builtin_prefetch(e);
        __builtin_prefetch(session_span(x->plan, e));
    }
    if (is_session && near < at->count && !entry_is_removed(at->items[near].entry))
        session_prefetch_next(x->plan, x->table, at->items[near].entry);
}

entry *expiry_take(expiry *x, int64_t watermark, expiry_cursor *at) {
    if (!at->items) at->items = calendar_take(x->calendar, watermark, &at->count);
    while (at->next < at->count) {
        prefetch(x, at);
        entry *e = at->items[at->next++].entry;
        /* held, it is not due at +infinity either */
        if (entry_is_removed(e) || is_held(x, e)) continue;
        int64_t due_ms = own_time(x, e);
        if (due_ms <= watermark) return e;
        calendar_add(x->calendar, due_ms, e);
    }
    return NULL;
}

static int64_t due_of(const entry *e, void *arg) {
    return expiry_due(arg, e);
}

bool expiry_is_due(expiry *x, int64_t watermark) {
    return x->calendar && calendar_is_due(x->calendar, watermark, due_of, x);
}

void expiry_begin(expiry *x) {
    x->has_changed = false;
    for (uint32_t i = 0; i < x->fetched_count; i++)
        calendar_add(x->calendar, own_time(x, x->fetched[i]), x->fetched[i]);
    x->fetched_count = 0;
}

void expiry_loaded(expiry *x) {
    uint32_t count;
    if (!x->calendar) return;
    calendar_clear(x->calendar);
    x->fetched_count = 0;
    pane *const *panes = table_panes(x->table, &count);
    for (uint32_t p = 0; p < count; p++) {
        table_cursor at = { 0 };
        for (entry *e; (e = table_scan(panes[p], &at));)
            calendar_add(x->calendar, own_time(x, e), e);
    }
}

void expiry_undo(expiry *x) {
    x->fetched_count = 0;
    if (x->has_changed) expiry_loaded(x);
}
