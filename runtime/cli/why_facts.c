#include "runtime/cli/why_facts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/cli/plan_options.h"
#include "runtime/codec/encode.h"

enum { MEMORY_BYTES = 16 << 10 };

void why_facts_init(why_facts *f) {
    *f = (why_facts){ .time_ms = INT64_MIN, .kafka_ms = -1, .watermark = WATERMARK_NONE };
    arena_init(&f->memory, MEMORY_BYTES);
}

void why_facts_done(why_facts *f) { arena_done(&f->memory); }

const char *why_keep(why_facts *f, const char *text, size_t len) {
    char *copy = arena_take(&f->memory, len + 1, 1);
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

const char *why_keep_string(why_facts *f, const sl_string *s) {
    return s->data ? why_keep(f, s->data, s->len) : NULL;
}

const char *why_json(why_facts *f, const sl_column *columns, uint32_t count, const sl_row *row) {
    uint64_t not_finite = 0;
    encoder *e = encoder_new(columns, count, SL_TIMES_MS);
    buf text;
    buf_init(&text);
    encode_value(e, &text, row, &not_finite);
    const char *kept = why_keep(f, text.data, text.len);
    buf_done(&text);
    encoder_free(e);
    return kept;
}

const char *why_slowest(const input *in, arena *memory, int64_t *high_ms) {
    int64_t slowest = watermark_slowest(&in->watermark);
    *high_ms = WATERMARK_NONE;
    if (slowest < 0) return NULL;
    const sl_partition *p = &in->partitions[slowest];
    size_t room = strlen(p->topic) + 16;
    char *text = arena_take(memory, room, 1);
    snprintf(text, room, "%s:%" PRId32, p->topic, p->number);
    *high_ms = in->watermark.partitions[slowest].high;
    return text;
}

/* -- texts */

static uint32_t find_aggregate(const sl_plan *plan, const char *name) {
    for (uint32_t i = 0; i < plan->aggregate_count; i++)
        if (plan_is(&plan->aggregates[i].name, name)) return i;
    return WHY_GONE;
}

/* Another text may have come: its aggregations go on with the state that had their name. */
void why_facts_meet(why_facts *f, const pipeline *p) {
    if (!f->is_seen || f->text_hash == p->plan->script_hash) return;
    f->text_hash = p->plan->script_hash;
    for (uint32_t i = 0; i < f->stage_count; i++)
        if (f->stages[i].kind == WHY_AGGREGATION && f->stages[i].index != WHY_GONE)
            f->stages[i].index = find_aggregate(p->plan, f->stages[i].name);
}

void why_facts_step(why_facts *f, const pipeline *p) {
    why_facts_meet(f, p);
    for (uint32_t i = 0; i < f->stage_count; i++) {
        why_stage *s = &f->stages[i];
        if (s->kind == WHY_AGGREGATION && s->index != WHY_GONE)
            s->reached = p->stages.aggregates[s->index].watermark;
    }
}

/* -- the record */

static void look_at_record(why_facts *f, const pipeline *p, const batch_view *b, const chunk *c) {
    const sl_record *r = &b->sources[c->source].records[c->first_record];
    const input *in = &p->inputs[c->source];
    f->is_seen = true;
    f->text_hash = p->plan->script_hash;
    f->batch = b->batch;
    f->now_ms = b->now_ms;
    f->source = why_keep_string(f, &p->plan->sources[c->source].name);
    f->value = why_keep_string(f, &r->value);
    f->record_key = why_keep_string(f, &r->key);
    f->kafka_ms = r->time_kind ? r->time_ms : -1;
    f->has_watermark = in->plan->time.has_watermark;
    f->watermark = in->before.time;
    f->delay_ms = in->plan->time.delay_ms;
    f->slowest = why_slowest(in, &f->memory, &f->slowest_ms);
    f->source_index = c->source;
    f->record_index = c->first_record;
}

/* Its fields as they were decoded, in the script's order: {"name":value} without the brackets. */
static void look_at_fields(why_facts *f, const sl_source *source, const sl_row *row) {
    why_field *fields = arena_take(&f->memory, (source->field_count + 1u) * sizeof *fields, 8);
    for (uint32_t i = 0; i < source->field_count; i++) {
        sl_column column = source->fields[i].column;
        const char *name = why_keep_string(f, &column.name);
        const sl_column unnamed = { .name = { .data = "", .len = 0 },
                                    .offset = column.offset,
                                    .null_bit = column.null_bit,
                                    .type = column.type,
                                    .exact = column.exact,
                                    .shape = column.shape };
        const char *text = why_json(f, &unnamed, 1, row) + strlen("{\"\":");
        fields[i] = (why_field){ name, why_keep(f, text, strlen(text) - 1) };
    }
    f->fields = fields;
    f->field_count = source->field_count;
}

static void look_at_notes(why_facts *f, const chunk *c) {
    for (uint32_t i = 0; i < c->notes.count; i++) {
        const note *n = &c->notes.items[i];
        if (n->kind == NOTE_LATE || f->bad) continue;
        f->bad = why_keep(f, n->reason, strcspn(n->reason, "\n"));
        f->bad_field = *n->path ? why_keep(f, n->path, strlen(n->path)) : NULL;
        f->threw = n->kind == NOTE_THREW;
        f->bad_fate = n->is_skipped ? "skipped" : "quarantined";
    }
}

void why_facts_look(void *arg, const pipeline *p, const batch_view *b, const chunk *c) {
    why_facts *f = arg;
    if (!f->is_seen) look_at_record(f, p, b, c);
    look_at_notes(f, c);
    const row_set *root = chunk_rows(c, c->root);
    const sl_source *source = &p->plan->sources[c->source];
    if (root->count && source->time.kind != SL_TIME_NONE)
        f->time_ms = ((const sl_row *)root->rows[0])->time_ms;
    if (root->count && !f->field_count) look_at_fields(f, source, root->rows[0]);
    for (uint32_t s = 0; s < p->plan->step_count; s++) {
        const sl_step *step = &p->plan->steps[s];
        if (step->root != c->root || !root->count) continue;
        for (uint32_t i = 0; i < chunk_rows(c, s)->count; i++)
            for (uint32_t k = 0; k < step->output_count; k++)
                why_look_at_output(f, p, b, c, s, i, k);
    }
}

/* -- results that go on */

/* Which of the chunk's results row `i` of step `s` stems from. */
static uint32_t result_of(const sl_plan *plan, const chunk *c, uint32_t s, uint32_t i) {
    while (s != c->root) {
        i = chunk_rows(c, s)->parents[i];
        s = plan->steps[s].parent;
    }
    return i;
}

/* What is behind result `of`, which is of a window of stage `stage`. */
static void look_behind(why_facts *f, const pipeline *p, const batch_view *b, const chunk *c,
                        uint32_t of, uint32_t stage) {
    const onward *result = &c->onward[c->first_record + of];
    for (uint32_t s = 0; s < p->plan->step_count; s++) {
        const sl_step *step = &p->plan->steps[s];
        if (step->root != c->root) continue;
        for (uint32_t i = 0; i < chunk_rows(c, s)->count; i++) {
            if (result_of(p->plan, c, s, i) != of) continue;
            for (uint32_t k = 0; k < step->output_count; k++) {
                uint32_t count = f->stage_count;
                why_look_at_output(f, p, b, c, s, i, k);
                if (f->stage_count == count) continue;
                why_stage *made = &f->stages[count];
                made->behind = (int32_t)stage;
                made->from = result->window_start;
                made->to = result->window_end;
            }
        }
    }
}

void why_facts_results(void *arg, const pipeline *p, const batch_view *b, const chunk *c) {
    why_facts *f = arg;
    why_facts_meet(f, p);
    uint32_t known = f->stage_count;
    for (uint32_t i = 0; f->is_seen && i < c->record_count; i++) {
        const onward *r = &c->onward[c->first_record + i];
        for (uint32_t n = 0; n < known; n++) {
            why_window *w = why_window_of(&f->stages[n], c->aggregate, r->order, r->window_start,
                                          r->window_end);
            if (!w) continue;
            w->went_on = true;
            look_behind(f, p, b, c, i, n);
            break;
        }
    }
}

bool why_facts_settled(const why_facts *f, const pipeline *p) {
    for (uint32_t i = 0; i < f->stage_count; i++) {
        const why_stage *s = &f->stages[i];
        if (s->kind != WHY_AGGREGATION || s->fate != WHY_TAKEN || s->index == WHY_GONE) continue;
        const stage_run *run = &p->stages.aggregates[s->index];
        for (uint32_t n = 0; n < s->window_count; n++) {
            const why_window *w = &s->windows[n];
            if (w->is_late || w->close_ms == INT64_MAX) continue;
            bool is_open = run->watermark == WATERMARK_NONE || run->watermark < w->close_ms ||
                           run->closing.is_open;
            if (is_open || (s->is_own && !w->row_count && !w->went_on)) return false;
        }
    }
    return true;
}
