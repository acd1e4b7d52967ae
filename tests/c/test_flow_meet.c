/* Watermarks over a graph: two sources, an aggregation, another one and a distinct behind it.
 *
 *   source 0 ─▶ step 0 ─▶ aggregate 0 ─▶ step 2 ─▶ aggregate 1 ─▶ step 3
 *   source 1 ─▶ step 1 ───────────────────────────▶     │
 *                                          step 3 ─▶ distinct 0 ─▶ step 4 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/flow/meet.h"

enum { LATENESS = 7 };

static const sl_feed TO_FIRST[] = { { 0, 0 } };
static const sl_feed TO_SECOND[] = { { 2, 0 }, { 1, 0 }, { 1, 1 } };
static const sl_feed TO_DISTINCT[] = { { 3, 0 } };

static const sl_source SOURCES[2] = { { .step = 0 }, { .step = 1 } };
static const sl_step STEPS[5] = {
    { .root = 0, .parent = SL_NO_STEP },
    { .root = 1, .parent = SL_NO_STEP },
    { .root = 2, .parent = SL_NO_STEP },
    { .root = 3, .parent = SL_NO_STEP },
    { .root = 3, .parent = 3 },
};
static const sl_aggregate AGGREGATES[2] = {
    { .step = 2,
      .feeds = TO_FIRST,
      .feed_count = 1,
      .window = { .kind = SL_WINDOW_TUMBLING, .allowed_lateness_ms = LATENESS } },
    { .step = 3, .feeds = TO_SECOND, .feed_count = 3, .window = { .kind = SL_WINDOW_TUMBLING } },
};
static const sl_distinct DISTINCTS[1] = { { .feeds = TO_DISTINCT, .feed_count = 1 } };
static const sl_plan PLAN = {
    .sources = SOURCES,
    .steps = STEPS,
    .aggregates = AGGREGATES,
    .distincts = DISTINCTS,
    .source_count = 2,
    .step_count = 5,
    .aggregate_count = 2,
    .distinct_count = 1,
};

static void check(stages *s, watermark_input a, watermark_input b, int64_t first, int64_t second) {
    int64_t aggregates[2], distincts[1];
    const watermark_input sources[2] = { a, b };
    stages_meet(s, sources, aggregates, distincts);
    assert_int_equal(aggregates[0], first);
    assert_int_equal(aggregates[1], second);
    assert_int_equal(distincts[0], second);
}

static watermark_input at(int64_t time) {
    return (watermark_input){ .time = time };
}

static watermark_input idle(int64_t time) {
    return (watermark_input){ .time = time, .is_left_out = true };
}

static void each_input_counts_once(void **state) {
    (void)state;
    stages s;
    stages_init(&s, &PLAN);
    assert_int_equal(s.aggregates[0].input_count, 1);
    assert_int_equal(s.aggregates[1].input_count, 2);
    assert_true(stage_has_sources_only(&s.aggregates[0]));
    assert_false(stage_has_sources_only(&s.aggregates[1]));
    assert_true(s.distincts[0].inputs[0].is_aggregate);
    stages_done(&s);
}

static void behind_a_stage_it_is_lower_by_what_the_stage_allows(void **state) {
    (void)state;
    stages s;
    stages_init(&s, &PLAN);
    check(&s, at(WATERMARK_NONE), at(50), WATERMARK_NONE, WATERMARK_NONE);
    check(&s, at(100), at(200), 100, 100 - LATENESS);
    check(&s, at(100), at(50), 100, 50);
    check(&s, at(WATERMARK_ENDED), at(50), WATERMARK_ENDED, 50);
    check(&s, at(WATERMARK_ENDED), at(WATERMARK_ENDED), WATERMARK_ENDED, WATERMARK_ENDED);
    stages_done(&s);
}

static void an_aggregation_of_an_idle_source_is_left_out(void **state) {
    (void)state;
    stages s;
    stages_init(&s, &PLAN);
    check(&s, idle(10), at(50), 10, 50);
    check(&s, idle(10), idle(50), 10, WATERMARK_NONE);
    stages_done(&s);
}

static void it_never_goes_back(void **state) {
    (void)state;
    stages s;
    stages_init(&s, &PLAN);
    s.aggregates[0].watermark = 90;
    s.aggregates[1].watermark = 88;
    s.distincts[0].watermark = 88;
    check(&s, at(80), at(200), 90, 88);
    stages_done(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_input_counts_once),
        cmocka_unit_test(behind_a_stage_it_is_lower_by_what_the_stage_allows),
        cmocka_unit_test(an_aggregation_of_an_idle_source_is_left_out),
        cmocka_unit_test(it_never_goes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
