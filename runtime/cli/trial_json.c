#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/json_text.h"
#include "runtime/cli/shape.h"
#include "runtime/cli/trial.h"
#include "runtime/cli/trial_thrown.h"
#include "runtime/kit/metrics.h"

static void put_row(buf *out, const outcome_row *r, const sl_output *shape) {
    bool own_key = shape && shape->key_kind == SL_KEY_OBJECT && r->key.data;
    bool own_value = shape && !(shape->extras && shape->extras->value);
    if (r->topic.data) {
        buf_put_text(out, "{\"topic\":");
        json_text_put_bytes(out, r->topic.data, r->topic.len);
        buf_put_char(out, ',');
    } else {
        buf_put_char(out, '{');
    }
    buf_put_text(out, "\"key\":");
    if (own_key)
        buf_put(out, r->key.data, r->key.len);
    else
        json_text_put_bytes(out, r->key.data, r->key.len);
    buf_put_text(out, ",\"value\":");
    if (own_value)
        buf_put(out, r->value.data, r->value.len);
    else
        json_text_put_bytes(out, r->value.data, r->value.len);
    buf_put_char(out, '}');
}

static void put_sink(buf *out, const attempt *t, uint32_t sink) {
    static const char *const MODES[] = { "null", "\"append\"", "\"update\"", "\"complete\"" };
    const outcome_sink *s = &t->outcome->sinks[sink];
    int32_t mode;
    const sl_output *shape = shape_of_sink(t->pipeline.plan, sink, &mode);
    buf_put_text(out, "{\"name\":");
    json_text_put(out, s->name, strlen(s->name));
    buf_printf(out, ",\"mode\":%s,\"messages\":%llu,\"rows\":[", MODES[s->mode],
               (unsigned long long)s->messages);
    for (uint32_t i = 0, put = 0; i < s->count; i++) {
        const outcome_row *r = &s->rows[i];
        for (uint32_t n = outcome_counts(r) ? s->mode ? 1 : r->times : 0; n > 0; n--) {
            if (put++) buf_put_char(out, ',');
            put_row(out, r, shape);
        }
    }
    buf_put_text(out, "]}");
}

static void put_thrown(buf *out, const outcome_row *r, bool is_first) {
    static const char *const NAMES[] = { "topic", "partition", "offset", "kind",
                                         "field", "stage", "reason" };
    buf_put_text(out, is_first ? "{" : ",{");
    for (int i = 0; i < 7; i++) {
        sl_string text = trial_header(r, NAMES[i]);
        bool is_number = i == 1 || i == 2;
        if (!text.len) continue;
        buf_printf(out, "\"%s\":", NAMES[i]);
        if (is_number)
            buf_put(out, text.data, text.len);
        else
            json_text_put_bytes(out, text.data, text.len);
        buf_put_char(out, ',');
    }
    buf_put_text(out, "\"value\":");
    json_text_put_bytes(out, r->value.data, r->value.len);
    buf_put_char(out, '}');
}

static void put_function(void *arg, const trial_timing *f) {
    buf *out = arg;
    if (out->data[out->len - 1] != '[') buf_put_char(out, ',');
    buf_put_text(out, "{\"what\":");
    json_text_put(out, f->what, (size_t)f->what_len);
    buf_put_text(out, ",\"line\":");
    json_text_put(out, f->line, (size_t)f->line_len);
    buf_printf(out, ",\"calls\":%llu,\"ns\":%.1f,\"interpreted\":", (unsigned long long)f->calls,
               f->ns);
    if (f->why_len)
        json_text_put(out, f->why, (size_t)f->why_len);
    else
        buf_put_text(out, "null");
    buf_put_char(out, '}');
}

static void put_ran(buf *out, const attempt *t) {
    const outcome *o = t->outcome;
    bool any = false;
    if (t->kept_ms) buf_printf(out, ",\"sample_taken_ms\":%lld", (long long)t->kept_ms);
    buf_printf(out, ",\"records\":%llu,\"run_ms\":%.1f,\"load_ms\":%.1f,\"ns\":%.0f,\"sinks\":[",
               (unsigned long long)t->records, t->run_ms, t->load_ms, trial_ns(t));
    for (uint32_t i = 0; i < o->count; i++) {
        if (o->sinks[i].is_side) continue;
        if (any) buf_put_char(out, ',');
        any = true;
        put_sink(out, t, i);
    }
    buf_put_text(out, "],\"thrown\":[");
    any = false;
    for (uint32_t s = 0; s < o->count; s++) {
        for (uint32_t i = 0; o->sinks[s].is_side && i < o->sinks[s].count; i++) {
            put_thrown(out, &o->sinks[s].rows[i], !any);
            any = true;
        }
    }
    buf_put_text(out, "],\"functions\":[");
    trial_functions(t, put_function, out);
    buf_put_text(out, "],\"metrics\":");
    kit_put_metrics(out, &t->pipeline);
}

void trial_put_json(buf *out, const attempt *t, const args *a) {
    buf_put_text(out, "{\"script\":");
    json_text_put(out, a->operand, strlen(a->operand));
    buf_put_text(out, ",\"error\":");
    if (t->error)
        json_text_put(out, t->error->message, strlen(t->error->message));
    else
        buf_put_text(out, "null");
    if (t->ran) put_ran(out, t);
    buf_put_text(out, "}\n");
}
