/* DESIGN. A key's state is one number: the watermark from which on the key may come again, first
 * event time + within. It is asked on every row, so that nothing depends on when memory of keys
 * that are past is reclaimed: that is at the end of a batch, by a calendar that knows of each key
 * since the end of the batch that met it. Rows are judged by the worker of their shard in the
 * batch's order, chunk after chunk, so that which row is the first depends neither on workers nor
 * on chunks. A row that user code throws out behind it has been seen all the same. */
#include "runtime/operator/distinct.h"

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/event/saturate.h"
#include "runtime/event/watermark.h"
#include "runtime/operator/fetch.h"
#include "runtime/operator/operators.h"
#include "runtime/operator/select.h"
#include "runtime/operator/stored.h"
#include "state/calendar.h"

struct judge_space {
    pane *panes[VECTOR_ROWS];
    void *states[VECTOR_ROWS];
};

struct seen_keys {
    table *table;       /* one pane; owned */
    calendar *calendar; /* owned; NULL: keys are kept forever */
    bool has_changed;   /* the calendar, in this batch: an undo has to set it up anew */
};

judge_space *judge_space_new(void) {
    return mem_zalloc(1, sizeof(judge_space));
}

void judge_space_free(judge_space *space) {
    mem_free(space);
}

seen_keys *seen_keys_new(const sl_distinct *plan) {
    int64_t never_seen = INT64_MIN;
    seen_keys *seen = mem_zalloc(1, sizeof *seen);
    seen->table =
        table_new(&(table_config){ .state_size = sizeof never_seen, .state_init = &never_seen });
    if (plan->within_ms != INT64_MAX) seen->calendar = calendar_new();
    return seen;
}

void seen_keys_free(seen_keys *seen) {
    if (!seen) return;
    table_free(seen->table);
    calendar_free(seen->calendar);
    mem_free(seen);
}

void seen_keys_begin(seen_keys *seen) {
    table_epoch_begin(seen->table);
    seen->has_changed = false;
}

/* The watermark from which on an entry's key may come again. */
static int64_t until_now(const entry *e, void *arg) {
    (void)arg;
    return *(const int64_t *)entry_state(e);
}

static void set_up_calendar(seen_keys *seen) {
    uint32_t count;
    calendar_clear(seen->calendar);
    pane *const *panes = table_panes(seen->table, &count);
    for (uint32_t p = 0; p < count; p++) {
        table_cursor at = { 0 };
        for (entry *e; (e = table_scan(panes[p], &at));)
            calendar_add(seen->calendar, until_now(e, NULL), e);
    }
}

table *seen_keys_table(const seen_keys *seen) {
    return seen->table;
}

void seen_keys_loaded(seen_keys *seen) {
    if (seen->calendar) set_up_calendar(seen);
}

size_t seen_keys_bytes(const seen_keys *seen) {
    return table_held_bytes(seen->table) +
           (seen->calendar ? calendar_held_bytes(seen->calendar) : 0);
}

void seen_keys_end(seen_keys *seen, bool commit) {
    (commit ? table_commit : table_undo)(seen->table);
    if (!commit && seen->has_changed) set_up_calendar(seen);
}

bool seen_keys_are_due(seen_keys *seen, int64_t watermark) {
    if (!seen->calendar || watermark == WATERMARK_NONE) return false;
    return calendar_is_due(seen->calendar, watermark, until_now, NULL);
}

/* Keys that this batch has met for the first time go into the calendar. */
static void add_new(seen_keys *seen, const pane *p) {
    uint32_t count;
    entry *const *dirty = pane_dirty(p, &count);
    for (uint32_t i = 0; i < count; i++)
        if (!dirty[i]->old) calendar_add(seen->calendar, until_now(dirty[i], NULL), dirty[i]);
}

static void forget(seen_keys *seen, int64_t watermark) {
    uint32_t count;
    pane *p = table_find_pane(seen->table, 0);
    if (!seen->calendar || !p) return;
    seen->has_changed = true;
    add_new(seen, p);
    if (watermark == WATERMARK_NONE) return;
    const calendar_item *due = calendar_take(seen->calendar, watermark, &count);
    for (uint32_t i = 0; i < count; i++) {
        int64_t until_ms = until_now(due[i].entry, NULL);
        if (until_ms <= watermark)
            table_remove(seen->table, p, due[i].entry);
        else
            calendar_add(seen->calendar, until_ms, due[i].entry);
    }
}

void distinct_forget(worker *w, const batch_view *b) {
    for (uint32_t d = 0; d < b->plan->distinct_count; d++)
        forget(w->seen[d], b->distincts[d].watermark_after);
}

static int64_t until_of(const sl_distinct *plan, const sl_row *row) {
    return plan->within_ms == INT64_MAX ? INT64_MAX : saturate_add(row->time_ms, plan->within_ms);
}

static err *judge_run(worker *w, const batch_view *b, uint32_t d) {
    const sl_distinct *plan = &b->plan->distincts[d];
    const selection *rows = &w->selector->rows;
    int64_t watermark = b->distincts[d].watermark_before;
    if (plan->within_ms == INT64_MAX) watermark = WATERMARK_NONE;
    table *t = w->seen[d]->table;
    judge_space *space = w->judge;
    pane *all = table_pane(t, 0);
    for (uint32_t n = 0; n < rows->count; n++) space->panes[n] = all;
    err *e = fetch_rows(w, b->plan, stored_distinct_number(b->plan, d), rows->count, space->panes,
                        rows->hashes, rows->keys, rows->key_lens);
    if (e) return e;
    table_touch_many(t, rows->count, space->panes, rows->hashes, rows->keys, rows->key_lens,
                     space->states);
    for (uint32_t n = 0; n < rows->count; n++) {
        int64_t *until = space->states[n];
        if (*until > watermark) {
            const select_cursor *from = select_from(w->selector, n);
            atomic_fetch_and_explicit(&from->set->passed[rows->indices[n]], ~from->bit,
                                      memory_order_relaxed);
        } else {
            *until = until_of(plan, rows->rows[n]);
        }
    }
    return NULL;
}

err *distinct_chunk(worker *w, const batch_view *b, chunk *c, uint32_t level) {
    for (uint32_t d = 0; d < b->plan->distinct_count; d++) {
        const sl_distinct *plan = &b->plan->distincts[d];
        if (plan->level != level) continue;
        if (!select_begin(w->selector, b, c, plan->feeds, plan->feed_count)) continue;
        while (select_next(w->selector, w)) {
            err *e = judge_run(w, b, d);
            if (e) return e;
        }
    }
    return NULL;
}
