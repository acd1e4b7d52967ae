#include <inttypes.h>
#include <string.h>

#include "runtime/cli/checkpoint_show.h"
#include "runtime/cli/why_show.h"

static const char *const PLACES[] = { "read", "not yet", "before start", "forgotten", "unknown",
                                      "skipped" };
static const char *const FATES[] = { "taken", "filtered", "late", "duplicate", "threw" };
static const char *const KINDS[] = { "aggregation", "distinct", "sink" };

static void put_ms(buf *out, const char *name, int64_t ms) {
    if (ms == INT64_MIN || ms == INT64_MAX) {
        show_json_name(out, name);
        buf_put_text(out, "null");
    } else {
        show_json_number(out, name, ms);
    }
}

static void put_text(buf *out, const char *name, const char *text) {
    if (text) show_json_text(out, name, text);
}

static void put_rows(const why_window *at, buf *out) {
    show_json_name(out, "rows");
    buf_put_char(out, '[');
    for (uint32_t i = 0; i < at->row_count && i < WHY_MOST_ROWS; i++) {
        buf_put_text(out, i ? ",{" : "{");
        show_json_number(out, "batch", (int64_t)at->rows[i].batch);
        show_json_text(out, "sink", at->rows[i].sink);
        put_text(out, "value", at->rows[i].value);
        buf_put_char(out, '}');
    }
    buf_put_char(out, ']');
}

static void put_windows(const why_shown *w, const why_stage *s, buf *out) {
    show_json_name(out, "windows");
    buf_put_char(out, '[');
    for (uint32_t i = 0; i < s->window_count; i++) {
        const why_window *at = &s->windows[i];
        buf_put_text(out, i ? ",{" : "{");
        put_ms(out, "start_ms", s->has_bounds ? at->start : INT64_MIN);
        put_ms(out, "end_ms", s->has_bounds ? at->end : INT64_MIN);
        put_ms(out, "closes_at_ms", at->close_ms);
        show_json_text(out, "state", why_state(w, s, at));
        show_json_name(out, "goes_on");
        buf_put_text(out, at->went_on ? "true" : "false");
        show_json_number(out, "row_count", at->row_count);
        put_rows(at, out);
        buf_put_char(out, '}');
    }
    buf_put_char(out, ']');
}

static void put_behind(const why_stage *s, buf *out) {
    show_json_name(out, "behind");
    buf_put_char(out, '{');
    show_json_number(out, "stage", s->behind);
    put_ms(out, "start_ms", s->from);
    put_ms(out, "end_ms", s->to);
    buf_put_char(out, '}');
}

static void put_stage(const why_shown *w, const why_stage *s, buf *out) {
    buf_put_char(out, '{');
    show_json_text(out, "kind", KINDS[s->kind]);
    show_json_text(out, "name", s->name);
    show_json_text(out, "fate", FATES[s->fate]);
    put_text(out, "key", s->key);
    put_text(out, "filter", s->filter);
    if (s->kind == WHY_AGGREGATION) put_text(out, "filters_behind", s->filters);
    if (s->behind >= 0) put_behind(s, out);
    show_json_number(out, "batch", (int64_t)s->batch);
    if (s->sent.sink) put_text(out, "value", s->sent.value);
    if (s->kind != WHY_SINK) put_ms(out, "watermark_ms", s->watermark);
    if (s->kind == WHY_AGGREGATION) put_windows(w, s, out);
    buf_put_char(out, '}');
}

/* Where the watermarks of the sources stand behind the last batch that was done again. */
static void put_now(const why_shown *w, buf *out) {
    show_json_number(out, "followed_to_batch", (int64_t)w->p->batch - 1);
    put_text(out, "not_followed", w->cut);
    show_json_name(out, "now");
    buf_put_char(out, '[');
    for (uint32_t i = 0; i < w->p->input_count; i++) {
        int64_t high_ms;
        buf_put_text(out, i ? ",{" : "{");
        put_ms(out, "watermark_ms", w->p->inputs[i].watermark.time);
        put_text(out, "slowest", why_slowest(&w->p->inputs[i], &w->facts->memory, &high_ms));
        put_ms(out, "slowest_event_ms", high_ms);
        buf_put_char(out, '}');
    }
    buf_put_char(out, ']');
}

static void put_fields(const why_facts *f, buf *out) {
    if (!f->field_count) return;
    show_json_name(out, "fields");
    buf_put_char(out, '{');
    for (uint32_t i = 0; i < f->field_count; i++) {
        show_json_name(out, f->fields[i].name);
        buf_put_text(out, f->fields[i].value);
    }
    buf_put_char(out, '}');
}

static void put_record(const why_shown *w, buf *out) {
    const why_facts *f = w->facts;
    show_json_number(out, "batch", (int64_t)f->batch);
    show_json_number(out, "processing_time_ms", f->now_ms);
    show_json_text(out, "source", f->source);
    put_text(out, "value", f->value);
    put_text(out, "record_key", f->record_key);
    put_fields(f, out);
    if (f->kafka_ms >= 0) show_json_number(out, "kafka_ms", f->kafka_ms);
    put_ms(out, "event_time_ms", f->time_ms);
    put_ms(out, "watermark_ms", f->watermark);
    show_json_number(out, "delay_ms", f->delay_ms);
    put_text(out, "slowest", f->slowest);
    if (f->slowest) put_ms(out, "slowest_event_ms", f->slowest_ms);
    put_text(out, "bad", f->bad);
    put_text(out, "bad_field", f->bad_field);
    if (f->bad) put_text(out, "bad_fate", f->bad_fate);
    put_text(out, "went_to", f->aside.sink);
    show_json_name(out, "stages");
    buf_put_char(out, '[');
    for (uint32_t i = 0; i < f->stage_count; i++) {
        if (i) buf_put_char(out, ',');
        put_stage(w, &f->stages[i], out);
    }
    buf_put_char(out, ']');
    put_now(w, out);
}

void why_put_json(const why_shown *w, buf *out) {
    bool is_read = w->found->place == WHY_READ;
    buf_put_char(out, '{');
    show_json_text(out, "record", w->what);
    show_json_text(out, "pipeline", w->pipeline);
    bool is_none = is_read && !w->facts->is_seen;
    show_json_text(out, "place", is_none ? "no record" : PLACES[w->found->place]);
    if (!is_read && w->found->place != WHY_UNKNOWN) {
        show_json_number(out, "first", w->found->first);
        show_json_number(out, "next", w->found->next);
    }
    if (is_read && w->facts->is_seen) put_record(w, out);
    buf_put_text(out, "}\n");
}
