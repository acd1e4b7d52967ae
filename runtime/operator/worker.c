#include "runtime/operator/work.h"

#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/operator/distinct.h"
#include "runtime/operator/emit.h"
#include "runtime/operator/emit_close.h"
#include "runtime/operator/fold.h"
#include "runtime/operator/select.h"
#include "runtime/operator/slide.h"

enum { NOTE_TEXT = 16 << 10 };

static table *new_table(const sl_aggregate *plan) {
    return table_new(&(table_config){ .state_size = plan->state_size,
                                      .state_init = plan->state_init,
                                      .part_count = plan->part_count,
                                      .part_offsets = plan->part_offsets });
}

/* The table that remembers what was sent, where the plan needs one. */
static table *new_sent(const sl_plan *plan, const sl_aggregate *aggregate) {
    uint32_t size = plan->steps[aggregate->step].output_count * (uint32_t)sizeof(uint64_t);
    /* a session's old start is known from its state, unless a filter may have kept it back */
    bool by_state = aggregate->window.kind == SL_WINDOW_SESSION &&
                    !plan->steps[aggregate->step].has_functions;
    bool may_retract = aggregate->has_retractions && !by_state;
    if (!aggregate->only_if_changed && !may_retract) return NULL;
    void *zero = mem_zalloc(1, size);
    table *sent = table_new(&(table_config){ .state_size = size, .state_init = zero });
    mem_free(zero);
    return sent;
}

static void make_tables(worker *w, const sl_plan *plan) {
    uint32_t largest_state = 8, largest_row = 8;
    w->tables = mem_zalloc(plan->aggregate_count, sizeof *w->tables);
    w->expiries = mem_zalloc(plan->aggregate_count, sizeof *w->expiries);
    w->sent = mem_zalloc(plan->aggregate_count, sizeof *w->sent);
    w->group_encoders = mem_zalloc(plan->aggregate_count, sizeof *w->group_encoders);
    for (uint32_t i = 0; i < plan->aggregate_count; i++) {
        const sl_aggregate *a = &plan->aggregates[i];
        w->tables[i] = new_table(a);
        expiry_init(&w->expiries[i], a, w->tables[i]);
        w->sent[i] = new_sent(plan, a);
        w->group_encoders[i] = encoder_new(a->group, a->group_count, SL_TIMES_MS);
        if (a->state_size > largest_state) largest_state = a->state_size;
        if (a->row_size > largest_row) largest_row = a->row_size;
    }
    w->seen = mem_zalloc(plan->distinct_count, sizeof *w->seen);
    for (uint32_t i = 0; i < plan->distinct_count; i++)
        w->seen[i] = seen_keys_new(&plan->distincts[i]);
    onward_list_init(&w->onward);
    w->selector = mem_zalloc(1, sizeof *w->selector);
    w->judge = judge_space_new();
    w->fold = fold_space_new(largest_state);
    w->emit = emit_space_new(largest_row, largest_state);
    w->slides = slides_new(plan);
}

/* The aggregation whose results the step is behind; NULL: it is behind a source. */
static const sl_aggregate *before_step(const sl_plan *plan, uint32_t step) {
    for (uint32_t a = 0; a < plan->aggregate_count; a++)
        if (plan->aggregates[a].step == step) return &plan->aggregates[a];
    return NULL;
}

/* The value's columns; `final` stands in no list and comes last. */
static encoder *value_encoder(const sl_output *output, const sl_aggregate *aggregate,
                              int32_t times) {
    if (!aggregate || !aggregate->final)
        return encoder_new(output->columns, output->column_count, times);
    sl_column *columns = mem_alloc((output->column_count + 1) * sizeof *columns);
    memcpy(columns, output->columns, output->column_count * sizeof *columns);
    columns[output->column_count] = aggregate->final_column;
    encoder *made = encoder_new(columns, output->column_count + 1, times);
    mem_free(columns);
    return made;
}

static bool is_same_column(const sl_column *a, const sl_column *b) {
    return a->offset == b->offset && a->type == b->type && a->name.len == b->name.len &&
           !memcmp(a->name.data, b->name.data, a->name.len);
}

/* How many columns the value begins with that are all of the key; 0: it has others. What is not
 * finite is counted in both, so doubles are written twice. */
static uint32_t key_columns(const sl_output *output, uint32_t step) {
    if (output->key_kind != SL_KEY_OBJECT || output->key_step != step || output->extras) return 0;
    if (output->key_count > output->column_count) return 0;
    for (uint32_t i = 0; i < output->key_count; i++) {
        const sl_column *column = &output->columns[i];
        bool may_be_infinite = column->shape || column->type == SL_DOUBLE;
        if (may_be_infinite || !is_same_column(&output->key[i], column)) return 0;
    }
    return output->key_count;
}

static void make_encoders(worker *w, const sl_plan *plan) {
    w->value_encoders = mem_zalloc((size_t)plan->step_count * SL_MAX_OUTPUTS, sizeof(encoder *));
    w->extras = mem_zalloc((size_t)plan->step_count * SL_MAX_OUTPUTS, sizeof(extras_writer *));
    w->key_encoders = mem_zalloc((size_t)plan->step_count * SL_MAX_OUTPUTS, sizeof(encoder *));
    w->key_columns = mem_zalloc((size_t)plan->step_count * SL_MAX_OUTPUTS, sizeof(uint32_t));
    for (uint32_t s = 0; s < plan->step_count; s++) {
        for (uint32_t k = 0; k < plan->steps[s].output_count; k++) {
            const sl_output *output = &plan->steps[s].outputs[k];
            if (output->kind != SL_TO_SINK) continue;
            w->key_columns[output_number(s, k)] = key_columns(output, s);
            int32_t times = plan->sinks[output->target].times;
            w->extras[output_number(s, k)] = extras_writer_new(output->extras, times);
            w->value_encoders[output_number(s, k)] =
                value_encoder(output, before_step(plan, s), times);
            if (output->key_kind != SL_KEY_RECORD)
                w->key_encoders[output_number(s, k)] =
                    encoder_new(output->key, output->key_count, times);
        }
    }
}

static err *make_decoders(worker *w, const sl_plan *plan) {
    w->decoders = mem_zalloc(plan->source_count, sizeof *w->decoders);
    for (uint32_t i = 0; i < plan->source_count; i++) {
        if (!plan->sources[i].format.len) continue;
        err *e = decoder_new(&plan->sources[i], &w->decoders[i]);
        if (e) return e;
    }
    return NULL;
}

err *worker_new(const sl_plan *plan, script *its_script, uint32_t number, uint32_t count,
                worker **out) {
    worker *w = mem_zalloc(1, sizeof *w);
    w->number = number;
    w->count = count;
    w->script = its_script;
    w->vector = script_vector(its_script);
    note_list_init(&w->own_notes);
    w->notes = &w->own_notes;
    w->laps = &w->own_laps;
    arena_init(&w->note_text, NOTE_TEXT);
    make_tables(w, plan);
    make_encoders(w, plan);
    err *e = make_decoders(w, plan);
    if (e) {
        worker_free(w, plan);
        return e;
    }
    *out = w;
    return NULL;
}

void worker_free(worker *w, const sl_plan *plan) {
    if (!w) return;
    for (uint32_t i = 0; i < plan->source_count; i++) decoder_free(w->decoders[i]);
    for (uint32_t i = 0; i < plan->aggregate_count; i++) {
        expiry_done(&w->expiries[i]);
        table_free(w->tables[i]);
        table_free(w->sent[i]);
        encoder_free(w->group_encoders[i]);
    }
    for (uint32_t i = 0; i < plan->step_count * SL_MAX_OUTPUTS; i++) {
        encoder_free(w->value_encoders[i]);
        encoder_free(w->key_encoders[i]);
        extras_writer_free(w->extras[i]);
    }
    for (uint32_t i = 0; i < plan->distinct_count; i++) seen_keys_free(w->seen[i]);
    onward_list_done(&w->onward);
    selector_done(w->selector);
    mem_free(w->selector);
    judge_space_free(w->judge);
    mem_free(w->decoders);
    mem_free(w->tables);
    mem_free(w->seen);
    mem_free(w->expiries);
    mem_free(w->sent);
    mem_free(w->group_encoders);
    mem_free(w->value_encoders);
    mem_free(w->key_encoders);
    mem_free(w->key_columns);
    mem_free(w->extras);
    fold_space_free(w->fold);
    emit_space_free(w->emit);
    slides_free(w->slides);
    arena_done(&w->note_text);
    buf_done(&w->scratch);
    note_list_done(&w->own_notes);
    script_close(w->script);
    mem_free(w);
}

void worker_begin(worker *w, const sl_plan *plan) {
    w->own_notes.count = 0;
    arena_reset(&w->note_text, NOTE_TEXT);
    for (uint32_t i = 0; i < plan->aggregate_count; i++) {
        expiry_begin(&w->expiries[i]);
        table_epoch_begin(w->tables[i]);
        if (w->sent[i]) table_epoch_begin(w->sent[i]);
    }
    for (uint32_t i = 0; i < plan->distinct_count; i++) seen_keys_begin(w->seen[i]);
}

void worker_end(worker *w, const sl_plan *plan, bool commit) {
    if (!commit) emit_close_forget(w);
    if (!commit) slides_forget(w->slides);
    for (uint32_t i = 0; i < plan->aggregate_count; i++) {
        (commit ? table_commit : table_undo)(w->tables[i]);
        if (!commit) expiry_undo(&w->expiries[i]);
        if (w->sent[i]) (commit ? table_commit : table_undo)(w->sent[i]);
    }
    for (uint32_t i = 0; i < plan->distinct_count; i++) seen_keys_end(w->seen[i], commit);
}

void worker_note(worker *w, note n) {
    n.path = arena_copy(&w->note_text, n.path, strlen(n.path) + 1);
    if (n.reason) n.reason = arena_copy(&w->note_text, n.reason, strlen(n.reason) + 1);
    note_list_add(w->notes, &n);
}

const char *worker_failure(worker *w) {
    buf_reset(&w->scratch);
    buf_put_text(&w->scratch, script_error(w->script));
    const char *details = script_details(w->script);
    if (*details) buf_printf(&w->scratch, "\n%s", details);
    const char *trace = script_traceback(w->script);
    if (*trace) buf_printf(&w->scratch, "\n%s", trace);
    return buf_text(&w->scratch);
}
