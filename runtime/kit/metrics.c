#include "runtime/kit/metrics.h"

#include <inttypes.h>

#include "runtime/base/json_text.h"

/* The name of a member; a comma before it unless it is the first of its object. */
static void put_name(buf *out, const char *name, size_t len) {
    if (out->data[out->len - 1] != '{') buf_put_char(out, ',');
    json_text_put(out, name, len);
    buf_put_char(out, ':');
}

static void begin(buf *out, const char *name, size_t len) {
    put_name(out, name, len);
    buf_put_char(out, '{');
}

static void put_number(buf *out, const char *name, uint64_t value) {
    put_name(out, name, strlen(name));
    buf_printf(out, "%" PRIu64, value);
}

static void put_watermark(buf *out, int64_t time_ms) {
    if (time_ms == WATERMARK_ENDED) {
        put_name(out, "ended", 5);
        buf_put_text(out, "true");
    } else if (time_ms != WATERMARK_NONE) {
        put_name(out, "watermark", 9);
        buf_printf(out, "%" PRId64, time_ms);
    }
}

static void put_source(buf *out, const input *in) {
    const source_counters *c = &in->counters;
    begin(out, in->plan->name.data, in->plan->name.len);
    put_number(out, "read", c->read);
    put_number(out, "passed", c->passed);
    put_number(out, "filtered", c->filtered);
    put_number(out, "duplicate", c->duplicate);
    put_number(out, "late", c->late);
    put_number(out, "quarantined", c->quarantined);
    put_number(out, "skipped", c->skipped);
    put_number(out, "late_windows", c->late_windows);
    put_number(out, "partly_quarantined", c->partly_quarantined);
    put_watermark(out, in->watermark.time);
    buf_put_char(out, '}');
}

static void put_sink(buf *out, const out_sink *s) {
    begin(out, s->plan->name.data, s->plan->name.len);
    put_number(out, "rows", s->counters.rows);
    put_number(out, "retracted", s->counters.retracted);
    put_number(out, "refused", s->counters.refused);
    buf_put_char(out, '}');
}

void kit_put_metrics(buf *out, const pipeline *p) {
    buf_put_text(out, "{\"sources\":{");
    for (uint32_t i = 0; i < p->input_count; i++) put_source(out, &p->inputs[i]);
    buf_put_text(out, "},\"sinks\":{");
    for (uint32_t i = 0; i < p->out.count; i++) put_sink(out, &p->out.sinks[i]);
    buf_put_text(out, "},\"aggregates\":{");
    for (uint32_t a = 0; a < p->plan->aggregate_count; a++) {
        begin(out, p->plan->aggregates[a].name.data, p->plan->aggregates[a].name.len);
        put_watermark(out, p->stages.aggregates[a].watermark);
        buf_put_char(out, '}');
    }
    buf_put_text(out, "},\"run\":{");
    put_number(out, "batches", p->counters.batches);
    put_number(out, "empty", p->counters.empty_batches);
    put_number(out, "nulled", p->counters.nulled_numbers);
    buf_put_text(out, "}}");
}
