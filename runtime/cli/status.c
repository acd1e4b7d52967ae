#include "runtime/cli/status.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "runtime/base/clock.h"

enum { REDRAW_MS = 500, LINE = 240 };

void status_clear(status *s) {
    if (!s->is_drawn) return;
    fputs("\r\033[K", stderr);
    s->is_drawn = false;
}

static void before_log(void *arg) {
    status_clear(arg);
    fflush(stderr);
}

void status_init(status *s, logger *log, bool live) {
    *s = (status){ .live = live };
    if (!live) return;
    log->before = before_log;
    log->before_arg = s;
}

static void sum_up(const pipeline *p, source_counters *sum, int64_t *lag, uint64_t *rows) {
    *sum = (source_counters){ 0 };
    *lag = 0;
    *rows = 0;
    for (uint32_t i = 0; i < p->input_count; i++) {
        const source_counters *c = &p->inputs[i].counters;
        int64_t backlog = input_backlog(&p->inputs[i]);
        sum->read += c->read;
        sum->late += c->late;
        sum->quarantined += c->quarantined;
        *lag = backlog == INT64_MAX || *lag < 0 ? -1 : *lag + backlog;
    }
    for (uint32_t i = 0; i < p->out.count; i++)
        if (!p->out.sinks[i].plan->is_side) *rows += p->out.sinks[i].counters.rows;
}

/* "12:03:04 (held by rides:3)" of the source that is furthest behind. */
static void put_watermark(const pipeline *p, char *text, size_t room) {
    const input *slowest = NULL;
    snprintf(text, room, "none yet");
    for (uint32_t i = 0; i < p->input_count; i++)
        if (p->inputs[i].plan->time.has_watermark && (!slowest || p->inputs[i].watermark.time < slowest->watermark.time)) slowest = &p->inputs[i];
    if (!slowest) {
        snprintf(text, room, "off");
        return;
    }
    int64_t time_ms = slowest->watermark.time, by = watermark_slowest(&slowest->watermark);
    char at[32] = "none yet", held[120] = "";
    if (time_ms != WATERMARK_NONE && time_ms != WATERMARK_ENDED) {
        struct tm utc;
        time_t seconds = (time_t)(time_ms / 1000);
        gmtime_r(&seconds, &utc);
        strftime(at, sizeof at, "%H:%M:%S", &utc);
    }
    if (by >= 0 && by < slowest->partition_count)
        snprintf(held, sizeof held, " (held by %s:%d)", slowest->partitions[by].topic, slowest->partitions[by].number);
    snprintf(text, room, "%s%s", at, held);
}

static void draw(status *s, pipeline *p, int64_t now_ms) {
    source_counters sum;
    int64_t lag;
    uint64_t rows;
    char watermark[160], lag_text[24] = "?";
    sum_up(p, &sum, &lag, &rows);
    if (lag >= 0) snprintf(lag_text, sizeof lag_text, "%" PRId64, lag);
    if (now_ms > s->drawn_ms && s->drawn_ms) {
        double rate = (double)(sum.read - s->drawn_read) * 1000.0 / (double)(now_ms - s->drawn_ms);
        s->rate = s->rate > 0 ? 0.5 * s->rate + 0.5 * rate : rate;
    }
    put_watermark(p, watermark, sizeof watermark);
    fprintf(stderr, "\r\033[K%.0f rec/s  lag %s  watermark %s  late %" PRIu64 "  bad %" PRIu64 "  rows out %" PRIu64, s->rate, lag_text,
            watermark, sum.late, sum.quarantined, rows);
    fflush(stderr);
    s->is_drawn = true;
    s->drawn_ms = now_ms;
    s->drawn_read = sum.read;
}

void status_tick(status *s, pipeline *p) {
    int64_t now_ms = clock_steady_ms(p->system.clock);
    if (s->live && now_ms - s->drawn_ms >= REDRAW_MS) draw(s, p, now_ms);
}
