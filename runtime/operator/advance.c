/* DESIGN. The phase of functions: the steps of one level over the rows of a chunk, parents before
 * children. A step's rows are those that prepare.c made, the results that go on, those a distinct
 * let pass, or those a flat_map makes; they go through its Lua driver in vectors, then to messages,
 * keys, and the flat_maps behind it.
 *
 * A row that throws in the driver is marked dead for that function and the driver goes on from it,
 * so a vector of n rows and t throws costs n + t, not n * t. */
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/operator/blame.h"
#include "runtime/operator/operators.h"
#include "runtime/script/again.h"

/* Lose everything behind `node` for row `i`; where to go on. A throw that no live node can have
 * made (the watchdog strikes between two) gives the whole row up: the loop must get on. */
static uint32_t lose_node(row_set *set, const sl_step *step, uint32_t i, uint32_t node) {
    bool is_known = node < step->node_count && !(set->dead[i] >> node & 1);
    if (is_known) {
        set->dead[i] |= 1u << node;
        set->threw_at[i] |= step->node_outputs[node];
        return i;
    }
    set->dead[i] = UINT32_MAX;
    set->threw_at[i] = (1u << step->output_count) - 1;
    set->outputs[i] = 0;
    return i + 1;
}

/* Where the functions of a step stand among the notes of a record: behind the flat_map, if it was
 * one, of the output that leads to it. */
static uint32_t order_of_step(const sl_plan *plan, const sl_step *step) {
    if (step->parent == SL_NO_STEP) return 0;
    return 2 * plan->steps[step->parent].outputs[step->parent_output].order + 2;
}

static uint32_t order_of_flat_map(const sl_output *output) {
    return 2 * output->order + 1;
}

/* The driver over rows [at, at + count). */
static err *run_vector(worker *w, const batch_view *b, chunk *c, const sl_step *step, row_set *set,
                       uint32_t at, uint32_t count) {
    uint32_t place = note_place(step->level, PHASE_FUNCTIONS, order_of_step(b->plan, step));
    sl_vector *v = w->vector;
    v->count = count;
    v->rows = set->rows + at;
    v->outputs = set->outputs + at;
    v->dead = set->dead + at;
    v->guarded = 0;
    v->first = 0;
    while (v->first < v->count && !script_run(w->script, step->driver)) {
        if (script_runs_again(w->script)) continue;
        uint32_t i = at + v->pos;
        if (!set->dead[i]) {
            err *e = blame_row(w, b, c, set->rows[i], i, place, "working on");
            if (e) return e;
        }
        v->first = lose_node(set, step, i, v->node) - at;
        v->guarded = 1;
    }
    return NULL;
}

static err *run_driver(worker *w, const batch_view *b, chunk *c, const sl_step *step,
                       row_set *set) {
    if (!set->count) return NULL;
    memset(set->threw_at, 0, set->count * sizeof *set->threw_at);
    if (!step->has_functions) {
        for (uint32_t i = 0; i < set->count; i++)
            set->outputs[i] = (1u << step->output_count) - 1;
        return NULL;
    }
    memset(set->dead, 0, set->count * sizeof *set->dead);
    w->vector->text = &c->text;
    w->vector->now_ms = b->now_ms;
    for (uint32_t at = 0; at < set->count; at += VECTOR_ROWS) {
        uint32_t left = set->count - at;
        err *e = run_vector(w, b, c, step, set, at, left < VECTOR_ROWS ? left : VECTOR_ROWS);
        if (e) return e;
    }
    return NULL;
}

/* The results of a chunk have been through their step when they were made. */
static void take_results(const batch_view *b, chunk *c) {
    const sl_step *step = &b->plan->steps[c->root];
    row_set *set = chunk_set(c, c->root);
    row_set_reset(set, step->row_size, step->null_words);
    row_set_need(set, c->record_count);
    set->count = c->record_count;
    for (uint32_t i = 0; i < set->count; i++) {
        const onward *r = &c->onward[c->first_record + i];
        set->rows[i] = r->row;
        set->outputs[i] = r->outputs & step->going_on;
        set->threw_at[i] = 0;
    }
}

/* The rows that the distinct before the step let pass. */
static void take_passed(const chunk *c, const sl_step *step, row_set *set) {
    const row_set *from = chunk_rows(c, step->parent);
    uint32_t k = step->parent_output, count = 0;
    row_set_reset(set, step->row_size, step->null_words);
    row_set_need(set, from->count);
    for (uint32_t i = 0; i < from->count; i++) {
        uint32_t passed = atomic_load_explicit(&from->passed[i], memory_order_relaxed);
        if (!(passed >> k & 1)) continue;
        set->rows[count] = from->rows[i];
        set->parents[count++] = i;
    }
    set->count = count;
}

static void begin_verdicts(row_set *set) {
    for (uint32_t i = 0; i < set->count; i++) {
        atomic_store_explicit(&set->passed[i], set->outputs[i], memory_order_relaxed);
        atomic_store_explicit(&set->folded_out[i], 0, memory_order_relaxed);
        set->late[i] = 0;
    }
}

/* Take back what a flat_map made for one row. */
static void take_back(row_set *made, uint32_t parent) {
    while (made->count && made->parents[made->count - 1] == parent) made->count--;
}

/* Rows [at, at + count) of `set` that pass to output `k`, through its flat_map into `made`. */
static err *expand_vector(worker *w, const batch_view *b, chunk *c, uint32_t s, uint32_t k,
                          uint32_t at, uint32_t count) {
    const sl_step *step = &b->plan->steps[s];
    const sl_output *output = &step->outputs[k];
    row_set *set = chunk_rows(c, s), *made = chunk_rows(c, output->next);
    void *rows[VECTOR_ROWS];
    uint32_t places[VECTOR_ROWS], taken = 0;
    for (uint32_t i = at; i < at + count; i++) {
        if (!(set->outputs[i] >> k & 1)) continue;
        rows[taken] = set->rows[i];
        places[taken++] = i;
    }
    sl_vector *v = w->vector;
    v->count = taken;
    v->rows = rows;
    made->from_rows = rows;
    made->from_places = places;
    v->grown = made;
    v->text = &c->text;
    v->now_ms = b->now_ms;
    v->first = 0;
    while (v->first < v->count && !script_run(w->script, output->driver)) {
        uint32_t i = places[v->pos];
        take_back(made, i);
        if (script_runs_again(w->script)) continue;
        v->first = v->pos + 1;
        atomic_fetch_and_explicit(&set->passed[i], ~(1u << k), memory_order_relaxed);
        atomic_fetch_or_explicit(&set->folded_out[i], 1u << k, memory_order_relaxed);
        uint32_t place = note_place(step->level, PHASE_FUNCTIONS, order_of_flat_map(output));
        err *e = blame_row(w, b, c, rows[v->pos], i, place, "working on");
        if (e) return e;
    }
    return NULL;
}

static err *expand(worker *w, const batch_view *b, chunk *c, uint32_t s, uint32_t k) {
    const sl_step *next = &b->plan->steps[b->plan->steps[s].outputs[k].next];
    row_set *set = chunk_rows(c, s), *made = chunk_set(c, b->plan->steps[s].outputs[k].next);
    row_set_reset(made, next->row_size, next->null_words);
    row_set_need(made, VECTOR_ROWS);
    for (uint32_t at = 0; at < set->count; at += VECTOR_ROWS) {
        uint32_t left = set->count - at;
        err *e = expand_vector(w, b, c, s, k, at, left < VECTOR_ROWS ? left : VECTOR_ROWS);
        if (e) return e;
    }
    return NULL;
}

/* Bring the rows of step `s` through it. */
static err *advance_step(worker *w, const batch_view *b, chunk *c, uint32_t s) {
    const sl_step *step = &b->plan->steps[s];
    bool is_root = step->parent == SL_NO_STEP, has_run = is_root && c->source == NO_SOURCE;
    row_set *set = chunk_set(c, s);
    if (has_run) take_results(b, c);
    if (!is_root &&
        b->plan->steps[step->parent].outputs[step->parent_output].kind == SL_TO_DISTINCT)
        take_passed(c, step, set);
    err *e = has_run ? NULL : run_driver(w, b, c, step, set);
    if (e) return e;
    begin_verdicts(set);
    for (uint32_t k = 0; !e && k < step->output_count; k++) {
        if (step->outputs[k].kind == SL_TO_EXPAND) e = expand(w, b, c, s, k);
    }
    laps_add(w->laps, LAP_FUNCTIONS);
    if (e) return e;
    write_rows(w, b, c, s);
    laps_add(w->laps, LAP_WRITE);
    group_rows(w, b, c, s);
    laps_add(w->laps, LAP_GROUP);
    return NULL;
}

err *advance_chunk(worker *w, const batch_view *b, chunk *c, uint32_t level) {
    for (uint32_t s = c->root; s < b->plan->step_count; s++) {
        if (b->plan->steps[s].root != c->root || b->plan->steps[s].level != level) continue;
        err *e = advance_step(w, b, c, s);
        if (e) return e;
    }
    return NULL;
}
