#include "runtime/cli/status.h"

#include <inttypes.h>
#include <stdio.h>

#include "runtime/cli/text.h"
#include "runtime/flow/commit.h"

enum {
    BUSY_MS = 1000,  /* longer than any wait between two collections */
    QUIET_MS = 2000, /* without records the rate is 0 after that, or after two gaps */
    GAP_BETWEEN = 2
};

static void collect_time(status_facts *f, const pipeline *p) {
    const input *slowest = NULL;
    for (uint32_t i = 0; i < p->input_count; i++) {
        const input *in = &p->inputs[i];
        if (!in->plan->time.has_watermark) continue;
        if (!slowest || in->watermark.time < slowest->watermark.time) slowest = in;
    }
    if (!slowest) return;
    f->has_watermark = true;
    f->watermark = slowest->watermark.time;
    int64_t by = watermark_slowest(&slowest->watermark);
    if (by < 0 || by >= slowest->partition_count || f->watermark == WATERMARK_ENDED) return;
    snprintf(f->held_by, sizeof f->held_by, "%s/%" PRId32, slowest->partitions[by].topic,
             slowest->partitions[by].number);
}

static int64_t every_ms_of(const sl_plan *plan) {
    if (plan->trigger == SL_INTERVAL) return plan->interval_ms;
    return plan->checkpoint.url.data ? plan->checkpoint.commit_interval_ms : 0;
}

void status_collect(status_facts *f, const pipeline *p) {
    *f = (status_facts){ .at_ms = clock_steady_ms(p->system.clock) };
    for (uint32_t i = 0; i < p->input_count; i++) {
        const source_counters *c = &p->inputs[i].counters;
        int64_t backlog = input_backlog(&p->inputs[i]);
        f->read += c->read;
        f->late += c->late;
        f->bad += c->quarantined + c->skipped;
        f->lag = backlog == INT64_MAX || f->lag < 0 ? -1 : f->lag + backlog;
    }
    for (uint32_t i = 0; i < p->out.count; i++)
        if (!p->out.sinks[i].plan->is_side) f->rows += p->out.sinks[i].counters.rows;
    f->batches = p->counters.batches;
    f->batch = p->batch;
    f->is_stopping = *p->system.stop != 0;
    if (p->plan->trigger == SL_INTERVAL && p->trigger.due_ms > clock_now_ms(p->system.clock))
        f->next_ms = p->trigger.due_ms;
    f->every_ms = every_ms_of(p->plan);
    f->is_committing = commit_is_beside(p);
    if (f->is_committing) f->at_ms = commit_began_ms(p); /* its batch is not over before */
    collect_time(f, p);
}

/* Nothing has come for `gap_ms`. Main does not collect while it works. */
static bool is_quiet(const status_rate *r, const status_facts *f, int64_t gap_ms, int64_t now_ms) {
    if (gap_ms <= QUIET_MS) return false;
    bool is_idle = now_ms - f->at_ms <= BUSY_MS && !f->is_committing;
    return gap_ms > 2 * (is_idle ? f->every_ms : r->gap_ms);
}

void status_rate_add(status_rate *r, const status_facts *f, int64_t now_ms) {
    int64_t gap = now_ms - r->at_ms;
    uint64_t read = f->read;
    if (!r->at_ms) {
        *r = (status_rate){ .read = read, .at_ms = now_ms, .rate = -1 };
    } else if (read == r->read) {
        if (r->rate >= 0 && is_quiet(r, f, gap, now_ms)) r->rate = 0;
    } else if (gap > 0) {
        double rate = (double)(read - r->read) * 1000.0 / (double)gap;
        bool is_smooth = r->rate > 0 && gap < QUIET_MS;
        *r = (status_rate){
            .read = read,
            .at_ms = now_ms,
            .gap_ms = gap,
            .rate = is_smooth ? (r->rate + rate) / 2 : rate,
        };
    }
}

enum { PART_COUNT = 8 };

/* A piece of the line; those of low weight go first when it is too wide. */
typedef struct part {
    uint32_t from, len; /* in the text of all parts */
    uint32_t width;
    uint32_t weight; /* 0: left out */
} part;

static void end_part(part *parts, uint32_t *count, const buf *text, uint32_t weight) {
    uint32_t from = *count ? parts[*count - 1].from + parts[*count - 1].len : 0;
    uint32_t len = (uint32_t)text->len - from;
    uint32_t width = text_width(text->data + from, len);
    parts[(*count)++] = (part){ from, len, width, len ? weight : 0 };
}

static void put_phase(buf *text, const status_facts *f, int64_t now_ms, int64_t silent_ms) {
    bool is_busy = silent_ms > BUSY_MS;
    if (f->is_stopping) buf_put_text(text, "stopping");
    if (is_busy && f->is_stopping) buf_put_text(text, ", ");
    if (is_busy) {
        buf_printf(text, "batch %" PRIu64 " runs for ", f->batch);
        text_put_span(text, silent_ms);
    }
    if (f->is_stopping || is_busy || f->next_ms <= now_ms) return;
    buf_put_text(text, "next results in ");
    text_put_span(text, f->next_ms - now_ms);
}

static void put_watermark(buf *text, const status_facts *f, int64_t now_ms) {
    if (!f->has_watermark) return;
    buf_put_text(text, "watermark ");
    if (f->watermark == WATERMARK_NONE)
        buf_put_text(text, "none yet");
    else if (f->watermark == WATERMARK_ENDED)
        buf_put_text(text, "ended");
    else
        text_put_time(text, f->watermark, now_ms);
}

static void put_number(buf *text, const char *name, int64_t number) {
    buf_put_text(text, name);
    if (number < 0)
        buf_put_char(text, '?');
    else
        text_put_count(text, (uint64_t)number);
}

static uint32_t fit(part *parts, uint32_t count, uint32_t width) {
    for (;;) {
        uint32_t sum = 0, least = UINT32_MAX;
        for (uint32_t i = 0; i < count; i++) {
            if (!parts[i].weight) continue;
            sum += parts[i].width + (sum ? GAP_BETWEEN : 0);
            if (least == UINT32_MAX || parts[i].weight < parts[least].weight) least = i;
        }
        if (sum <= width || least == UINT32_MAX) return sum;
        parts[least].weight = 0;
    }
}

void status_put_line(buf *out, const status_facts *f, double rate, int64_t now_ms,
                     int64_t silent_ms, uint32_t width) {
    part parts[PART_COUNT];
    uint32_t count = 0;
    buf text;
    buf_init(&text);
    if (rate >= 0) text_put_count(&text, (uint64_t)(rate + 0.5));
    if (rate >= 0) buf_put_text(&text, " rec/s");
    end_part(parts, &count, &text, 9);
    put_number(&text, "lag ", f->lag);
    end_part(parts, &count, &text, 7);
    put_watermark(&text, f, now_ms);
    end_part(parts, &count, &text, 6);
    if (*f->held_by) buf_printf(&text, "held by %s", f->held_by);
    end_part(parts, &count, &text, 1);
    put_number(&text, "late ", (int64_t)f->late);
    end_part(parts, &count, &text, 3);
    put_number(&text, "bad ", (int64_t)f->bad);
    end_part(parts, &count, &text, 4);
    put_number(&text, "rows out ", (int64_t)f->rows);
    end_part(parts, &count, &text, 5);
    put_phase(&text, f, now_ms, silent_ms);
    end_part(parts, &count, &text, 8);
    fit(parts, count, width);
    bool is_first = true;
    for (uint32_t i = 0; i < count; i++) {
        if (!parts[i].weight) continue;
        if (!is_first) buf_put_text(out, "  ");
        is_first = false;
        buf_put(out, text.data + parts[i].from, parts[i].len);
    }
    buf_done(&text);
}
