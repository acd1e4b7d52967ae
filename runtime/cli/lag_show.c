#include "runtime/cli/lag_show.h"

#include <inttypes.h>
#include <stdio.h>

#include "runtime/base/mem.h"
#include "runtime/cli/checkpoint_show.h"
#include "runtime/cli/columns.h"
#include "runtime/cli/text.h"

static const double SHARES[] = { 0.5, 0.9, 0.99, 0.999, 1 };
static const char *const SHARE_NAMES[] = { "p50_ms", "p90_ms", "p99_ms", "p999_ms", "most_ms" };
enum { SHARE_COUNT = sizeof SHARES / sizeof *SHARES };

/* -- for people */

/* 0 s, 250 ms, 1.5 s, 4 min: three digits are enough. */
static const char *span_text(int64_t ms, char text[32]) {
    if (ms > -1000 && ms < 1000 && ms)
        snprintf(text, 32, "%" PRId64 " ms", ms);
    else if (ms > -120000 && ms < 120000)
        snprintf(text, 32, "%.4g s", (double)ms / 1000);
    else if (ms > -7200000 && ms < 7200000)
        snprintf(text, 32, "%.4g min", (double)ms / 60000);
    else
        snprintf(text, 32, "%.4g h", (double)ms / 3600000);
    return text;
}

static void put_share(columns *c, uint64_t part, uint64_t whole) {
    columns_put(c, "%.4g %%", whole ? 100.0 * (double)part / (double)whole : 0.0);
}

static const sl_string *stage_name(const sl_plan *plan, const lag_stage *stage) {
    return stage->is_distinct ? &plan->distincts[stage->index].name
                              : &plan->aggregates[stage->index].name;
}

static uint32_t count_behind(const int64_t *sorted, uint32_t count) {
    uint32_t level = 0;
    while (level < count && sorted[level] <= 0) level++;
    return count - level;
}

static void put_partitions(const lag_source *s, buf *out) {
    columns c;
    char text[32];
    columns_begin(&c, "partition|>records|>out of order|>half within|>90 %|>99 %|>99.9 %|>most");
    for (uint32_t p = 0; p < s->disorder.partition_count; p++) {
        uint32_t count = s->disorder.partitions[p].count;
        int64_t *sorted = disorder_of(&s->disorder, p);
        columns_put(&c, "%s", s->names[p]);
        columns_put_count(&c, count);
        put_share(&c, count_behind(sorted, count), count);
        for (int i = 0; i < SHARE_COUNT; i++)
            columns_put(&c, "%s", span_text(disorder_quantile(sorted, count, SHARES[i]), text));
        mem_free(sorted);
    }
    columns_end(&c, out);
}

static void put_delay(columns *c, const lag_answer *a, const lag_delay *d) {
    char text[32];
    const char *mark = d->delay_ms == a->now_ms ? " (now)" : "";
    if (d->delay_ms == a->advised_ms) mark = *mark ? " (now, advised)" : " (advised)";
    columns_put(c, "%s%s", span_text(d->delay_ms, text), mark);
    columns_put_count(c, d->lost);
    put_share(c, d->lost, a->stage->count);
    if (d->windows)
        columns_put_count(c, d->windows);
    else
        columns_put(c, "-");
    columns_put_count(c, d->groups);
    columns_put_bytes(c, d->state_bytes);
    columns_put(c, "%s", d->has_results ? span_text(d->result_ms, text) : "-");
    columns_put(c, "%s", d->has_results ? span_text(d->result_most_ms, text) : "-");
}

static void put_advice(const lag_answer *a, double loss, buf *out) {
    char text[32];
    if (a->advised_ms > 1000)
        snprintf(text, sizeof text, "%" PRId64 " seconds", a->advised_ms / 1000);
    else
        snprintf(text, sizeof text, "%" PRId64 " ms", a->advised_ms);
    buf_printf(out, "  to lose at most %.4g %%: watermark delay = \"%s\"", 100 * loss, text);
    if (a->now_ms == a->advised_ms) buf_put_text(out, ", as it is");
    buf_put_char(out, '\n');
}

void lag_put_text(const lag_source *s, const sl_plan *plan, double loss, const lag_answer *answers,
                  buf *out) {
    buf_printf(out, "source `%.*s`: ", (int)s->plan->name.len, s->plan->name.data);
    text_put_count(out, s->read);
    buf_put_text(out, " records, ");
    text_put_count(out, s->bad);
    buf_put_text(out, " of them bad\n\nhow far records lie behind the newest event time of their "
                      "partition\n");
    put_partitions(s, out);
    for (uint32_t i = 0; i < s->stage_count; i++) {
        const lag_answer *a = &answers[i];
        const sl_string *name = stage_name(plan, a->stage);
        columns c;
        buf_printf(out, "\nwhat a delay costs at %s `%.*s` (",
                   a->stage->is_distinct ? "distinct" : "aggregation", (int)name->len, name->data);
        text_put_count(out, a->stage->count);
        buf_put_text(out, " rows reach it)\n");
        columns_begin(&c, "delay|>rows lost|>share|>open windows|>groups|>state|>result after|"
                          ">at most");
        for (uint32_t d = 0; d < a->count; d++) put_delay(&c, a, &a->delays[d]);
        columns_end(&c, out);
        put_advice(a, loss, out);
    }
    if (!s->stage_count)
        buf_put_text(out, "\nno row reaches an aggregation or a distinct: nothing can be late\n");
}

/* -- for programs */

static void put_json_partitions(const lag_source *s, buf *out) {
    show_json_name(out, "partitions");
    buf_put_char(out, '[');
    for (uint32_t p = 0; p < s->disorder.partition_count; p++) {
        uint32_t count = s->disorder.partitions[p].count;
        int64_t *sorted = disorder_of(&s->disorder, p);
        buf_put_text(out, p ? ",{" : "{");
        show_json_text(out, "partition", s->names[p]);
        show_json_number(out, "records", count);
        show_json_number(out, "out_of_order", count_behind(sorted, count));
        for (int i = 0; i < SHARE_COUNT; i++)
            show_json_number(out, SHARE_NAMES[i], disorder_quantile(sorted, count, SHARES[i]));
        buf_put_char(out, '}');
        mem_free(sorted);
    }
    buf_put_char(out, ']');
}

static void put_json_delay(const lag_delay *d, buf *out) {
    show_json_number(out, "delay_ms", d->delay_ms);
    show_json_number(out, "lost", d->lost);
    show_json_number(out, "open_windows", d->windows);
    show_json_number(out, "open_groups", d->groups);
    show_json_number(out, "state_bytes", (int64_t)d->state_bytes);
    if (!d->has_results) return;
    show_json_number(out, "result_p50_ms", d->result_ms);
    show_json_number(out, "result_most_ms", d->result_most_ms);
}

static void put_json_stage(const sl_plan *plan, const lag_answer *a, buf *out) {
    const sl_string *name = stage_name(plan, a->stage);
    char *text = mem_copy_text(name->data, name->len);
    show_json_text(out, "stage", text);
    show_json_text(out, "kind", a->stage->is_distinct ? "distinct" : "aggregation");
    show_json_number(out, "rows", a->stage->count);
    if (a->now_ms >= 0) show_json_number(out, "delay_ms", a->now_ms);
    show_json_number(out, "advised_ms", a->advised_ms);
    show_json_name(out, "delays");
    buf_put_char(out, '[');
    for (uint32_t d = 0; d < a->count; d++) {
        buf_put_text(out, d ? ",{" : "{");
        put_json_delay(&a->delays[d], out);
        buf_put_char(out, '}');
    }
    buf_put_char(out, ']');
    mem_free(text);
}

void lag_put_json(const lag_source *s, const sl_plan *plan, const lag_answer *answers, buf *out) {
    char *name = mem_copy_text(s->plan->name.data, s->plan->name.len);
    show_json_text(out, "source", name);
    show_json_number(out, "records", (int64_t)s->read);
    show_json_number(out, "bad", (int64_t)s->bad);
    put_json_partitions(s, out);
    show_json_name(out, "stages");
    buf_put_char(out, '[');
    for (uint32_t i = 0; i < s->stage_count; i++) {
        buf_put_text(out, i ? ",{" : "{");
        put_json_stage(plan, &answers[i], out);
        buf_put_char(out, '}');
    }
    buf_put_char(out, ']');
    mem_free(name);
}
