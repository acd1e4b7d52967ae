/* DESIGN. A worker folds the rows whose shard it owns, chunk after chunk, in the batch's order: how
 * many workers there are changes no bit. States are resolved for the whole vector (with prefetch),
 * then one Lua driver runs all aggregates of the query in one loop.
 *
 * When user code throws, the row is given up and nothing of it stays: its state is put back from
 * `scratch` (or, with a fold_batch, all states of the range from a copy, and the range is halved
 * until the row is found), and a group that only this row had made or touched is as it was. */
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/operator/fold.h"
#include "runtime/operator/operators.h"

/* Where a pane's dirty list ended before this vector: what stands behind it and is new was made in
 * it. */
typedef struct pane_mark {
    pane *pane;
    uint32_t dirty_before;
} pane_mark;

struct fold_space {
    uint32_t count;
    uint32_t indices[VECTOR_ROWS]; /* place of each row in its chunk */
    pane *panes[VECTOR_ROWS];
    uint64_t hashes[VECTOR_ROWS];
    const char *keys[VECTOR_ROWS];
    uint32_t key_lens[VECTOR_ROWS];
    void *rows[VECTOR_ROWS];
    void *states[VECTOR_ROWS];
    bool given_up[VECTOR_ROWS];
    pane_mark marks[VECTOR_ROWS];
    uint32_t mark_count;
    uint32_t state_size;
    char *scratch; /* one state; owned */
    char *saved;   /* VECTOR_ROWS states, with a fold_batch; owned */
    size_t saved_room;
};

fold_space *fold_space_new(uint32_t largest_state) {
    fold_space *space = mem_zalloc(1, sizeof *space);
    space->scratch = mem_alloc(largest_state ? largest_state : 8);
    return space;
}

void fold_space_free(fold_space *space) {
    if (!space) return;
    mem_free(space->scratch);
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

/* Pick this worker's rows and find their panes. */
static void select_rows(worker *w, const batch_view *b, const chunk *c, uint32_t k, table *t) {
    const grouping *g = &c->groups[k];
    fold_space *f = w->fold;
    uint32_t shard_mask = b->plan->shards - 1;
    int64_t last_start = 0;
    pane *last = NULL;
    f->count = f->mark_count = 0;
    for (uint32_t i = 0; i < g->count; i++) {
        if (w->count > 1 && (g->hashes[i] & shard_mask) % w->count != w->number) continue;
        if (!last || g->panes[i] != last_start) {
            last = table_pane(t, last_start = g->panes[i]);
            mark_pane(f, last);
        }
        uint32_t n = f->count++;
        f->indices[n] = g->indices[i];
        f->panes[n] = last;
        f->hashes[n] = g->hashes[i];
        f->keys[n] = g->keys[i];
        f->key_lens[n] = g->key_lens[i];
        f->rows[n] = c->rows[g->indices[i]];
    }
}

static err *give_up(worker *w, const batch_view *b, chunk *c, uint32_t k, uint32_t n) {
    fold_space *f = w->fold;
    uint32_t i = f->indices[n];
    const sl_row *row = f->rows[n];
    if (b->plan->on_error == SL_ON_ERROR_FAIL) {
        w->failed_at[1] = (uint64_t)k << 32 | i;
        const sl_partition *p = &b->sources[c->source].partitions[row->partition];
        return err_new(ERR_SCRIPT,
                       "%s\nwhile folding %s:%d:%lld; on_error = \"fail\" stops here, "
                       "\"quarantine\" would go on",
                       worker_failure(w), p->topic, p->number, (long long)row->offset);
    }
    f->given_up[n] = true;
    atomic_fetch_and_explicit(&c->passed[i], ~(1u << k), memory_order_relaxed);
    atomic_fetch_or_explicit(&c->folded_out[i], 1u << k, memory_order_relaxed);
    worker_note(w, (note){ .kind = NOTE_THREW,
                           .place = note_place(PHASE_FOLD, k),
                           .source = c->source,
                           .record = row->record,
                           .path = "",
                           .reason = worker_failure(w) });
    return NULL;
}

static err *fold_rows(worker *w, const batch_view *b, chunk *c, uint32_t k, const sl_output *output,
                      bool *threw) {
    fold_space *f = w->fold;
    sl_vector *v = w->vector;
    v->count = f->count;
    for (v->first = 0; v->first < v->count && !script_run(w->script, output->driver);
         v->first = v->pos + 1) {
        memcpy(f->states[v->pos], f->scratch, f->state_size);
        *threw = true;
        err *e = give_up(w, b, c, k, v->pos);
        if (e) return e;
    }
    return NULL;
}

/* Fold rows [first, end); when something throws, put the states back and try halves. */
static err *fold_range(worker *w, const batch_view *b, chunk *c, uint32_t k,
                       const sl_output *output, uint32_t first, uint32_t end, bool *threw) {
    fold_space *f = w->fold;
    sl_vector *v = w->vector;
    table *t = w->tables[output->target];
    size_t size = f->state_size;
    if (first == end) return NULL;
    for (uint32_t i = first; i < end; i++) memcpy(f->saved + i * size, f->states[i], size);
    table_epoch_next(t);
    v->first = first;
    v->count = end;
    if (script_run(w->script, output->driver)) return NULL;
    for (uint32_t i = end; i > first; i--)
        memcpy(f->states[i - 1], f->saved + (i - 1) * size, size);
    table_epoch_undo(t);
    *threw = true;
    if (end - first == 1) return give_up(w, b, c, k, first);
    uint32_t middle = first + (end - first) / 2;
    err *e = fold_range(w, b, c, k, output, first, middle, threw);
    return e ? e : fold_range(w, b, c, k, output, middle, end, threw);
}

static bool has_survivor(const fold_space *f, const void *state) {
    for (uint32_t i = 0; i < f->count; i++)
        if (f->states[i] == state && !f->given_up[i]) return true;
    return false;
}

/* Make the entry of `state` as if this vector had never met it: gone if it made it, else
 * untouched. */
static void forget_entry(const fold_space *f, table *t, pane *p, void *state) {
    uint32_t from = 0, count;
    for (uint32_t i = 0; i < f->mark_count; i++)
        if (f->marks[i].pane == p) from = f->marks[i].dirty_before;
    entry *const *dirty = pane_dirty(p, &count);
    for (uint32_t i = from; i < count; i++) {
        if (entry_state(dirty[i]) != state) continue;
        (dirty[i]->old ? table_untouch : table_delete)(t, p, dirty[i]);
        return;
    }
}

/* A group must neither exist nor be emitted because of a row that was given up. */
static void forget_orphans(const fold_space *f, table *t) {
    for (uint32_t i = 0; i < f->count; i++)
        if (f->given_up[i] && !has_survivor(f, f->states[i]))
            forget_entry(f, t, f->panes[i], f->states[i]);
}

static err *fold_output(worker *w, const batch_view *b, chunk *c, uint32_t k,
                        const sl_output *output) {
    const sl_aggregate *plan = &b->plan->aggregates[output->target];
    table *t = w->tables[output->target];
    fold_space *f = w->fold;
    select_rows(w, b, c, k, t);
    if (!f->count) return NULL;
    table_touch_many(t, f->count, f->panes, f->hashes, f->keys, f->key_lens, f->states);
    f->state_size = plan->state_size;
    sl_vector *v = w->vector;
    v->rows = f->rows;
    v->states = f->states;
    v->scratch = f->scratch;
    v->table = t;
    v->places = b->sources[c->source].places;
    v->now_ms = b->now_ms;
    bool threw = false;
    if (plan->user_code != SL_NO_USER_CODE) memset(f->given_up, 0, f->count * sizeof *f->given_up);
    err *e;
    if (plan->user_code == SL_USER_BATCHES) {
        size_t need = (size_t)VECTOR_ROWS * plan->state_size;
        if (f->saved_room < need) f->saved = mem_realloc(f->saved, f->saved_room = need);
        e = fold_range(w, b, c, k, output, 0, f->count, &threw);
    } else {
        e = fold_rows(w, b, c, k, output, &threw);
    }
    if (!e && threw) forget_orphans(f, t);
    return e;
}

err *fold_chunk(worker *w, const batch_view *b, chunk *c) {
    const sl_step *step = &b->plan->steps[b->plan->sources[c->source].step];
    for (uint32_t k = 0; k < step->output_count; k++) {
        if (step->outputs[k].kind != SL_TO_AGGREGATE) continue;
        err *e = fold_output(w, b, c, k, &step->outputs[k]);
        if (e) return e;
    }
    return NULL;
}
