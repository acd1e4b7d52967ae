/* What is recorded of a batch is read again, and nothing that is damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/flow/record.h"

static sl_string text(const char *s) {
    return (sl_string){ .data = s, .len = (uint32_t)strlen(s) };
}

/* A batch of two sources: one of three partitions, of which the last has appeared in it. */
static void put_sample(buf *out) {
    const sl_aggregate aggregates[1] = { { .name = text("counts") } };
    const sl_distinct distincts[1] = { { .name = text("o\"nce\n") } };
    const sl_source sources[2] = { { .name = text("rides") }, { .name = text("in/\\\x01.csv") } };
    const sl_plan plan = {
        .script_hash = 0xf3,
        .aggregates = aggregates,
        .distincts = distincts,
        .sources = sources,
        .aggregate_count = 1,
        .distinct_count = 1,
        .source_count = 2,
    };
    const sl_partition partitions[3] = {
        { .topic = "rides", .number = 0, .end = 20 },
        { .topic = "rides", .number = 7, .end = INT64_MAX },
        { .topic = "rides", .number = 8, .end = 5 },
    };
    const sl_partition file[1] = { { .topic = "in/\\\x01.csv" } };
    watermark_partition before[2] = { { .moved_ms = 1000 }, { .moved_ms = WATERMARK_NONE } };
    watermark_partition now[3] = {
        { .moved_ms = 2000 },
        { .moved_ms = 2000 },
        { .moved_ms = 1500 },
    };
    watermark_view views[3] = {
        { .is_at_end = true, .is_confirmed = true },
        { .is_in_transaction = true },
        { .has_ended = true, .is_confirmed = true, .is_at_end = true },
    };
    sl_range ranges[2] = { { .partition = 1, .from = 5, .to = 9 }, { 0, 0, 10, 20 } };
    input inputs[2] = {
        {
            .plan = &sources[0],
            .partitions = partitions,
            .partition_count = 3,
            .before = { .time = 77, .partitions = before, .count = 2 },
            .watermark = { .time = 99, .partitions = now, .count = 3 },
            .views = views,
            .ranges = ranges,
            .range_count = 2,
        },
        {
            .plan = &sources[1],
            .partitions = file,
            .partition_count = 1,
            .before = { .time = WATERMARK_NONE, .partitions = before, .count = 1 },
            .watermark = { .partitions = now, .count = 1 },
            .views = views,
            .ends_now = true,
        },
    };
    const pipeline p = { .plan = &plan, .inputs = inputs, .input_count = 2 };
    record_put(out, &p, &(batch_view){ .batch = 42, .now_ms = -3, .is_flush = true });
}

static void what_is_recorded_is_read(void **state) {
    (void)state;
    buf bytes;
    recorded r;
    buf_init(&bytes);
    put_sample(&bytes);
    assert_null(record_read(bytes.data, bytes.len, &r));
    assert_int_equal(r.batch, 42);
    assert_int_equal(r.script_hash, 0xf3);
    assert_int_equal(r.now_ms, -3);
    assert_true(r.is_flush);
    assert_int_equal(r.source_count, 2);
    const recorded_source *rides = &r.sources[0], *file = &r.sources[1];
    assert_string_equal(rides->name.data, "rides");
    assert_false(rides->has_ended);
    assert_int_equal(rides->range_count, 2);
    assert_int_equal(rides->ranges[0].number, 7); /* in the batch's order */
    assert_int_equal(rides->ranges[0].from, 5);
    assert_int_equal(rides->ranges[1].to, 20);
    assert_int_equal(rides->partition_count, 3);
    assert_int_equal(rides->partitions[0].moved_ms, 1000); /* before the batch */
    assert_int_equal(rides->partitions[1].moved_ms, WATERMARK_NONE);
    assert_int_equal(rides->partitions[2].moved_ms, 1500);
    assert_true(rides->partitions[0].view.is_at_end);
    assert_true(rides->partitions[0].view.is_confirmed);
    assert_false(rides->partitions[0].view.is_in_transaction);
    assert_true(rides->partitions[1].view.is_in_transaction);
    assert_false(rides->partitions[1].view.is_confirmed);
    assert_true(rides->partitions[2].view.has_ended);
    assert_string_equal(file->name.data, "in/\\\x01.csv");
    assert_string_equal(file->partitions[0].topic, "in/\\\x01.csv");
    assert_true(file->has_ended);
    assert_int_equal(file->range_count, 0);
    recorded_done(&r);
    buf_done(&bytes);
}

static void assert_refused(const char *bytes, size_t len) {
    recorded r;
    err *e = record_read(bytes, len, &r);
    assert_non_null(e);
    assert_int_equal(e->code, ERR_REFUSED);
    err_free(e);
    recorded_done(&r);
}

static void each_cut_and_each_bit_is_refused(void **state) {
    (void)state;
    buf bytes;
    buf_init(&bytes);
    put_sample(&bytes);
    for (size_t len = 0; len < bytes.len; len++) assert_refused(bytes.data, len);
    for (size_t i = 0; i < bytes.len; i++) {
        char *at = &bytes.data[i], was = *at;
        for (int bit = 0; bit < 8; bit++) {
            *at = (char)(was ^ (1 << bit));
            assert_refused(bytes.data, bytes.len);
        }
        *at = was;
    }
    buf_done(&bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_recorded_is_read),
        cmocka_unit_test(each_cut_and_each_bit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
