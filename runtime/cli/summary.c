#include "runtime/cli/summary.h"

#include <inttypes.h>
#include <stdio.h>

#include "runtime/base/mem.h"
#include "runtime/cli/text.h"
#include "runtime/flow/blank.h"

static void put_name(buf *out, const sl_string *name) {
    buf_put(out, name->data, name->len);
    buf_put_text(out, ": ");
}

static void put_part(buf *out, bool *first, uint64_t count, const char *name) {
    if (!count && strcmp(name, "passed")) return;
    buf_put_text(out, *first ? " = " : " + ");
    *first = false;
    text_put_count(out, count);
    buf_printf(out, " %s", name);
}

static void put_source(buf *out, const input *in) {
    const source_counters *c = &in->counters;
    bool first = true;
    put_name(out, &in->plan->name);
    buf_put_text(out, "read ");
    text_put_count(out, c->read);
    put_part(out, &first, c->passed, "passed");
    put_part(out, &first, c->filtered, "filtered out");
    put_part(out, &first, c->duplicate, "duplicate");
    put_part(out, &first, c->late, "late");
    put_part(out, &first, c->quarantined, "quarantined");
    put_part(out, &first, c->skipped, "skipped");
    if (c->late_windows) {
        buf_put_text(out, "; late for a window ");
        text_put_count(out, c->late_windows);
        buf_put_text(out, c->late_windows == 1 ? " time" : " times");
    }
    if (c->partly_quarantined) {
        buf_put_text(out, "; passed, but thrown out of a branch ");
        text_put_count(out, c->partly_quarantined);
    }
    if (c->lost) {
        buf_put_text(out, "; lost before they were read ");
        text_put_count(out, c->lost);
    }
    buf_put_char(out, '\n');
}

static void put_sink(buf *out, const out_sink *s) {
    const sink_counters *c = &s->counters;
    if (s->plan->is_side && !c->rows) return;
    put_name(out, &s->plan->name);
    text_put_count(out, c->rows);
    buf_put_text(out, s->plan->is_side ? c->rows == 1 ? " record" : " records"
                      : c->rows == 1   ? " row"
                                       : " rows");
    buf_put_text(out, " written");
    if (c->retracted) buf_printf(out, ", %" PRIu64 " of them retractions", c->retracted);
    if (c->refused) buf_printf(out, "; %" PRIu64 " refused", c->refused);
    buf_put_char(out, '\n');
}

static void put_drift(buf *out, const drift *d) {
    for (uint32_t i = 0; i < d->count; i++) {
        const drift_entry *e = &d->items[i];
        buf_printf(out, "unknown field `%s` ", e->path);
        text_put_count(out, e->count);
        buf_printf(out, " times, since %s/%" PRId32 " @ %" PRId64 "\n", e->topic, e->partition,
                   e->offset);
    }
    if (!d->others) return;
    text_put_count(out, d->others);
    buf_put_text(out, " sightings of further unknown fields\n");
}

static void put_blanks(buf *out, const input *in) {
    for (uint32_t i = 0; i < in->plan->field_count; i++) {
        const blank_field *f = &in->blanks[i];
        const sl_string *name = &in->plan->fields[i].column.name;
        const sl_partition *at = &in->partitions[f->partition];
        if (!f->told) continue;
        buf_printf(out, "field `%.*s` null in the last ", (int)name->len, name->data);
        text_put_count(out, f->run);
        buf_printf(out, " records, since %s/%" PRId32 " @ %" PRId64 "\n", at->topic, at->number,
                   f->offset);
    }
}

static void put_run(buf *out, const pipeline *p, int64_t ran_ms) {
    const run_counters *c = &p->counters;
    text_put_count(out, c->batches);
    buf_put_text(out, c->batches == 1 ? " batch" : " batches");
    if (c->empty_batches) buf_printf(out, ", %" PRIu64 " of them empty", c->empty_batches);
    if (p->keeper && p->batch > c->batches)
        buf_printf(out, ", %" PRIu64 " over all runs", p->batch);
    if (c->redelivered)
        buf_printf(out, ", outputs delivered again %" PRIu64 " times", c->redelivered);
    if (c->overran) buf_printf(out, ", %" PRIu64 " longer than the trigger's interval", c->overran);
    if (c->nulled_numbers)
        buf_printf(out, ", %" PRIu64 " infinite or undefined numbers written as null",
                   c->nulled_numbers);
    buf_printf(out, ", in %.1f s\n", (double)ran_ms / 1000);
}

static void log_blanks(const input *in, logger *log) {
    for (uint32_t i = 0; i < in->plan->field_count; i++) {
        const blank_field *f = &in->blanks[i];
        if (!f->told) continue;
        const sl_string *name = &in->plan->fields[i].column.name;
        const sl_partition *at = &in->partitions[f->partition];
        char *field = mem_copy_text(name->data, name->len);
        log_info(log, "null field, in all", log_text("field", field), log_text("topic", at->topic),
                 log_number("partition", at->number), log_number("offset", f->offset),
                 log_number("count", f->run));
        mem_free(field);
    }
}

static void log_drift(const drift *d, logger *log) {
    for (uint32_t i = 0; i < d->count; i++)
        log_info(log, "unknown field, in all", log_text("field", d->items[i].path),
                 log_text("topic", d->items[i].topic),
                 log_number("partition", d->items[i].partition),
                 log_number("offset", d->items[i].offset), log_number("count", d->items[i].count));
}

void summary_put_records(buf *out, const pipeline *p, const drift *d) {
    for (uint32_t i = 0; i < p->input_count; i++) put_source(out, &p->inputs[i]);
    put_drift(out, d);
    for (uint32_t i = 0; i < p->input_count; i++) put_blanks(out, &p->inputs[i]);
}

void summary_say(const pipeline *p, const drift *d, logger *log, bool for_people, int64_t ran_ms) {
    if (!for_people) {
        pipeline_summary(p, log);
        log_drift(d, log);
        for (uint32_t i = 0; i < p->input_count; i++) log_blanks(&p->inputs[i], log);
        return;
    }
    buf out;
    buf_init(&out);
    for (uint32_t i = 0; i < p->input_count; i++) put_source(&out, &p->inputs[i]);
    for (uint32_t i = 0; i < p->out.count; i++) put_sink(&out, &p->out.sinks[i]);
    put_drift(&out, d);
    for (uint32_t i = 0; i < p->input_count; i++) put_blanks(&out, &p->inputs[i]);
    put_run(&out, p, ran_ms);
    fwrite(out.data, 1, out.len, stderr);
    buf_done(&out);
}
