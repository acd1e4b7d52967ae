/* The status line and the table of results, as text. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "runtime/cli/members.h"
#include "runtime/cli/results.h"
#include "runtime/cli/status.h"
#include "runtime/cli/text.h"

enum { NOW_S = 1700000000 }; /* 2023-11-14 22:13:20 */
static const int64_t now_ms = NOW_S * 1000LL;

static sl_string string_of(const char *text) {
    return (sl_string){ .data = text, .len = text ? (uint32_t)strlen(text) : 0 };
}

static void says(const buf *out, const char *wanted) {
    bool is_right = out->len == strlen(wanted) && !memcmp(out->data, wanted, out->len);
    if (!is_right) print_error("got:\n%.*s\nwanted:\n%s\n", (int)out->len, out->data, wanted);
    assert_true(is_right);
}

static void line_leaves_out_what_matters_least(void **state) {
    const status_facts f = {
        .at_ms = 1,
        .read = 12345,
        .late = 2,
        .bad = 3,
        .rows = 1234567,
        .has_watermark = true,
        .watermark = now_ms - 60000,
        .held_by = "rides/3",
        .next_ms = now_ms + 22500,
        .batch = 7,
    };
    buf out;
    (void)state;
    buf_init(&out);
    status_put_line(&out, &f, 2000.4, now_ms, 0, 200);
    says(&out, "2,000 rec/s  lag 0  watermark 22:12:20  held by rides/3  late 2  bad 3  "
               "rows out 1,234,567  next results in 23 s");
    for (uint32_t width = 1; width < 120; width++) {
        buf_reset(&out);
        status_put_line(&out, &f, 2000.4, now_ms, 0, width);
        assert_true(text_width(out.data, out.len) <= width);
    }
    buf_reset(&out);
    status_put_line(&out, &f, 2000.4, now_ms, 0, 40);
    says(&out, "2,000 rec/s  lag 0  next results in 23 s");
    buf_reset(&out);
    status_put_line(&out, &f, -1, now_ms, 3000, 60); /* nothing was heard of main for 3 s */
    says(&out, "lag 0  watermark 22:12:20  batch 7 runs for 3 s");
    buf_done(&out);
}

/* Facts that say `read`, looked at when they are collected: four times a second up to `until_ms`.
 */
static void look(status_rate *r, status_facts *f, uint64_t read, int64_t until_ms) {
    f->read = read;
    for (int64_t ms = r->at_ms ? f->at_ms + 250 : until_ms; ms <= until_ms; ms += 250) {
        f->at_ms = ms;
        status_rate_add(r, f, ms);
    }
}

static void rate_is_steady_from_batch_to_batch(void **state) {
    status_rate r = { 0 };
    status_facts f = { .every_ms = 30000 };
    (void)state;
    look(&r, &f, 0, 1000);
    assert_true(r.rate < 0);
    look(&r, &f, 0, 30750);
    assert_true(r.rate < 0);
    look(&r, &f, 60000, 31000);
    assert_int_equal((int)r.rate, 2000);
    look(&r, &f, 60000, 91000);
    assert_int_equal((int)r.rate, 2000);
    look(&r, &f, 60000, 91250); /* two intervals and nothing came */
    assert_int_equal((int)r.rate, 0);
}

/* Also behind one batch that came after a long silence, of which twice as much would be waited. */
static void rate_is_nothing_while_nothing_comes(void **state) {
    status_rate r = { 0 };
    status_facts f = { 0 };
    (void)state;
    look(&r, &f, 0, 1000);
    look(&r, &f, 0, 600750);
    look(&r, &f, 600000, 601000);
    assert_int_equal((int)r.rate, 1000);
    look(&r, &f, 600000, 603000);
    assert_int_equal((int)r.rate, 1000);
    look(&r, &f, 600000, 603250);
    assert_int_equal((int)r.rate, 0);
    look(&r, &f, 900000, 603500);
    f.is_committing = true; /* it is at work: no slower than the batches before */
    assert_true(r.rate > 0);
    status_rate before = r;
    look(&r, &f, 900000, 607000);
    assert_true(r.rate == before.rate);
}

static void times_of_other_days_have_their_date(void **state) {
    buf out;
    (void)state;
    buf_init(&out);
    text_put_time(&out, now_ms, now_ms);
    buf_put_char(&out, '|');
    text_put_time(&out, -1, now_ms);
    says(&out, "22:13:20|1969-12-31 23:59:59");
    buf_done(&out);
}

static void clipped_text_keeps_whole_characters_and_no_commands(void **state) {
    buf out;
    (void)state;
    buf_init(&out);
    text_put_clipped(&out,
                     "gr\xc3\xbc\xc3\x9f"
                     "e",
                     8, 4);
    buf_put_char(&out, '|');
    text_put_clipped(&out, "a\033[2Jb", 6, 20);
    says(&out, "gr\xc3\xbc\xe2\x80\xa6|a [2Jb");
    buf_done(&out);
}

static void members_of_an_object_are_walked(void **state) {
    static const char text[] = "{\"a\":\"x\\\"}\",\"b\":{\"c\":[1,\"]\"]},\"d\":-1.5}";
    members m;
    sl_string value;
    (void)state;
    assert_true(members_begin(&m, text, sizeof text - 1));
    assert_true(members_next(&m) && m.value.len == 6);
    assert_true(members_next(&m) && m.value.len == 13);
    assert_true(members_next(&m) && !memcmp(m.value.data, "-1.5", m.value.len));
    assert_false(members_next(&m));
    assert_true(members_find(text, sizeof text - 1, string_of("d"), &value));
    assert_false(members_begin(&m, "[1]", 3));
    for (size_t len = 0; len < sizeof text; len++) /* whatever is cut off */
        if (members_begin(&m, text, len))
            while (members_next(&m)) continue;
}

/* A plan: one aggregation, its sink, and a side sink. */
typedef struct small_plan {
    sl_column columns[3], key[2];
    sl_output output;
    sl_step step;
    sl_aggregate aggregate;
    sl_sink sinks[2];
    sl_plan plan;
} small_plan;

static void make_plan(small_plan *p) {
    memset(p, 0, sizeof *p);
    p->columns[0] = (sl_column){ .name = string_of("k"), .type = SL_STRING };
    p->columns[1] = (sl_column){ .name = string_of("window_start"), .type = SL_TIMESTAMP };
    p->columns[2] = (sl_column){ .name = string_of("n"), .type = SL_DOUBLE };
    memcpy(p->key, p->columns, sizeof p->key);
    p->output = (sl_output){ .kind = SL_TO_SINK,
                             .columns = p->columns,
                             .column_count = 3,
                             .key_kind = SL_KEY_OBJECT,
                             .key = p->key,
                             .key_count = 2 };
    p->step = (sl_step){ .outputs = &p->output, .output_count = 1 };
    p->aggregate = (sl_aggregate){ .mode = SL_UPDATE };
    p->sinks[0] = (sl_sink){ .name = string_of("out"), .connector = string_of("kafka") };
    p->sinks[1] =
        (sl_sink){ .name = string_of("bad"), .connector = string_of("kafka"), .is_side = 1 };
    p->plan = (sl_plan){ .steps = &p->step,
                         .aggregates = &p->aggregate,
                         .sinks = p->sinks,
                         .step_count = 1,
                         .aggregate_count = 1,
                         .sink_count = 2 };
}

static sl_record record_of(const char *key, const char *value) {
    return (sl_record){ .key = string_of(key), .value = string_of(value) };
}

static void add(results *r, const char *k, int minute, const char *n) {
    char key[100], value[150];
    long long start = now_ms / 60000 * 60000 + minute * 60000;
    snprintf(key, sizeof key, "{\"k\":\"%s\",\"window_start\":%lld}", k, start);
    snprintf(value, sizeof value, "{\"k\":\"%s\",\"window_start\":%lld,\"n\":%s}", k, start, n);
    sl_record m = record_of(key, n ? value : NULL);
    results_add(r, 0, &m);
}

static void table_has_the_latest_of_each_key_newest_window_first(void **state) {
    small_plan p;
    buf out;
    (void)state;
    make_plan(&p);
    buf_init(&out);
    results *r = results_new(&p.plan, "kafka");
    assert_int_equal(results_count(r), 2);
    add(r, "b", 0, "1");
    add(r, "a", 0, "2");
    add(r, "a", 1, "3.14159");
    add(r, "b", 0, "10");
    add(r, "gone", 1, "7");
    add(r, "gone", 1, NULL);
    results_put_tables(r, &out, 20, 80, now_ms);
    says(&out, "\033[1mout\033[0m  mode update  6 results, 1 retracted\n"
               "\033[2m  k  window_start      n\033[0m\n"
               "  a  22:14:00       3.14\n"
               "  a  22:13:00       2.00\n"
               "  b  22:13:00      10.00\n"
               "\n");
    buf_reset(&out);
    results_put_tables(r, &out, 4, 16, now_ms); /* room for one row, and not for `n` */
    says(&out, "\033[1mout\033[0m  mode updat…\n"
               "\033[2m  k  … 2 more\033[0m\n"
               "  a\n"
               "\n");
    results_free(r);
    buf_done(&out);
}

static void add_iso(results *r, const char *k, const char *start) {
    char key[100], value[150];
    snprintf(key, sizeof key, "{\"k\":\"%s\",\"window_start\":\"%s\"}", k, start);
    snprintf(value, sizeof value, "{\"k\":\"%s\",\"window_start\":\"%s\",\"n\":1}", k, start);
    sl_record m = record_of(key, value);
    results_add(r, 0, &m);
}

static void windows_as_text_are_ordered_as_times(void **state) {
    small_plan p;
    buf out;
    (void)state;
    make_plan(&p);
    buf_init(&out);
    results *r = results_new(&p.plan, "kafka");
    add_iso(r, "a", "2023-11-14T22:13:00.000Z");
    add_iso(r, "b", "2023-11-14T22:14:00.000Z");
    add_iso(r, "b", "2023-11-14T22:15:00.000Z");
    add_iso(r, "a", "2023-11-14T22:15:00.000Z");
    results_put_tables(r, &out, 20, 80, now_ms);
    says(&out, "\033[1mout\033[0m  mode update  4 results\n"
               "\033[2m  k  window_start                 n\033[0m\n"
               "  a  2023-11-14T22:15:00.000Z  1.00\n"
               "  b  2023-11-14T22:15:00.000Z  1.00\n"
               "  b  2023-11-14T22:14:00.000Z  1.00\n"
               "  a  2023-11-14T22:13:00.000Z  1.00\n"
               "\n");
    buf_reset(&out);
    results_put_tables(r, &out, 4, 34, now_ms); /* 34 columns would be needed, with `n` 35 */
    says(&out, "\033[1mout\033[0m  mode update  4 results, the …\n"
               "\033[2m  k  window_start              …\033[0m\n"
               "  a  2023-11-14T22:15:00.000Z\n"
               "\n");
    results_free(r);
    buf_done(&out);
}

static void lines_of_json_are_json_whatever_came(void **state) {
    small_plan p;
    buf out;
    (void)state;
    make_plan(&p);
    buf_init(&out);
    results *r = results_new(&p.plan, "kafka");
    sl_record m = record_of("{\"k\":null}", NULL), raw = record_of("a\"", "\xff");
    results_put_json(r, 0, &m, &out);
    results_put_json(r, 1, &raw, &out);
    says(&out, "{\"topic\":\"out\",\"key\":{\"k\":null},\"value\":null}\n"
               "{\"topic\":\"bad\",\"key\":\"a\\\"\",\"value\":{\"base64\":\"/w==\"}}\n");
    results_free(r);
    buf_done(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_leaves_out_what_matters_least),
        cmocka_unit_test(rate_is_steady_from_batch_to_batch),
        cmocka_unit_test(rate_is_nothing_while_nothing_comes),
        cmocka_unit_test(times_of_other_days_have_their_date),
        cmocka_unit_test(clipped_text_keeps_whole_characters_and_no_commands),
        cmocka_unit_test(members_of_an_object_are_walked),
        cmocka_unit_test(table_has_the_latest_of_each_key_newest_window_first),
        cmocka_unit_test(windows_as_text_are_ordered_as_times),
        cmocka_unit_test(lines_of_json_are_json_whatever_came),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
