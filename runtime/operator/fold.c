/* DESIGN. A worker folds the rows whose shard it owns, chunk after chunk, in the batch's order: how
 * many workers there are changes no bit. States are resolved for the whole vector (with prefetch),
 * then one Lua driver runs all aggregates of the query in one loop.
 *
 * When user code throws, the row is given up and nothing of it stays: its state is put back from
 * `scratch` (or, with a fold_batch, all states of the range from a copy, and the range is halved
 * until the row is found), and a group that only this row had made or touched is as it was. */
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/operator/blame.h"
#include "runtime/operator/fetch.h"
#include "runtime/operator/fold.h"
#include "runtime/operator/operators.h"
#include "runtime/operator/select.h"
#include "runtime/operator/stored.h"
#include "runtime/script/again.h"
#include "state/spill.h"

/* Where a pane's dirty list ended before this vector: what stands behind it and is new was made in
 * it. */
typedef struct pane_mark {
    pane *pane;
    uint32_t dirty_before;
} pane_mark;

/* Rows that find a state for themselves and for others. */
typedef struct leads {
    pane *panes[VECTOR_ROWS];
    uint64_t hashes[VECTOR_ROWS];
    const char *keys[VECTOR_ROWS];
    uint32_t key_lens[VECTOR_ROWS];
    void *states[VECTOR_ROWS];
    uint16_t of[VECTOR_ROWS]; /* by row of the run: the number of its lead */
    uint32_t count;
} leads;

/* A pane of the run, found by a hash of its start. */
typedef struct near_pane {
    int64_t start; /* Unix ms */
    pane *pane;    /* NULL: none has this place */
} near_pane;

enum { NEAR_BITS = 6 };
static const uint64_t GOLDEN = UINT64_C(0x9e3779b97f4a7c15); /* Knuth, TAOCP 3, 6.4 */

struct fold_space {
    near_pane near[1 << NEAR_BITS];
    pane *panes[VECTOR_ROWS];
    void *states[VECTOR_ROWS];
    bool given_up[VECTOR_ROWS];
    pane_mark marks[VECTOR_ROWS];
    uint32_t mark_count;
    leads leads;
    uint32_t state_size;
    char *scratch; /* one state; owned */
    arena text;    /* of one vector: text that functions of aggregates give */
    char *saved;   /* VECTOR_ROWS states, with a fold_batch; owned */
    size_t saved_room;
};

/* A run of rows on its way into one aggregation. */
typedef struct fold_run {
    worker *w;  /* who folds */
    worker *of; /* whose state it is */
    const batch_view *b;
    chunk *c;
    uint32_t aggregate;
    const sl_aggregate *plan;
    const selection *rows;
    fold_space *f;
    table *t;
    bool threw;
} fold_run;

fold_space *fold_space_new(uint32_t largest_state) {
    fold_space *space = mem_zalloc(1, sizeof *space);
    space->scratch = mem_alloc(largest_state ? largest_state : 8);
    arena_init(&space->text, 64 << 10);
    return space;
}

void fold_space_free(fold_space *space) {
    if (!space) return;
    mem_free(space->scratch);
    arena_done(&space->text);
    mem_free(space->saved);
    mem_free(space);
}

static void mark_pane(fold_space *f, pane *p) {
    for (uint32_t i = f->mark_count; i > 0; i--)
        if (f->marks[i - 1].pane == p) return;
    pane_mark *mark = &f->marks[f->mark_count++];
    mark->pane = p;
    pane_dirty(p, &mark->dirty_before);
}

/* The panes of the run's rows. Those of neighbouring panes come mixed: which is next would be a
 * guess. */
static void find_panes(const fold_run *run) {
    fold_space *f = run->f;
    const selection *rows = run->rows;
    f->mark_count = 0;
    memset(f->near, 0, sizeof f->near);
    for (uint32_t n = 0; n < rows->count; n++) {
        int64_t start = rows->panes[n];
        near_pane *near = &f->near[(uint64_t)start * GOLDEN >> (64 - NEAR_BITS)];
        if (near->start != start || !near->pane) {
            *near = (near_pane){ start, table_pane(run->t, start) };
            mark_pane(f, near->pane);
        }
        f->panes[n] = near->pane;
    }
}

/* Choose leads: rows with the key of one before them, byte for byte in one place (group.c), and its
 * pane, follow it. False: too few do. */
static bool choose_leads(const fold_run *run) {
    enum { BITS = 8,
           PATIENCE = 64 };
    leads *l = &run->f->leads;
    const selection *rows = run->rows;
    struct {
        const char *key;
        const pane *pane;
        uint32_t number;
    } last[1 << BITS] = { 0 };
    l->count = 0;
    for (uint32_t n = 0; n < rows->count; n++) {
        uint32_t place = (uint32_t)(rows->hashes[n] >> (64 - BITS));
        if (last[place].key != rows->keys[n] || last[place].pane != run->f->panes[n]) {
            uint32_t number = l->count++;
            last[place].key = l->keys[number] = rows->keys[n];
            last[place].pane = l->panes[number] = run->f->panes[n];
            last[place].number = number;
            l->hashes[number] = rows->hashes[n];
            l->key_lens[number] = rows->key_lens[n];
            if (number > PATIENCE + n / 4) return false;
        }
        l->of[n] = (uint16_t)last[place].number;
    }
    return true;
}

/* The states of the run's rows. */
static void touch_states(const fold_run *run) {
    fold_space *f = run->f;
    leads *l = &f->leads;
    const selection *rows = run->rows;
    if (!choose_leads(run)) {
        table_touch_many(run->t, rows->count, f->panes, rows->hashes, rows->keys, rows->key_lens,
                         f->states);
        return;
    }
    table_touch_many(run->t, l->count, l->panes, l->hashes, l->keys, l->key_lens, l->states);
    for (uint32_t n = 0; n < rows->count; n++) f->states[n] = l->states[l->of[n]];
}

static err *give_up(fold_run *run, uint32_t n) {
    const select_cursor *from = select_from(run->w->selector, n);
    uint32_t i = run->rows->indices[n];
    const sl_row *row = run->rows->rows[n];
    run->threw = true;
    run->w->failed_at[1] = (uint64_t)run->aggregate << 56 | (uint64_t)row->record << 24 |
                           (from->output->order & 0xffffff);
    run->f->given_up[n] = true;
    atomic_fetch_and_explicit(&from->set->passed[i], ~from->bit, memory_order_relaxed);
    atomic_fetch_or_explicit(&from->set->folded_out[i], from->bit, memory_order_relaxed);
    uint32_t place = note_place(from->level, PHASE_SHARD, from->output->order + 1);
    return blame_row(run->w, run->b, run->c, row, i, place, "folding");
}

/* Only what breaks a call that takes too much of time or memory stops a loop without user code, at
 * any place of it: what it did to the states cannot be told. */
static err *broken(const fold_run *run) {
    return err_new(ERR_SCRIPT, "%s\nwhile folding into `%.*s`", worker_failure(run->w),
                   (int)run->plan->name.len, run->plan->name.data);
}

static err *fold_rows(fold_run *run) {
    fold_space *f = run->f;
    sl_vector *v = run->w->vector;
    v->count = run->rows->count;
    v->first = 0;
    while (v->first < v->count && !script_run(run->w->script, run->rows->driver)) {
        if (run->plan->user_code == SL_NO_USER_CODE) return broken(run);
        memcpy(f->states[v->pos], f->scratch, f->state_size);
        if (script_runs_again(run->w->script)) continue;
        v->first = v->pos + 1;
        err *e = give_up(run, v->pos);
        if (e) return e;
    }
    return NULL;
}

/* Fold rows [first, end); when something throws, put the states back and try halves. */
static err *fold_range(fold_run *run, uint32_t first, uint32_t end) {
    fold_space *f = run->f;
    sl_vector *v = run->w->vector;
    size_t size = f->state_size;
    if (first == end) return NULL;
    for (uint32_t i = first; i < end; i++) memcpy(f->saved + i * size, f->states[i], size);
    table_epoch_next(run->t);
    v->first = first;
    v->count = end;
    if (script_run(run->w->script, run->rows->driver)) return NULL;
    for (uint32_t i = end; i > first; i--)
        memcpy(f->states[i - 1], f->saved + (i - 1) * size, size);
    table_epoch_undo(run->t);
    if (end - first == 1) return give_up(run, first);
    uint32_t middle = first + (end - first) / 2;
    err *e = fold_range(run, first, middle);
    return e ? e : fold_range(run, middle, end);
}

static bool has_survivor(const fold_run *run, const void *state) {
    for (uint32_t i = 0; i < run->rows->count; i++)
        if (run->f->states[i] == state && !run->f->given_up[i]) return true;
    return false;
}

/* Make the entry of `state` as if this run had never met it: gone if it made it, else
 * untouched. */
static void forget_entry(const fold_space *f, table *t, pane *p, void *state) {
    uint32_t from = 0, count;
    for (uint32_t i = 0; i < f->mark_count; i++)
        if (f->marks[i].pane == p) from = f->marks[i].dirty_before;
    entry *const *dirty = pane_dirty(p, &count);
    for (uint32_t i = from; i < count; i++) {
        if (entry_state(dirty[i]) != state) continue;
        (table_is_new(t, dirty[i]) ? table_delete : table_untouch)(t, p, dirty[i]);
        return;
    }
}

/* A group must neither exist nor be emitted because of a row that was given up. */
static void forget_orphans(const fold_run *run) {
    const fold_space *f = run->f;
    for (uint32_t i = 0; i < run->rows->count; i++)
        if (f->given_up[i] && !has_survivor(run, f->states[i]))
            forget_entry(f, run->t, f->panes[i], f->states[i]);
}

/* Keep the times of the rows that were folded, where windows go by them. */
static void note_times(const fold_run *run) {
    const fold_space *f = run->f;
    for (uint32_t i = 0; i < run->rows->count; i++) {
        if (run->plan->user_code != SL_NO_USER_CODE && f->given_up[i]) continue;
        sl_span *span = (sl_span *)((char *)f->states[i] + run->plan->span_offset);
        int64_t time_ms = ((const sl_row *)run->rows->rows[i])->time_ms;
        if (time_ms < span->first_ms) span->first_ms = time_ms;
        if (time_ms > span->last_ms) span->last_ms = time_ms;
    }
}

/* Groups that should have gone, but were in the base alone, begin anew. */
static void renew_past(const fold_run *run) {
    const fold_space *f = run->f;
    const sl_aggregate *plan = run->plan;
    const expiry *x = &run->of->expiries[run->aggregate];
    int64_t watermark = run->b->aggregates[run->aggregate].watermark_before;
    if (!x->calendar || !pane_is_cached(f->panes[0])) return;
    for (uint32_t n = 0; n < run->rows->count; n++) {
        char *state = f->states[n];
        if (!expiry_is_past(x, entry_of(state), watermark)) continue;
        for (uint32_t i = 0; i < plan->part_count; i++)
            sl_part_set(run->t, (sl_part *)(void *)(state + plan->part_offsets[i]), NULL, 0);
        memcpy(state, plan->state_init, plan->state_size);
    }
}

/* Places of partitions (vector.h) of rows that are results. */
static const double NO_PLACES[1] = { 0 };

static err *fold_selected(fold_run *run) {
    fold_space *f = run->f;
    const selection *rows = run->rows;
    const sl_aggregate *plan = run->plan;
    find_panes(run);
    err *e = fetch_rows(run->of, run->b->plan, stored_groups_number(run->aggregate), rows->count,
                        f->panes, rows->hashes, rows->keys, rows->key_lens);
    if (e) return e;
    touch_states(run);
    renew_past(run);
    f->state_size = plan->state_size;
    sl_vector *v = run->w->vector;
    v->rows = run->w->selector->rows.rows;
    v->states = f->states;
    v->scratch = f->scratch;
    arena_reset(&f->text, 1 << 20);
    v->text = &f->text;
    v->table = run->t;
    v->places = run->c->source == NO_SOURCE ? NO_PLACES : run->b->sources[run->c->source].places;
    v->now_ms = run->b->now_ms;
    run->threw = false;
    if (plan->user_code != SL_NO_USER_CODE)
        memset(f->given_up, 0, rows->count * sizeof *f->given_up);
    if (plan->user_code == SL_USER_BATCHES) {
        size_t need = (size_t)VECTOR_ROWS * plan->state_size;
        if (f->saved_room < need) f->saved = mem_realloc(f->saved, f->saved_room = need);
        e = fold_range(run, 0, rows->count);
    } else {
        e = fold_rows(run);
    }
    if (!e && plan->has_span) note_times(run);
    if (!e && run->threw) forget_orphans(run);
    return e;
}

err *fold_chunk(worker *w, worker *of, const batch_view *b, chunk *c, uint32_t level) {
    for (uint32_t a = 0; a < b->plan->aggregate_count; a++) {
        const sl_aggregate *plan = &b->plan->aggregates[a];
        if (plan->level != level) continue;
        if (!select_begin(w->selector, b, c, plan->feeds, plan->feed_count)) continue;
        fold_run run = { .w = w,
                         .of = of,
                         .b = b,
                         .c = c,
                         .aggregate = a,
                         .plan = plan,
                         .rows = &w->selector->rows,
                         .f = w->fold,
                         .t = of->tables[a] };
        while (select_next(w->selector, of)) {
            err *e = fold_selected(&run);
            if (e) return e;
        }
    }
    return NULL;
}
