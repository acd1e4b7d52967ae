/* DESIGN. A key's state is one number: the watermark from which on the key may come again, first
 * event time + within. It is asked on every row, so that nothing depends on when memory of keys
 * that are past is reclaimed. Rows are judged by the worker of their shard in the batch's order,
 * chunk after chunk, so that which row is the first depends neither on workers nor on chunks. A row
 * that user code throws out behind it has been seen all the same. */
#include "runtime/operator/distinct.h"

#include "runtime/base/mem.h"
#include "runtime/event/saturate.h"
#include "runtime/event/watermark.h"
#include "runtime/operator/operators.h"
#include "runtime/operator/select.h"

struct judge_space {
    pane *panes[VECTOR_ROWS];
    void *states[VECTOR_ROWS];
};

judge_space *judge_space_new(void) { return mem_zalloc(1, sizeof(judge_space)); }

void judge_space_free(judge_space *space) { mem_free(space); }

table *distinct_table_new(void) {
    int64_t never_seen = INT64_MIN;
    return table_new(&(table_config){ .state_size = sizeof never_seen, .state_init = &never_seen });
}

static int64_t until_of(const sl_distinct *plan, const sl_row *row) {
    return plan->within_ms == INT64_MAX ? INT64_MAX : saturate_add(row->time_ms, plan->within_ms);
}

static void judge_run(worker *w, const batch_view *b, uint32_t d) {
    const sl_distinct *plan = &b->plan->distincts[d];
    const selection *rows = &w->selector->rows;
    int64_t watermark = b->distincts[d].watermark_before;
    if (plan->within_ms == INT64_MAX) watermark = WATERMARK_NONE;
    table *t = w->seen[d];
    judge_space *space = w->judge;
    pane *all = table_pane(t, 0);
    for (uint32_t n = 0; n < rows->count; n++) space->panes[n] = all;
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
}

void distinct_chunk(worker *w, const batch_view *b, chunk *c, uint32_t level) {
    for (uint32_t d = 0; d < b->plan->distinct_count; d++) {
        const sl_distinct *plan = &b->plan->distincts[d];
        if (plan->level != level) continue;
        if (!select_begin(w->selector, b, c, plan->feeds, plan->feed_count)) continue;
        while (select_next(w->selector, w)) judge_run(w, b, d);
    }
}
