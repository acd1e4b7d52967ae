/* DESIGN. Results go through the emission driver in vectors: a row is begun with what C knows (its
 * group, bounds), the states of the window's panes are gathered, oldest first, and one call of Lua
 * merges them, writes the results and runs the stages behind. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/copy.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/codec/nulls.h"
#include "runtime/operator/emission.h"
#include "runtime/operator/key.h"

enum { AHEAD = 12 };

static void put_time(sl_row *row, const sl_column *column, int64_t time_ms) {
    *(int64_t *)((char *)row + column->offset) = time_ms;
    nulls_delete(row->nulls, column->null_bit);
}

/* Fill in what is known without the states: time, group, bounds, final. */
static void start_row(const emission *m, sl_row *row, const result *r) {
    const entry *e = r->group.entry;
    const sl_aggregate *plan = m->plan;
    row->time_ms = r->window.end == INT64_MAX ? INT64_MAX : r->window.end - 1;
    row->record = NO_RECORD;
    row->partition = 0;
    row->offset = 0;
    if (plan->null_words == 1)
        row->nulls[0] = UINT64_MAX;
    else
        memset(row->nulls, 0xff, plan->null_words * 8u);
    if (key_is_text(plan->group, plan->group_count))
        key_read_text(entry_key(e), entry_key_len(e), plan->group, row);
    else
        key_read(entry_key(e), entry_key_len(e), plan->group, plan->group_count, row);
    if (window_has_bounds(&plan->window)) {
        put_time(row, &plan->window_start, r->window.start);
        put_time(row, &plan->window_end, r->window.end);
    }
    if (plan->final) {
        const sl_column *column = &plan->final_column;
        *((uint8_t *)row + column->offset) = r->final;
        nulls_delete(row->nulls, column->null_bit);
    }
}

/* The entries of the vector's groups in pane `p` of the window; NULL where it has none. */
static void find_in_pane(const emission *m, uint32_t count, uint32_t p, entry **found) {
    emit_space *s = m->w->emit;
    uint32_t asked = 0;
    for (uint32_t i = 0; i < count; i++) {
        const group_item *item = &s->results[i].group;
        found[i] = item->pane == p ? item->entry : NULL;
        /* Unless only dirty entries were listed, an item's pane is the oldest that has it. */
        if (item->pane == p || (!m->dirty_only && item->pane > p)) continue;
        s->asked[asked] = i;
        s->like[asked++] = item->entry;
    }
    table_find_many(m->panes[p], asked, s->like, s->answers);
    for (uint32_t i = 0; i < asked; i++) found[s->asked[i]] = s->answers[i];
}

void emit_disown(const emission *m, void *state) {
    for (uint32_t i = 0; i < m->plan->part_count; i++)
        ((sl_part *)(void *)((char *)state + m->plan->part_offsets[i]))->epoch = 0;
}

/* Begin the state of result `i` with that of its oldest entry: a copy to merge the others into. */
static void start_state(const emission *m, uint32_t i, const entry *e) {
    emit_space *s = m->w->emit;
    s->states[i] = s->state_memory + (size_t)i * m->plan->state_size;
    copy_state(s->states[i], entry_state(e), m->plan->state_size);
    emit_disown(m, s->states[i]);
}

static void need_parts(emit_space *s, size_t count) {
    if (s->part_room >= count) return;
    s->part_room = count;
    s->parts = mem_realloc(s->parts, count * sizeof *s->parts);
    s->merged = mem_realloc(s->merged, count * sizeof *s->merged);
    s->found = mem_realloc(s->found, count * sizeof *s->found);
}

/* The states of each group, oldest pane first: a copy of the first, the others as parts. */
static void gather_panes(const emission *m, uint32_t count) {
    emit_space *s = m->w->emit;
    uint32_t part_count = 0;
    need_parts(s, (size_t)m->pane_count * EMIT_ROWS);
    for (uint32_t p = 0; p < m->pane_count; p++)
        find_in_pane(m, count, p, s->found + (size_t)p * EMIT_ROWS);
    for (uint32_t i = 0; i < count; i++) {
        s->part_first[i] = part_count;
        s->states[i] = NULL;
        for (uint32_t p = 0; p < m->pane_count; p++) {
            const entry *e = s->found[(size_t)p * EMIT_ROWS + i];
            if (!e) continue;
            if (s->states[i])
                s->parts[part_count++] = entry_state(e);
            else
                start_state(m, i, e);
        }
    }
    s->part_first[count] = part_count;
}

static size_t count_chained(const emission *m, uint32_t count) {
    size_t sum = 0;
    for (uint32_t i = 0; i < count; i++) sum += m->w->emit->results[i].chain_count;
    return sum;
}

/* The same where each result's entries are known; what Lua reads next is asked for. */
static void gather_chains(const emission *m, uint32_t count) {
    emit_space *s = m->w->emit;
    uint32_t part_count = 0;
    need_parts(s, count_chained(m, count));
    for (uint32_t i = 0; i < count; i++) {
        const result *r = &s->results[i];
        s->part_first[i] = part_count;
        start_state(m, i, r->chain[0]);
        for (uint32_t k = 1; k < r->chain_count; k++) {
            s->parts[part_count++] = entry_state(r->chain[k]);
            __builtin_prefetch(entry_state(r->chain[k]));
        }
    }
    s->part_first[count] = part_count;
}

/* The same of runs (slide.h), and merged: in one flat loop. Of builtin aggregates: that fails only
 * when it is broken off, and then no result is to blame. */
static bool merge_chains(const emission *m, uint32_t count) {
    emit_space *s = m->w->emit;
    sl_vector *v = m->w->vector;
    uint32_t merges = 0;
    need_parts(s, count_chained(m, count));
    for (uint32_t i = 0; i < count; i++) {
        const result *r = &s->results[i];
        start_state(m, i, r->chain[0]);
        for (uint32_t k = 1; k < r->chain_count; k++) {
            s->merged[merges] = s->states[i];
            s->parts[merges++] = entry_state(r->chain[k]);
            __builtin_prefetch(entry_state(r->chain[k]));
        }
    }
    v->count = merges;
    v->first = v->pos = 0;
    v->states = s->merged;
    v->parts = s->parts;
    v->text = &s->text;
    return !merges || script_run(m->w->script, m->plan->merge_driver);
}

static err *emit_failure(const emission *m, const result *r) {
    worker *w = m->w;
    const entry *e = r->group.entry;
    emit_space *s = w->emit;
    char window[80] = "";
    s->failed = (failed_result){ m->aggregate, r->window, e->hash };
    buf_reset(&s->failed_key);
    buf_put(&s->failed_key, entry_key(e), entry_key_len(e));
    buf_reset(&s->key); /* the row as it is: what is told of the throw shows it */
    encode_value(w->group_encoders[m->aggregate], &s->key, s->rows[r - s->results],
                 &(uint64_t){ 0 });
    if (window_has_bounds(&m->plan->window))
        snprintf(window, sizeof window, ", window [%" PRId64 ", %" PRId64 ")", r->window.start,
                 r->window.end);
    return err_new(ERR_SCRIPT, "%s\nwhile making the result of `%.*s`, group %s%s",
                   worker_failure(w), (int)m->plan->name.len, m->plan->name.data, buf_text(&s->key),
                   window);
}

/* Entries lie in memory as they were made, rows leave by hash: fetch what the next rows need. */
static void prefetch(const emission *m, uint32_t count, uint32_t i) {
    if (i + AHEAD >= count) return;
    const char *at = (const char *)m->w->emit->results[i + AHEAD].group.entry;
    __builtin_prefetch(at);
    __builtin_prefetch(at + sizeof(entry) + m->plan->state_size);
}

static void start_rows(const emission *m, uint32_t count) {
    emit_space *s = m->w->emit;
    for (uint32_t i = 0; i < count; i++) {
        prefetch(m, count, i);
        s->rows[i] = s->row_memory + (size_t)i * m->plan->row_size;
        start_row(m, s->rows[i], &s->results[i]);
        s->bounds[i] = (sl_bounds){ (double)s->results[i].window.start,
                                    (double)s->results[i].window.end };
    }
}

/* Set the vector up; false: what was merged for it was broken off. */
static bool begin_rows(const emission *m, uint32_t count) {
    worker *w = m->w;
    emit_space *s = w->emit;
    sl_vector *v = w->vector;
    if (!m->w->onward.count) arena_reset(&s->text, 1u << 20); /* else rows that go on borrow it */
    start_rows(m, count);
    if (m->chains) {
        if (!merge_chains(m, count)) return false;
    } else if (m->plan->window.kind == SL_WINDOW_SESSION) {
        gather_chains(m, count);
    } else {
        gather_panes(m, count);
    }
    v->count = count;
    v->first = 0;
    v->rows = s->rows;
    v->states = s->states;
    v->parts = s->parts;
    v->part_first = m->chains ? NULL : s->part_first;
    v->bounds = s->bounds;
    v->outputs = s->outputs;
    v->text = &s->text;
    v->now_ms = m->b->now_ms;
    v->resumes = 0;
    v->ordered = NULL;
    return true;
}

bool emit_make_rows(const emission *m, uint32_t count) {
    if (!begin_rows(m, count)) return false;
    while (!script_run(m->w->script, m->plan->emit_driver))
        if (!emit_drop_ordered(m)) return false;
    return true;
}

/* Which row could not be made. */
static err *failure_of(const emission *m) {
    worker *w = m->w;
    const result *failed = &w->emit->results[w->vector->pos];
    w->failed_at[0] = (uint64_t)failed->window.start ^ 1ull << 63;
    w->failed_at[1] = failed->group.order;
    return emit_failure(m, failed);
}

err *emit_rows(const emission *m, uint32_t count) {
    laps *l = m->w->laps;
    laps_add(l, LAP_LIST);
    err *e = emit_make_rows(m, count) ? NULL : failure_of(m);
    laps_add(l, LAP_RESULT);
    if (!e) e = emit_send(m, count);
    laps_add(l, LAP_ENCODE);
    return e;
}

err *emit_try_rows(const emission *m, uint32_t count) {
    if (!begin_rows(m, count)) return failure_of(m);
    bool is_made = script_run(m->w->script, m->plan->emit_driver);
    return is_made || m->w->vector->ordered ? NULL : failure_of(m);
}

void emit_taken_back(const emission *m, uint32_t count) {
    start_rows(m, count); /* group and bounds: all that a retraction's key is made of */
    emit_retract(m, count);
}
