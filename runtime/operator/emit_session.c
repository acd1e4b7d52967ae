/* DESIGN. A session is a chain of entries (session.h), named here by its last one. Which sessions
 * have a row: those that close (append, final), those with an entry that was touched (update), all
 * (complete). They are found from their entries, each once, put in order, and made with their
 * chains in vectors.
 *
 * What sessions were before the batch shows in the bytes that the table keeps of touched entries:
 * an old session of the chain whose start is not the chain's is retracted. Sessions only grow and
 * merge within a batch, so an old one lies in one new one.
 *
 * Everything is linear in entries touched or closed: of a chain's touched entries only the last
 * looks for the end, and it passes over those not touched. */
#include <stdlib.h>
#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/operator/emission.h"
#include "runtime/operator/operators.h"
#include "runtime/operator/session.h"

enum { AHEAD = 8 };

/* A session with a row, or one that is no more. */
typedef struct session {
    uint64_t order;
    window_bounds window;
    entry *last;
    uint32_t chain_first, chain_count; /* its entries in the space's */
    bool final;
} session;

typedef struct session_list {
    session *items; /* owned */
    uint32_t count, room;
} session_list;

typedef struct session_space {
    session_list found, gone, closing;
    entry **entries; /* of all chains; owned */
    uint32_t entry_count, entry_room;
} session_space;

session_space *session_space_new(void) {
    return mem_zalloc(1, sizeof(session_space));
}

void session_space_free(session_space *s) {
    if (!s) return;
    mem_free(s->found.items);
    mem_free(s->gone.items);
    mem_free(s->closing.items);
    mem_free(s->entries);
    mem_free(s);
}

static session *list_add(session_list *l) {
    if (l->count == l->room) {
        l->room = l->room ? 2 * l->room : 256;
        l->items = mem_realloc(l->items, l->room * sizeof *l->items);
    }
    return &l->items[l->count++];
}

static void push_entry(session_space *s, entry *e) {
    if (s->entry_count == s->entry_room) {
        s->entry_room = s->entry_room ? 2 * s->entry_room : 512;
        s->entries = mem_realloc(s->entries, s->entry_room * sizeof *s->entries);
    }
    s->entries[s->entry_count++] = e;
}

static bool is_touched(const table *t, const entry *e) {
    return table_state_before(t, e) != entry_state(e);
}

/* Put the chain that ends with `last` into the space, oldest first. */
static uint32_t put_chain(session_space *s, const sl_aggregate *plan, const table *t, entry *last) {
    uint32_t first = s->entry_count;
    for (entry *e = last; e; e = session_previous(plan, t, e)) push_entry(s, e);
    for (uint32_t i = first, k = s->entry_count - 1; i < k; i++, k--) {
        entry *e = s->entries[i];
        s->entries[i] = s->entries[k];
        s->entries[k] = e;
    }
    return first;
}

static window_bounds bounds_of(const sl_aggregate *plan, int64_t first_ms, int64_t last_ms) {
    return (window_bounds){ first_ms, window_own(&plan->window, last_ms).end };
}

/* Add the old sessions of a chain that begin elsewhere than it does. */
static void add_gone(const emission *m, const table *t, const session *of) {
    session_space *s = m->w->emit->sessions;
    const sl_aggregate *plan = m->plan;
    const sl_span *before = NULL; /* of the entry before in the old session */
    session *old = NULL;
    for (uint32_t i = 0; i < of->chain_count; i++) {
        const entry *e = s->entries[of->chain_first + i];
        const char *state = table_state_before(t, e);
        if (!state) continue;
        const sl_span *span = (const sl_span *)(state + plan->span_offset);
        bool goes_on = before && session_reaches(plan, before->last_ms, span->first_ms);
        before = span;
        if (!goes_on) old = NULL;
        if (!goes_on && span->first_ms != of->window.start) {
            old = list_add(&s->gone);
            *old = *of;
            old->window.start = span->first_ms;
        }
        if (old) old->window.end = bounds_of(plan, 0, span->last_ms).end;
    }
}

/* The session that ends with `last`; its chain is put into the space. */
static session session_of(const emission *m, const table *t, entry *last, bool final) {
    session_space *s = m->w->emit->sessions;
    uint32_t first = put_chain(s, m->plan, t, last);
    return (session){
        .order = shard_order(last->hash, m->b->plan->shards),
        .window = bounds_of(m->plan, session_span(m->plan, s->entries[first])->first_ms,
                            session_span(m->plan, last)->last_ms),
        .last = last,
        .chain_first = first,
        .chain_count = s->entry_count - first,
        .final = final,
    };
}

static void add_found(const emission *m, const table *t, session made) {
    *list_add(&m->w->emit->sessions->found) = made;
    if (m->plan->mode != SL_APPEND) add_gone(m, t, &made);
}

/* The last entry of the session of a touched one; NULL: a later touched one will give it. */
static entry *last_of_touched(const emission *m, const table *t, entry *e) {
    for (entry *next; (next = session_next(m->plan, t, e)); e = next)
        if (is_touched(t, next)) return NULL;
    return e;
}

/* Whether the session that ends with `last` closes with this batch. */
static bool closes(const emission *m, const entry *last) {
    int64_t watermark = m->b->aggregates[m->aggregate].watermark_after;
    window_bounds bounds = bounds_of(m->plan, 0, session_span(m->plan, last)->last_ms);
    return window_is_late(&m->plan->window, bounds.end, watermark);
}

static void find_touched(const emission *m, const table *t) {
    uint32_t pane_count, count;
    pane *const *panes = table_dirty_panes(t, &pane_count);
    for (uint32_t p = 0; p < pane_count; p++) {
        entry *const *dirty = pane_dirty(panes[p], &count);
        for (uint32_t i = 0; i < count; i++) {
            entry *last = last_of_touched(m, t, dirty[i]);
            if (!last) continue;
            add_found(m, t, session_of(m, t, last, m->plan->final && closes(m, last)));
        }
    }
}

static void find_all(const emission *m, const table *t) {
    uint32_t pane_count;
    pane *const *panes = table_panes(t, &pane_count);
    for (uint32_t p = 0; p < pane_count; p++) {
        table_cursor at = { 0 };
        for (entry *e; (e = table_scan(panes[p], &at));)
            if (!session_next(m->plan, t, e)) add_found(m, t, session_of(m, t, e, false));
    }
}

/* The sessions that this batch closes. */
static void find_closing(const emission *m, const table *t) {
    const emit_space *s = m->w->emit;
    for (uint32_t i = 0; i < s->going_count; i++) {
        if (i + AHEAD < s->going_count)
            session_prefetch_previous(m->plan, t, s->going[i + AHEAD]);
        session made = session_of(m, t, s->going[i], m->plan->final);
        *list_add(&s->sessions->closing) = made;
    }
}

/* Those of them that no touched entry has given. */
static void add_closing(const emission *m, const table *t) {
    session_space *s = m->w->emit->sessions;
    for (uint32_t i = 0; i < s->closing.count; i++) {
        const session *made = &s->closing.items[i];
        bool is_found = false;
        for (uint32_t k = 0; m->plan->mode != SL_APPEND && k < made->chain_count; k++)
            is_found |= is_touched(t, s->entries[made->chain_first + k]);
        if (!is_found) add_found(m, t, *made);
    }
}

static int compare_sessions(const void *x, const void *y) {
    const session *a = x, *b = y;
    if (a->window.end != b->window.end) return a->window.end < b->window.end ? -1 : 1;
    if (a->window.start != b->window.start) return a->window.start < b->window.start ? -1 : 1;
    return group_compare(&(group_item){ .order = a->order, .entry = a->last },
                         &(group_item){ .order = b->order, .entry = b->last });
}

/* Make the results of [first, first + count) of a list in the space. */
static void put_results(emit_space *s, const session_list *l, uint32_t first, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        const session *of = &l->items[first + i];
        s->results[i] = (result){
            .group = { .order = of->order, .entry = of->last },
            .window = of->window,
            .chain = s->sessions->entries + of->chain_first,
            .chain_count = of->chain_count,
            .final = of->final,
        };
    }
}

/* Emit a list: its rows, or what takes them back. */
static err *emit_list(const emission *m, session_list *l, bool retracts) {
    if (l->count > 1) qsort(l->items, l->count, sizeof *l->items, compare_sessions);
    for (uint32_t first = 0; first < l->count; first += EMIT_ROWS) {
        uint32_t count = l->count - first < EMIT_ROWS ? l->count - first : EMIT_ROWS;
        put_results(m->w->emit, l, first, count);
        err *e = NULL;
        if (retracts)
            emit_taken_back(m, count);
        else
            e = emit_rows(m, count);
        if (e) return e;
    }
    return NULL;
}

static int compare_messages(const void *x, const void *y, void *arg) {
    const out_message *a = x, *b = y;
    const outbox *box = arg;
    if (a->window_end != b->window_end) return a->window_end < b->window_end ? -1 : 1;
    if (a->window_start != b->window_start) return a->window_start < b->window_start ? -1 : 1;
    if (a->order != b->order) return a->order < b->order ? -1 : 1;
    uint32_t len = a->key_len < b->key_len ? a->key_len : b->key_len;
    int difference = memcmp(outbox_key(box, a), outbox_key(box, b), len);
    return difference ? difference : (int)a->key_len - (int)b->key_len;
}

/* Retractions of old starts and of rows that a filter keeps back, each in order, as one. */
static void order_retractions(const emission *m) {
    if (!m->w->emit->sessions->gone.count || !m->w->sent[m->aggregate]) return;
    for (uint32_t k = 0; k < m->step->output_count; k++) {
        outbox *box = &m->retracted[k];
        if (box->count > 1)
            qsort_r(box->items, box->count, sizeof *box->items, compare_messages, box);
    }
}

static void remove_entry(const emission *m, table *t, entry *e) {
    int64_t start = session_pane(m->plan, session_span(m->plan, e)->first_ms);
    table_remove(t, table_find_pane(t, start), e);
}

/* Take closed sessions out of the table, and panes that hold nothing any more. */
static void remove_closing(const emission *m, table *t) {
    session_space *s = m->w->emit->sessions;
    uint32_t count;
    for (uint32_t i = 0; i < s->closing.count; i++) {
        const session *of = &s->closing.items[i];
        result gone = { .group = { .entry = of->last }, .window = of->window };
        emit_forget_result(m, &gone);
        for (uint32_t k = 0; k < of->chain_count; k++)
            remove_entry(m, t, s->entries[of->chain_first + k]);
    }
    if (!s->closing.count) return;
    pane *const *panes = table_panes(t, &count);
    for (uint32_t i = count; i-- > 0;)
        if (!pane_count(panes[i])) table_drop_pane(t, panes[i]);
}

err *emit_sessions(emission *m, table *t, bool reached) {
    session_space *s = m->w->emit->sessions;
    s->found.count = s->gone.count = s->closing.count = s->entry_count = 0;
    emit_list_going(m);
    find_closing(m, t);
    if (m->plan->mode == SL_UPDATE) find_touched(m, t);
    if (m->plan->mode == SL_COMPLETE && reached) find_all(m, t);
    if (m->plan->mode == SL_APPEND || m->plan->final) add_closing(m, t);
    m->w->result_count = s->found.count;
    err *e = emit_list(m, &s->gone, true);
    if (!e) e = emit_list(m, &s->found, false);
    if (e) return e;
    order_retractions(m);
    remove_closing(m, t);
    return NULL;
}

bool session_find_failed(const emission *m, const table *t) {
    emit_space *s = m->w->emit;
    uint32_t count;
    pane *const *panes = table_panes(t, &count);
    s->sessions->entry_count = 0;
    for (uint32_t p = 0; p < count; p++) {
        entry *e = table_find(panes[p], s->failed.hash, s->failed_key.data,
                              (uint32_t)s->failed_key.len);
        if (!e) continue;
        const sl_span *span = session_span(m->plan, e);
        if (span->last_ms >= m->window.start && span->first_ms < m->window.end)
            push_entry(s->sessions, e);
    }
    if (!s->sessions->entry_count) return false;
    s->results[0] = (result){ .group = { .entry = s->sessions->entries[0] },
                              .window = m->window,
                              .chain = s->sessions->entries,
                              .chain_count = s->sessions->entry_count };
    return true;
}
