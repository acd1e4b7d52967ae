#include "runtime/cli/why_facts.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/event/window.h"

enum { MEMORY_BYTES = 16 << 10 };

void why_facts_init(why_facts *f) {
    *f = (why_facts){ .time_ms = INT64_MIN, .kafka_ms = -1, .watermark = WATERMARK_NONE };
    arena_init(&f->memory, MEMORY_BYTES);
}

void why_facts_done(why_facts *f) { arena_done(&f->memory); }

static const char *keep(why_facts *f, const char *text, size_t len) {
    char *copy = arena_take(&f->memory, len + 1, 1);
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

static const char *keep_string(why_facts *f, const sl_string *s) {
    return s->data ? keep(f, s->data, s->len) : NULL;
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

/* -- the record */

static void look_at_record(why_facts *f, const pipeline *p, const batch_view *b, const chunk *c) {
    const sl_record *r = &b->sources[c->source].records[c->first_record];
    const input *in = &p->inputs[c->source];
    f->is_seen = true;
    f->batch = b->batch;
    f->now_ms = b->now_ms;
    f->source = keep_string(f, &p->plan->sources[c->source].name);
    f->value = keep_string(f, &r->value);
    f->record_key = keep_string(f, &r->key);
    f->kafka_ms = r->time_kind ? r->time_ms : -1;
    f->has_watermark = in->plan->time.has_watermark;
    f->watermark = in->before.time;
    f->delay_ms = in->plan->time.delay_ms;
    f->slowest = why_slowest(in, &f->memory, &f->slowest_ms);
}

static void look_at_notes(why_facts *f, const chunk *c) {
    for (uint32_t i = 0; i < c->notes.count; i++) {
        const note *n = &c->notes.items[i];
        if (n->kind == NOTE_LATE || f->bad) continue;
        f->bad = keep(f, n->reason, strcspn(n->reason, "\n"));
        f->bad_field = *n->path ? keep(f, n->path, strlen(n->path)) : NULL;
        f->threw = n->kind == NOTE_THREW;
        f->bad_fate = n->is_skipped ? "skipped" : "quarantined";
    }
}

/* -- stages */

static const char *key_text(why_facts *f, const sl_column *columns, uint32_t count,
                            const sl_row *row) {
    uint64_t not_finite = 0;
    encoder *e = encoder_new(columns, count, SL_TIMES_MS);
    buf text;
    buf_init(&text);
    encode_value(e, &text, row, &not_finite);
    const char *kept = keep(f, text.data, text.len);
    buf_done(&text);
    encoder_free(e);
    return kept;
}

static void add_key(why_facts *f, why_stage *s, const sl_output *out, const sl_row *row) {
    if (out->kind == SL_TO_SINK) return;
    s->key = key_text(f, out->columns, out->column_count, row);
    s->parts = arena_take(&f->memory, (out->column_count + 1u) * sizeof *s->parts, 8);
    for (uint32_t i = 0; i < out->column_count; i++) {
        const char *one = key_text(f, &out->columns[i], 1, row);
        s->parts[s->part_count++] = keep(f, one + 1, strlen(one) - 2); /* without brackets */
    }
}

static void add_window(why_stage *s, const sl_window *window, window_bounds at, int64_t close_ms) {
    if (s->window_count == WHY_MOST_WINDOWS) return;
    bool is_late = window_is_late(window, at.end, s->watermark);
    s->windows[s->window_count++] = (why_window){
        .start = at.start,
        .end = at.end,
        .close_ms = close_ms,
        .is_late = is_late,
    };
}

static void add_windows(why_facts *f, const sl_aggregate *a, why_stage *s, const sl_row *row) {
    const sl_window *window = &a->window;
    s->windows = arena_take(&f->memory, WHY_MOST_WINDOWS * sizeof *s->windows, 8);
    s->has_bounds = window_has_bounds(window);
    s->is_own = window_is_own(window) || window->kind == SL_WINDOW_ROLLING;
    bool is_complete = a->mode == SL_COMPLETE;
    if (is_complete) s->watermark = WATERMARK_NONE;
    if (window_is_own(window) || window->kind == SL_WINDOW_NONE) {
        window_bounds own = window_own(window, row->time_ms);
        int64_t close = own.end == INT64_MAX || window->kind == SL_WINDOW_NONE
                            ? INT64_MAX
                            : window_close_time(window, own.end);
        add_window(s, window, own, close);
        return;
    }
    window_bounds at;
    window_run run = window_of_pane(window, window_pane_bounds(window, row->time_ms).start);
    while (window_next(&run, &at))
        add_window(s, window, at, is_complete ? INT64_MAX : window_close_time(window, at.end));
}

static why_fate fate_of(const row_set *set, uint32_t i, uint32_t k, int32_t kind) {
    bool threw = (set->threw_at[i] | atomic_load(&set->folded_out[i])) >> k & 1;
    if (threw) return WHY_THREW;
    if (!(set->outputs[i] >> k & 1)) return WHY_FILTERED;
    if (set->late[i] >> k & 1) return WHY_LATE;
    bool passed = atomic_load(&set->passed[i]) >> k & 1;
    return passed || kind != SL_TO_DISTINCT ? WHY_TAKEN : WHY_DUPLICATE;
}

/* The first aggregation behind another one. */
static const char *onward_of(why_facts *f, const sl_plan *plan, uint32_t step) {
    for (uint32_t s = 0; s < plan->step_count; s++)
        for (uint32_t k = 0; plan->steps[s].root == step && k < plan->steps[s].output_count; k++)
            if (plan->steps[s].outputs[k].kind == SL_TO_AGGREGATE)
                return keep_string(f, &plan->aggregates[plan->steps[s].outputs[k].target].name);
    return NULL;
}

static void look_at_output(why_facts *f, const batch_view *b, const row_set *set, uint32_t i,
                           const sl_output *out, uint32_t k) {
    static const why_kind KINDS[] = { [SL_TO_AGGREGATE] = WHY_AGGREGATION,
                                      [SL_TO_DISTINCT] = WHY_DISTINCT,
                                      [SL_TO_SINK] = WHY_SINK };
    const sl_row *row = set->rows[i];
    const sl_string *name = &b->plan->sinks[0].name;
    if (out->kind == SL_TO_EXPAND || f->stage_count == WHY_MOST_STAGES) return;
    why_stage *s = &f->stages[f->stage_count++];
    *s = (why_stage){ .kind = KINDS[out->kind],
                      .index = out->target,
                      .fate = fate_of(set, i, k, out->kind),
                      .watermark = WATERMARK_NONE };
    if (s->kind == WHY_SINK) name = &b->plan->sinks[out->target].name;
    if (s->kind == WHY_DISTINCT) {
        name = &b->plan->distincts[out->target].name;
        s->watermark = b->distincts[out->target].watermark_before;
    }
    if (s->kind == WHY_AGGREGATION) {
        name = &b->plan->aggregates[out->target].name;
        s->watermark = b->aggregates[out->target].watermark_before;
        s->step = b->plan->aggregates[out->target].step;
        s->onward = onward_of(f, b->plan, s->step);
    }
    s->name = keep_string(f, name);
    if (s->fate == WHY_FILTERED || s->fate == WHY_THREW) return;
    add_key(f, s, out, row);
    if (s->kind == WHY_AGGREGATION) add_windows(f, &b->plan->aggregates[out->target], s, row);
}

void why_facts_look(void *arg, const pipeline *p, const batch_view *b, const chunk *c) {
    why_facts *f = arg;
    if (!f->is_seen) look_at_record(f, p, b, c);
    look_at_notes(f, c);
    const row_set *root = chunk_rows(c, c->root);
    if (root->count && p->plan->sources[c->source].time.kind != SL_TIME_NONE)
        f->time_ms = ((const sl_row *)root->rows[0])->time_ms;
    for (uint32_t s = 0; s < p->plan->step_count; s++) {
        const sl_step *step = &p->plan->steps[s];
        if (step->root != c->root || !root->count) continue;
        const row_set *set = chunk_rows(c, s);
        for (uint32_t i = 0; i < set->count; i++)
            for (uint32_t k = 0; k < step->output_count; k++)
                look_at_output(f, b, set, i, &step->outputs[k], k);
    }
}

/* -- rows */

static bool is_header(const sl_header *h, const char *name, const char *value) {
    return h->name.len == strlen(name) && !memcmp(h->name.data, name, h->name.len) &&
           h->value.len == strlen(value) && !memcmp(h->value.data, value, h->value.len);
}

/* Whether a message for late or bad records is this record. */
static bool is_record(const probe *at, const sl_message *m) {
    char number[16], offset[24];
    int found = 0;
    snprintf(number, sizeof number, "%" PRId32, at->number);
    snprintf(offset, sizeof offset, "%" PRId64, at->offset);
    for (uint32_t i = 0; i < m->header_count; i++)
        found += is_header(&m->headers[i], "sluice.topic", at->topic) ||
                 is_header(&m->headers[i], "sluice.partition", number) ||
                 is_header(&m->headers[i], "sluice.offset", offset);
    return found == 3;
}

static bool read_number(const char *value, const char *name, int64_t *number) {
    const char *at = strstr(value, name);
    if (!at) return false;
    *number = strtoll(at + strlen(name), NULL, 10);
    return true;
}

/* Whether a result is of the row's window: its group's columns, and its bounds, stand in it. */
static bool is_of(const why_facts *f, const why_stage *s, const why_window *w, const char *value) {
    int64_t start, end;
    for (uint32_t i = 0; i < s->part_count; i++)
        if (!strstr(value, s->parts[i])) return false;
    if (!s->has_bounds) return true;
    if (!read_number(value, "\"window_start\":", &start) ||
        !read_number(value, "\"window_end\":", &end))
        return false;
    if (s->is_own) return start <= f->time_ms && f->time_ms < end;
    return start == w->start && end == w->end;
}

static void add_row(why_window *w, why_row row) {
    uint32_t at = w->row_count++;
    if (at >= WHY_MOST_ROWS) {
        memmove(&w->rows[1], &w->rows[2], (WHY_MOST_ROWS - 2) * sizeof *w->rows);
        at = WHY_MOST_ROWS - 1;
    }
    w->rows[at] = row;
}

/* Whether results of the stage come to the sink without another one between. */
static bool feeds_sink(const sl_plan *plan, const why_stage *s, const sl_string *name) {
    for (uint32_t n = 0; n < plan->sink_count; n++) {
        const sl_sink *sink = &plan->sinks[n];
        if (sink->name.len != name->len || memcmp(sink->name.data, name->data, name->len)) continue;
        for (uint32_t i = 0; i < sink->feed_count; i++)
            if (plan->steps[sink->feeds[i].step].root == s->step) return true;
    }
    return false;
}

void why_facts_row(why_facts *f, const probe *at, const sl_plan *plan, uint64_t batch,
                   const sl_sink *sink, const sl_message *m) {
    if (sink->is_side) {
        if (!f->aside.sink && is_record(at, m))
            f->aside = (why_row){ .batch = batch, .sink = keep_string(f, &sink->name) };
        return;
    }
    const sl_string *shown = m->value.data ? &m->value : &m->key;
    if (!f->is_seen || !shown->data) return;
    char *text = mem_copy_text(shown->data, shown->len);
    for (uint32_t i = 0; i < f->stage_count; i++) {
        why_stage *s = &f->stages[i];
        if (s->kind != WHY_AGGREGATION || !feeds_sink(plan, s, &sink->name)) continue;
        for (uint32_t n = 0; n < s->window_count; n++) {
            why_window *w = &s->windows[n];
            if (s->fate != WHY_TAKEN || w->is_late || !is_of(f, s, w, text)) continue;
            add_row(w, (why_row){ .batch = batch,
                                  .sink = keep_string(f, &sink->name),
                                  .value = m->value.data ? keep(f, text, shown->len) : NULL });
        }
    }
    mem_free(text);
}

bool why_facts_settled(const why_facts *f, const pipeline *p) {
    for (uint32_t i = 0; i < f->stage_count; i++) {
        const why_stage *s = &f->stages[i];
        if (s->kind != WHY_AGGREGATION || s->fate != WHY_TAKEN) continue;
        const stage_run *run = &p->stages.aggregates[s->index];
        for (uint32_t n = 0; n < s->window_count; n++) {
            const why_window *w = &s->windows[n];
            if (w->is_late || w->close_ms == INT64_MAX) continue;
            bool is_open = run->watermark == WATERMARK_NONE || run->watermark < w->close_ms ||
                           run->closing.is_open;
            if (is_open || (s->is_own && !w->row_count)) return false;
        }
    }
    return true;
}
