/* DESIGN. At the end of a batch each aggregation looks at its panes in order of time and lists the
 * windows that have something to say: those that the watermark closed (append, final), those
 * touched (update), all (complete). A window's groups are listed once, in the order in which rows
 * leave, and go through the emission driver in vectors: merge the panes' states, results, stages
 * behind. Panes that can no longer be part of an open window are dropped.
 *
 * Where a filter stands behind the aggregation, or only changes are wanted, a second table
 * remembers by (window, group) the hash of what each output was last sent, and 0 where nothing
 * stands. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The whole library inline: a call costs as much as hashing a short key. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/codec/nulls.h"
#include "runtime/event/saturate.h"
#include "runtime/event/watermark.h"
#include "runtime/event/window.h"
#include "runtime/operator/emit.h"
#include "runtime/operator/groups.h"
#include "runtime/operator/key.h"
#include "runtime/operator/message.h"
#include "runtime/operator/operators.h"

enum { EMIT_ROWS = 1024,
       AHEAD = 12 };

/* A result that user code or an aggregate could not make. */
typedef struct failed_result {
    uint32_t aggregate;
    window_bounds window;
    uint64_t hash;
} failed_result;

struct emit_space {
    group_list groups;
    char *row_memory;   /* EMIT_ROWS result rows; owned */
    char *state_memory; /* EMIT_ROWS states; owned */
    void *rows[EMIT_ROWS], *states[EMIT_ROWS];
    uint32_t part_first[EMIT_ROWS + 1];
    void **parts;     /* owned */
    entry **found;    /* by pane, then row; owned */
    size_t part_room; /* of both */
    uint32_t asked[EMIT_ROWS];
    entry *like[EMIT_ROWS], *answers[EMIT_ROWS];
    sl_bounds bounds[EMIT_ROWS];
    uint32_t outputs[EMIT_ROWS];
    arena text;
    buf key;              /* of messages about a group */
    failed_result failed; /* the result that failed last; its key in failed_key */
    buf failed_key;
};

/* One emission: a window of an aggregation on this worker. */
typedef struct emission {
    worker *w;
    const batch_view *b;
    uint32_t aggregate;
    const sl_aggregate *plan;
    const sl_step *step;
    outbox *retracted, *boxes;
    pane *const *panes; /* of the window, by start */
    uint32_t pane_count;
    window_bounds window;
    bool final;      /* rows are marked final and sent even if unchanged */
    bool dirty_only; /* only groups touched in this batch */
} emission;

emit_space *emit_space_new(uint32_t largest_row, uint32_t largest_state) {
    emit_space *space = mem_zalloc(1, sizeof *space);
    space->row_memory = mem_alloc_aligned(64, (size_t)EMIT_ROWS * (largest_row ? largest_row : 8));
    space->state_memory =
        mem_alloc_aligned(64, (size_t)EMIT_ROWS * (largest_state ? largest_state : 8));
    arena_init(&space->text, 64 << 10);
    buf_init(&space->key);
    buf_init(&space->failed_key);
    return space;
}

void emit_space_free(emit_space *space) {
    if (!space) return;
    groups_done(&space->groups);
    mem_free(space->row_memory);
    mem_free(space->state_memory);
    mem_free(space->parts);
    mem_free(space->found);
    arena_done(&space->text);
    buf_done(&space->key);
    buf_done(&space->failed_key);
    mem_free(space);
}

static void put_time(sl_row *row, const sl_column *column, int64_t time_ms) {
    *(int64_t *)((char *)row + column->offset) = time_ms;
    nulls_delete(row->nulls, column->null_bit);
}

static void start_row(const emission *m, sl_row *row, const entry *e) {
    const sl_aggregate *plan = m->plan;
    row->time_ms = m->window.end == INT64_MAX ? INT64_MAX : m->window.end - 1;
    row->record = NO_RECORD;
    row->partition = 0;
    row->offset = 0;
    memset(row->nulls, 0xff, plan->null_words * 8u);
    key_read(entry_key(e), e->key_len, plan->group, plan->group_count, row);
    if (plan->window.kind != SL_WINDOW_NONE) {
        put_time(row, &plan->window_start, m->window.start);
        put_time(row, &plan->window_end, m->window.end);
    }
    if (plan->final) {
        const sl_column *column = &plan->final_column;
        *((uint8_t *)row + column->offset) = m->final;
        nulls_delete(row->nulls, column->null_bit);
    }
}

/* The entries of the vector's groups in pane `p` of the window; NULL where it has none. */
static void find_in_pane(const emission *m, const group_item *items, uint32_t count, uint32_t p,
                         entry **found) {
    emit_space *s = m->w->emit;
    uint32_t asked = 0;
    for (uint32_t i = 0; i < count; i++) {
        found[i] = items[i].pane == p ? items[i].entry : NULL;
        /* Unless only dirty entries were listed, an item's pane is the oldest that has it. */
        if (items[i].pane == p || (!m->dirty_only && items[i].pane > p)) continue;
        s->asked[asked] = i;
        s->like[asked++] = items[i].entry;
    }
    table_find_many(m->panes[p], asked, s->like, s->answers);
    for (uint32_t i = 0; i < asked; i++) found[s->asked[i]] = s->answers[i];
}

/* The states of each group, oldest pane first: a copy of the first to merge into, the others as
 * parts. */
static void gather(const emission *m, const group_item *items, uint32_t count) {
    emit_space *s = m->w->emit;
    size_t need = (size_t)m->pane_count * EMIT_ROWS, part_count = 0;
    if (s->part_room < need) {
        s->part_room = need;
        s->parts = mem_realloc(s->parts, need * sizeof *s->parts);
        s->found = mem_realloc(s->found, need * sizeof *s->found);
    }
    for (uint32_t p = 0; p < m->pane_count; p++)
        find_in_pane(m, items, count, p, s->found + (size_t)p * EMIT_ROWS);
    for (uint32_t i = 0; i < count; i++) {
        s->part_first[i] = (uint32_t)part_count;
        s->states[i] = NULL;
        for (uint32_t p = 0; p < m->pane_count; p++) {
            const entry *e = s->found[(size_t)p * EMIT_ROWS + i];
            if (!e) continue;
            if (s->states[i]) {
                s->parts[part_count++] = entry_state(e);
                continue;
            }
            s->states[i] = s->state_memory + (size_t)i * m->plan->state_size;
            memcpy(s->states[i], entry_state(e), m->plan->state_size);
        }
    }
    s->part_first[count] = (uint32_t)part_count;
}

static err *emit_failure(const emission *m, const entry *e) {
    worker *w = m->w;
    emit_space *s = w->emit;
    char window[80] = "";
    s->failed = (failed_result){ m->aggregate, m->window, e->hash };
    buf_reset(&s->failed_key);
    buf_put(&s->failed_key, entry_key(e), e->key_len);
    start_row(m, s->rows[0], e);
    buf_reset(&s->key);
    encode_value(w->group_encoders[m->aggregate], &s->key, s->rows[0], &(uint64_t){ 0 });
    if (m->plan->window.kind != SL_WINDOW_NONE)
        snprintf(window, sizeof window, ", window [%" PRId64 ", %" PRId64 ")", m->window.start,
                 m->window.end);
    return err_new(ERR_SCRIPT, "%s\nwhile making the result of `%.*s`, group %s%s",
                   worker_failure(w), (int)m->plan->name.len, m->plan->name.data, buf_text(&s->key),
                   window);
}

static out_message *add_message(const emission *m, outbox *box, const group_item *item) {
    out_message *message = outbox_add(box);
    message->order = item->order;
    message->window_start = m->window.start;
    message->window_end = m->window.end;
    return message;
}

/* Where the hashes of what was sent for this group stand. */
static uint64_t *sent_hashes(const emission *m, const entry *e) {
    table *sent = m->w->sent[m->aggregate];
    if (!sent) return NULL;
    return entry_state(
        table_touch(sent, table_pane(sent, m->window.start), e->hash, entry_key(e), e->key_len));
}

static void send_row(const emission *m, uint32_t k, const sl_row *row, const group_item *item,
                     uint64_t *sent) {
    uint32_t number = output_number(m->plan->step, k);
    outbox *box = &m->boxes[k];
    size_t len_before = box->bytes.len;
    out_message *message = add_message(m, box, item);
    message_put_key(m->w, number, &m->step->outputs[k], row, box, message);
    message_put_value(m->w, number, row, box, message);
    if (!sent) return;
    uint64_t hash = XXH3_64bits(box->bytes.data + message->value_at, message->value_len) | 1;
    if (m->plan->only_if_changed && !m->final && sent[k] == hash) {
        box->count--;
        box->bytes.len = len_before;
        return;
    }
    sent[k] = hash;
}

static void retract_row(const emission *m, uint32_t k, const sl_row *row, const group_item *item,
                        uint64_t *sent) {
    outbox *box = &m->retracted[k];
    out_message *message = add_message(m, box, item);
    message_put_retraction(m->w, output_number(m->plan->step, k), &m->step->outputs[k], row, box,
                           message);
    sent[k] = 0;
}

static void deliver_row(const emission *m, uint32_t i, const group_item *item) {
    emit_space *s = m->w->emit;
    uint64_t *sent = sent_hashes(m, item->entry);
    for (uint32_t k = 0; k < m->step->output_count; k++) {
        if (s->outputs[i] >> k & 1)
            send_row(m, k, s->rows[i], item, sent);
        else if (sent && sent[k])
            retract_row(m, k, s->rows[i], item, sent);
    }
}

/* Entries lie in memory as they were made, rows leave by hash: fetch what the next rows need. */
static void prefetch(const emission *m, const group_item *items, uint32_t count, uint32_t i) {
    if (i + AHEAD >= count) return;
    const char *at = (const char *)items[i + AHEAD].entry;
    __builtin_prefetch(at);
    __builtin_prefetch(at + sizeof(entry) + m->plan->state_size);
}

/* Make the results of `items` in the space's rows; false: the driver threw. */
static bool make_results(const emission *m, const group_item *items, uint32_t count) {
    worker *w = m->w;
    emit_space *s = w->emit;
    sl_vector *v = w->vector;
    arena_reset(&s->text, 1u << 20);
    for (uint32_t i = 0; i < count; i++) {
        prefetch(m, items, count, i);
        s->rows[i] = s->row_memory + (size_t)i * m->plan->row_size;
        start_row(m, s->rows[i], items[i].entry);
        s->bounds[i] = (sl_bounds){ (double)m->window.start, (double)m->window.end };
    }
    gather(m, items, count);
    v->count = count;
    v->first = 0;
    v->rows = s->rows;
    v->states = s->states;
    v->parts = s->parts;
    v->part_first = s->part_first;
    v->bounds = s->bounds;
    v->outputs = s->outputs;
    v->text = &s->text;
    v->now_ms = m->b->now_ms;
    return script_run(w->script, m->plan->emit_driver);
}

static err *emit_vector(const emission *m, const group_item *items, uint32_t count) {
    worker *w = m->w;
    if (!make_results(m, items, count)) {
        uint32_t failed = w->vector->pos;
        w->failed_at[0] = (uint64_t)m->window.start ^ 1ull << 63;
        w->failed_at[1] = items[failed].order;
        return emit_failure(m, items[failed].entry);
    }
    for (uint32_t i = 0; i < count; i++) deliver_row(m, i, &items[i]);
    return NULL;
}

static err *emit_window(emission *m, bool dirty_only) {
    group_list *groups = &m->w->emit->groups;
    m->dirty_only = dirty_only;
    groups_list(groups, m->panes, m->pane_count, dirty_only, m->b->plan->shards);
    m->w->result_count += groups->count;
    for (uint32_t i = 0; i < groups->count; i += EMIT_ROWS) {
        uint32_t left = groups->count - i;
        err *e = emit_vector(m, groups->items + i, left < EMIT_ROWS ? left : EMIT_ROWS);
        if (e) return e;
    }
    return NULL;
}

static bool has_dirty(pane *const *panes, uint32_t count) {
    uint32_t dirty = 0;
    for (uint32_t i = 0; i < count && !dirty; i++) pane_dirty(panes[i], &dirty);
    return dirty > 0;
}

/* The window's panes among all. */
static void find_panes(emission *m, pane *const *all, uint32_t count, uint32_t near) {
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
    if (closes && (plan->final || plan->mode == SL_APPEND)) return emit_window(m, false);
    if (plan->mode == SL_UPDATE && has_dirty(m->panes, m->pane_count)) return emit_window(m, true);
    return NULL;
}

/* All windows that hold a pane, each once, oldest first; panes that nothing is due for are stepped
 * over. */
static err *visit_windows(emission *m, table *t, bool reached) {
    const sl_window *window = &m->plan->window;
    const aggregate_view *view = &m->b->aggregates[m->aggregate];
    uint32_t count;
    pane *const *panes = table_panes(t, &count);
    int64_t last_start = INT64_MIN;
    bool any = false;
    for (uint32_t i = 0; i < count; i++) {
        bool due = m->plan->mode == SL_COMPLETE
                       ? reached
                       : has_dirty(&panes[i], 1) ||
                             window_next_close(window, pane_start(panes[i]),
                                               view->watermark_before) <= view->watermark_after;
        if (!due) continue;
        window_run run = window_of_pane(window, pane_start(panes[i]));
        while (window_next(window, &run, &m->window)) {
            if (any && m->window.start <= last_start) continue;
            any = true;
            last_start = m->window.start;
            find_panes(m, panes, count, i);
            err *e = visit_window(m, reached);
            if (e) return e;
        }
    }
    return NULL;
}

/* Drop what no open window needs. */
static void evict(const emission *m, table *t) {
    const sl_window *window = &m->plan->window;
    int64_t watermark = m->b->aggregates[m->aggregate].watermark_after;
    table *sent = m->w->sent[m->aggregate];
    uint32_t count;
    if (m->plan->mode == SL_COMPLETE || watermark == WATERMARK_NONE) return;
    pane *const *panes = table_panes(t, &count);
    while (count && window_pane_goes(window, pane_start(panes[0])) <= watermark) {
        table_drop_pane(t, panes[0]);
        panes = table_panes(t, &count);
    }
    if (!sent) return;
    panes = table_panes(sent, &count);
    while (count) {
        int64_t start = pane_start(panes[0]);
        int64_t end =
            window->kind == SL_WINDOW_NONE ? INT64_MAX : saturate_add(start, window->size_ms);
        if (!window_is_late(window, end, watermark)) return;
        table_drop_pane(sent, panes[0]);
        panes = table_panes(sent, &count);
    }
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
    table *t = w->tables[aggregate];
    w->result_count = 0;
    err *e = visit_windows(&m, t, reached);
    if (!e) evict(&m, t);
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
    pane *const *panes = table_panes(w->tables[m.aggregate], &count);
    find_panes(&m, panes, count, 0);
    for (uint32_t p = 0; p < m.pane_count; p++) {
        entry *e =
            table_find(m.panes[p], s->failed.hash, s->failed_key.data, (uint32_t)s->failed_key.len);
        group_item item = { .entry = e, .pane = p };
        if (e) return !make_results(&m, &item, 1);
    }
    return false;
}

bool emit_is_due(const worker *w, const sl_plan *plan, uint32_t aggregate, int64_t before,
                 int64_t watermark) {
    const sl_aggregate *a = &plan->aggregates[aggregate];
    uint32_t count;
    if (a->mode == SL_COMPLETE || watermark == WATERMARK_NONE) return false;
    pane *const *panes = table_panes(w->tables[aggregate], &count);
    for (uint32_t i = 0; i < count; i++) {
        if (!pane_count(panes[i])) continue; /* its only rows were thrown out */
        if (window_next_close(&a->window, pane_start(panes[i]), before) > watermark) continue;
        bool emits = a->mode == SL_APPEND || a->final;
        if (emits || window_pane_goes(&a->window, pane_start(panes[i])) <= watermark) return true;
    }
    return false;
}
