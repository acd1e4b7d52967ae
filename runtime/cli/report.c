#include "runtime/cli/report.h"

#include <inttypes.h>
#include <stdio.h>

#include "runtime/base/json_text.h"
#include "runtime/base/mem.h"
#include "runtime/flow/backfill.h"
#include "runtime/flow/budget.h"
#include "runtime/flow/keeper.h"
#include "runtime/flow/local.h"
#include "runtime/flow/shadow.h"
#include "runtime/operator/stored.h"
#include "state/base.h"

enum {
    SAMPLE_MS = 1000, /* between two samples, or a part of what lies between two batches */
    SAMPLES_A_BATCH = 15,
    LEAST_SPAN_MS = 5000, /* of samples that say something */
    MOST_PARTITIONS = 1000,
};

/* -- how it has gone */

void report_note(report_rates *r, const status_facts *f) {
    status_facts rows = *f;
    rows.read = f->rows;
    status_rate_add(&r->in, f, f->at_ms);
    status_rate_add(&r->out, &rows, f->at_ms);
    int64_t gap_ms = f->every_ms / SAMPLES_A_BATCH;
    if (gap_ms < SAMPLE_MS) gap_ms = SAMPLE_MS;
    uint32_t last = (r->next + REPORT_SAMPLES - 1) % REPORT_SAMPLES;
    if (r->count && f->at_ms - r->samples[last].at_ms < gap_ms) return;
    r->samples[r->next].at_ms = f->at_ms;
    r->samples[r->next].lag = f->lag;
    r->next = (r->next + 1) % REPORT_SAMPLES;
    if (r->count < REPORT_SAMPLES) r->count++;
}

int64_t report_done_ms(const report_rates *r, const status_facts *f, int64_t now_ms) {
    if (f->lag < 0) return -1;
    double usual = r->in.rate > 0 ? r->in.rate * (double)(f->every_ms + 2 * SAMPLE_MS) / 1000 : 0;
    if ((double)f->lag <= usual || !f->lag) return now_ms;
    if (!r->count) return -1;
    uint32_t oldest = (r->next + REPORT_SAMPLES - r->count) % REPORT_SAMPLES;
    int64_t span_ms = f->at_ms - r->samples[oldest].at_ms;
    int64_t less = r->samples[oldest].lag - f->lag;
    if (span_ms < LEAST_SPAN_MS || less <= 0) return -1;
    return now_ms + (int64_t)((double)f->lag * (double)span_ms / (double)less);
}

/* -- JSON */

static void put_text(buf *out, const char *name, const sl_string *text) {
    json_put_name(out, name);
    json_text_put(out, text->data ? text->data : "", text->data ? text->len : 0);
}

static void put_flag(buf *out, const char *name, bool is_so) {
    json_put_name(out, name);
    buf_put_text(out, is_so ? "true" : "false");
}

/* `none`: the number that means null. */
static void put_or_null(buf *out, const char *name, int64_t number, int64_t none) {
    json_put_name(out, name);
    if (number == none)
        buf_put_text(out, "null");
    else
        buf_printf(out, "%" PRId64, number);
}

static void begin(buf *out, const char *name, char bracket) {
    json_put_name(out, name);
    buf_put_char(out, bracket);
}

/* An element of a list. */
static void begin_item(buf *out) {
    buf_put_text(out, out->data[out->len - 1] == '[' ? "{" : ",{");
}

static void put_time(buf *out, int64_t time_ms) {
    json_put_name(out, "watermark");
    if (time_ms == WATERMARK_ENDED)
        buf_put_text(out, "\"ended\"");
    else if (time_ms == WATERMARK_NONE)
        buf_put_text(out, "null");
    else
        buf_printf(out, "%" PRId64, time_ms);
}

static void put_counters(buf *out, const source_counters *c) {
    json_put_number(out, "read", (int64_t)c->read);
    json_put_number(out, "passed", (int64_t)c->passed);
    json_put_number(out, "filtered", (int64_t)c->filtered);
    json_put_number(out, "duplicate", (int64_t)c->duplicate);
    json_put_number(out, "late", (int64_t)c->late);
    json_put_number(out, "quarantined", (int64_t)(c->quarantined + c->partly_quarantined));
    json_put_number(out, "skipped", (int64_t)c->skipped);
    json_put_number(out, "lost", (int64_t)c->lost);
}

static void put_partitions(buf *out, const input *in) {
    begin(out, "partitions", '[');
    for (uint32_t i = 0; i < in->partition_count && i < MOST_PARTITIONS; i++) {
        const sl_partition *at = &in->partitions[i];
        const watermark_partition *time =
            i < in->watermark.count ? &in->watermark.partitions[i] : NULL;
        int64_t position = input_position(in, i);
        bool is_known = at->end != INT64_MAX;
        begin_item(out);
        json_put_text(out, "topic", at->topic);
        json_put_number(out, "partition", at->number);
        json_put_number(out, "position", position);
        put_or_null(out, "end", at->end, INT64_MAX);
        put_or_null(out, "lag", is_known && at->end > position ? at->end - position : 0,
                    is_known ? -1 : 0);
        put_or_null(out, "event_time", time ? time->high : WATERMARK_NONE, WATERMARK_NONE);
        put_flag(out, "is_idle", time && time->is_idle);
        put_flag(out, "is_stalled", at->is_stalled);
        buf_put_char(out, '}');
    }
    buf_put_char(out, ']');
}

/* Event time of the partition that holds the source back; without one the highest of all. */
static int64_t event_time_of(const input *in, int64_t slowest) {
    const watermark_source *wm = &in->watermark;
    if (slowest >= 0 && slowest < wm->count) return wm->partitions[slowest].high;
    int64_t high = WATERMARK_NONE;
    for (uint32_t i = 0; i < wm->count; i++)
        if (wm->partitions[i].high > high) high = wm->partitions[i].high;
    return high;
}

static void put_source(buf *out, const input *in, int64_t now_ms) {
    begin_item(out);
    put_text(out, "name", &in->plan->name);
    put_or_null(out, "lag", input_backlog(in), INT64_MAX);
    put_flag(out, "has_watermark", in->plan->time.has_watermark);
    put_time(out, in->plan->time.has_watermark ? in->watermark.time : WATERMARK_NONE);
    bool is_on = in->plan->time.has_watermark && in->watermark.time != WATERMARK_ENDED;
    int64_t slowest = is_on ? watermark_slowest(&in->watermark) : -1;
    if (slowest >= 0 && slowest < in->partition_count) {
        char holder[160];
        snprintf(holder, sizeof holder, "%.120s/%" PRId32, in->partitions[slowest].topic,
                 in->partitions[slowest].number);
        json_put_text(out, "held_by", holder);
    }
    put_flag(out, "is_idle", is_on && watermark_is_all_idle(&in->watermark));
    int64_t high = event_time_of(in, slowest);
    put_or_null(out, "event_time", high, WATERMARK_NONE);
    put_or_null(out, "behind_ms", high == WATERMARK_NONE ? INT64_MIN : now_ms - high, INT64_MIN);
    put_counters(out, &in->counters);
    json_put_number(out, "partition_count", in->partition_count);
    put_partitions(out, in);
    buf_put_char(out, '}');
}

static void put_sinks(buf *out, const delivery *d) {
    begin(out, "sinks", '[');
    for (uint32_t i = 0; i < d->count; i++) {
        const out_sink *s = &d->sinks[i];
        begin_item(out);
        put_text(out, "name", &s->plan->name);
        put_flag(out, "is_side", s->plan->is_side);
        json_put_number(out, "rows", (int64_t)s->counters.rows);
        json_put_number(out, "retracted", (int64_t)s->counters.retracted);
        json_put_number(out, "refused", (int64_t)s->counters.refused);
        buf_put_char(out, '}');
    }
    buf_put_char(out, ']');
}

static void put_memory(buf *out, const pipeline *p) {
    buf name = { 0 };
    begin(out, "state_size", '{');
    json_put_number(out, "memory_bytes", (int64_t)budget_used(p));
    size_t limit = budget_bytes(p);
    put_or_null(out, "limit_bytes", limit < SIZE_MAX / 4 ? (int64_t)limit : -1, -1);
    bool has_base = p->local && p->local->base;
    json_put_number(out, "disk_bytes", has_base ? (int64_t)base_bytes(p->local->base) : 0);
    json_put_number(out, "spilled_panes", (int64_t)p->counters.spilled_panes);
    begin(out, "operators", '[');
    for (uint32_t i = 0; i < stored_count(p->plan); i++) {
        if (!stored_table(crew_worker(p->crew, 0), p->plan, i)) continue;
        begin_item(out);
        json_put_text(out, "name", stored_name(p->plan, i, &name));
        json_put_number(out, "groups", (int64_t)budget_groups(p, i));
        buf_put_char(out, '}');
    }
    buf_put_text(out, "]}");
    buf_done(&name);
}

static void put_checkpoint(buf *out, const pipeline *p, int64_t now_ms) {
    const keeper *k = p->keeper;
    if (!k) {
        buf_put_text(out, ",\"checkpoint\":null");
        return;
    }
    char object[96];
    pointer_object(&k->current, object);
    begin(out, "checkpoint", '{');
    json_put_text(out, "url", k->store.url);
    json_put_text(out, "ledger", k->ops->name);
    json_put_text(out, "object", object);
    json_put_number(out, "next_batch", (int64_t)k->current.batch);
    int64_t ago_ms = clock_steady_ms(p->system.clock) - k->committed_ms;
    put_or_null(out, "committed_ms", k->committed_ms ? now_ms - ago_ms : -1, -1);
    json_put_number(out, "took_ms", k->commit_ms);
    json_put_text(out, "delivery",
                  k->plan->delivery == SL_EXACTLY_ONCE ? "exactly-once" : "at-least-once");
    buf_put_char(out, '}');
}

/* Another text that does the same batches. */
static void put_shadow(buf *out, const pipeline *p) {
    if (!p->shadow) return;
    begin(out, "shadow", '{');
    shadow_put(p->shadow, out, false);
    buf_put_char(out, '}');
}

static void put_batch(buf *out, const pipeline *p, const status_facts *f) {
    begin(out, "batch", '{');
    json_put_number(out, "next", (int64_t)p->batch);
    json_put_number(out, "done", (int64_t)f->batches);
    json_put_number(out, "empty", (int64_t)p->counters.empty_batches);
    json_put_number(out, "took_ms", p->batch_ms);
    json_put_number(out, "redelivered", (int64_t)p->counters.redelivered);
    put_or_null(out, "next_ms", f->next_ms, 0);
    buf_put_char(out, '}');
}

static void put_rate(buf *out, const char *name, double rate) {
    json_put_name(out, name);
    if (rate < 0)
        buf_put_text(out, "null");
    else
        buf_printf(out, "%.1f", rate);
}

/* What a reload is waiting for. */
static void put_filling(buf *out, const pipeline *p) {
    uint64_t done, left;
    if (!backfill_progress(p, &done, &left)) return;
    begin(out, "filling", '{');
    json_put_number(out, "records", (int64_t)done);
    json_put_number(out, "left", (int64_t)left);
    buf_put_char(out, '}');
}

void report_put(buf *out, const pipeline *p, const status_facts *f, const report_rates *r) {
    int64_t now_ms = clock_now_ms(p->system.clock);
    char *path = mem_copy_text(p->plan->script.data, p->plan->script.len);
    buf_put_text(out, f->is_stopping ? "\"state\":\"stopping\"" : "\"state\":\"running\"");
    json_put_text(out, "script", path);
    buf_printf(out, ",\"script_hash\":\"%016" PRIx64 "\"", p->plan->script_hash);
    json_put_number(out, "workers", crew_count(p->crew));
    put_batch(out, p, f);
    begin(out, "rate", '{');
    put_rate(out, "in", r->in.rate);
    put_rate(out, "out", r->out.rate);
    buf_put_char(out, '}');
    put_or_null(out, "lag", f->lag, -1);
    put_or_null(out, "caught_up_ms", report_done_ms(r, f, now_ms), -1);
    begin(out, "sources", '[');
    for (uint32_t i = 0; i < p->input_count; i++) put_source(out, &p->inputs[i], now_ms);
    buf_put_char(out, ']');
    put_sinks(out, &p->out);
    put_memory(out, p);
    put_checkpoint(out, p, now_ms);
    put_filling(out, p);
    put_shadow(out, p);
    mem_free(path);
}
