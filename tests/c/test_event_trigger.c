/* When batches run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "runtime/event/trigger.h"

static const trigger_work NOTHING = { 0 };
static const trigger_work DATA = { .has_data = true };
static const trigger_work EMPTY_DUE = { .is_empty_batch_due = true };

static trigger every(int64_t interval_ms) {
    trigger t;
    trigger_init(&t, SL_INTERVAL, interval_ms, 0);
    return t;
}

static trigger of_kind(int32_t kind) {
    trigger t;
    trigger_init(&t, kind, 0, 0);
    return t;
}

static void assert_waits(trigger *t, int64_t now, trigger_work work, int64_t until) {
    trigger_verdict v = trigger_ask(t, now, work);
    assert_int_equal(v.action, TRIGGER_WAIT);
    assert_int_equal(v.until_ms, until);
}

static void assert_runs(trigger *t, int64_t now, trigger_work work) {
    assert_int_equal(trigger_ask(t, now, work).action, TRIGGER_RUN);
}

static bool run(trigger *t, int64_t start, int64_t end, bool is_cut_short) {
    trigger_begin(t, start);
    return trigger_end(t, end, is_cut_short);
}

static void continuous_runs_as_soon_as_there_is_something_to_do(void **state) {
    (void)state;
    trigger t = of_kind(SL_CONTINUOUS);
    assert_waits(&t, 5, NOTHING, INT64_MAX);
    assert_runs(&t, 5, DATA);
    run(&t, 5, 6, false);
    assert_runs(&t, 6, EMPTY_DUE);
}

static void a_pace_keeps_continuous_batches_apart(void **state) {
    (void)state;
    trigger t;
    trigger_init(&t, SL_CONTINUOUS, 0, 1000);
    assert_runs(&t, 5, DATA);
    run(&t, 5, 105, false);
    assert_waits(&t, 105, NOTHING, INT64_MAX);
    assert_waits(&t, 105, DATA, 1005);
    assert_waits(&t, 1004, EMPTY_DUE, 1005);
    assert_runs(&t, 1005, DATA);
    run(&t, 1005, 1105, true); /* cut short: the next follows at once */
    assert_runs(&t, 1105, DATA);
    run(&t, 1105, 1205, false);
    assert_waits(&t, 7, DATA, 1007); /* the clock was set back */
}

static void the_first_batch_of_an_interval_runs_at_once(void **state) {
    (void)state;
    trigger t = every(30000);
    assert_waits(&t, 31007, NOTHING, INT64_MAX);
    assert_runs(&t, 31008, DATA);
}

static void the_next_runs_at_the_next_epoch_aligned_multiple(void **state) {
    (void)state;
    trigger t = every(30000);
    assert_false(run(&t, 31000, 32000, false));
    assert_waits(&t, 32000, DATA, 60000);
    assert_waits(&t, 59999, DATA, 60000);
    assert_runs(&t, 60000, DATA);
    assert_false(run(&t, 60000, 90000, false));
    assert_int_equal(t.overrun_count, 0);
    assert_runs(&t, 90000, DATA);
}

static void a_batch_that_ends_past_its_multiple_overran_and_is_followed_at_once(void **state) {
    (void)state;
    trigger t = every(30000);
    assert_true(run(&t, 31000, 60001, false));
    assert_int_equal(t.overrun_count, 1);
    assert_runs(&t, 60001, DATA);
    run(&t, 60001, 60500, false);
    assert_waits(&t, 60500, DATA, 90000);
}

static void a_batch_cut_short_is_followed_at_once(void **state) {
    (void)state;
    trigger t = every(30000);
    run(&t, 31000, 32000, true);
    assert_runs(&t, 32000, DATA);
    run(&t, 32000, 33000, false);
    assert_waits(&t, 33000, DATA, 60000);
    assert_int_equal(t.overrun_count, 0);
}

static void a_multiple_with_nothing_to_do_passes(void **state) {
    (void)state;
    trigger t = every(30000);
    run(&t, 31000, 32000, false);
    assert_waits(&t, 60010, NOTHING, 90000);
    assert_waits(&t, 60020, DATA, 90000);
    assert_runs(&t, 90000, EMPTY_DUE);
    run(&t, 90000, 95000, true);
    assert_waits(&t, 95000, NOTHING, 120000);
}

static void a_clock_set_back_delays_by_one_interval_at_most(void **state) {
    (void)state;
    trigger t = every(30000);
    run(&t, 3600000, 3601000, false);
    assert_waits(&t, 1000, DATA, 30000);
    assert_runs(&t, 30000, DATA);
}

static void multiples_are_aligned_before_1970_and_at_the_end_of_time(void **state) {
    (void)state;
    assert_int_equal(trigger_next_multiple(-1, 30), 0);
    assert_int_equal(trigger_next_multiple(-30, 30), 0);
    assert_int_equal(trigger_next_multiple(0, 30), 30);
    assert_int_equal(trigger_next_multiple(INT64_MAX, 30), INT64_MAX);
    assert_true(trigger_next_multiple(INT64_MIN, INT64_MAX) <= 0);
    for (int i = 0; i < 20000; i++) {
        int64_t time = rand() % 2000 - 1000, interval = 1 + rand() % 100;
        int64_t next = trigger_next_multiple(time, interval);
        assert_true(next > time && next <= time + interval && next % interval == 0);
    }
}

static void available_now_runs_until_nothing_is_left(void **state) {
    (void)state;
    trigger t = of_kind(SL_AVAILABLE_NOW);
    assert_runs(&t, 0, DATA);
    run(&t, 0, 1, true);
    assert_runs(&t, 1, DATA);
    run(&t, 1, 2, false);
    assert_runs(&t, 2, EMPTY_DUE);
    run(&t, 2, 3, false);
    assert_int_equal(trigger_ask(&t, 3, NOTHING).action, TRIGGER_DONE);
}

static void once_runs_one_batch(void **state) {
    (void)state;
    trigger t = of_kind(SL_ONCE);
    assert_runs(&t, 0, DATA);
    run(&t, 0, 1, true);
    assert_int_equal(trigger_ask(&t, 1, DATA).action, TRIGGER_DONE);
    trigger empty = of_kind(SL_ONCE);
    assert_int_equal(trigger_ask(&empty, 1, NOTHING).action, TRIGGER_DONE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(continuous_runs_as_soon_as_there_is_something_to_do),
        cmocka_unit_test(a_pace_keeps_continuous_batches_apart),
        cmocka_unit_test(the_first_batch_of_an_interval_runs_at_once),
        cmocka_unit_test(the_next_runs_at_the_next_epoch_aligned_multiple),
        cmocka_unit_test(a_batch_that_ends_past_its_multiple_overran_and_is_followed_at_once),
        cmocka_unit_test(a_batch_cut_short_is_followed_at_once),
        cmocka_unit_test(a_multiple_with_nothing_to_do_passes),
        cmocka_unit_test(a_clock_set_back_delays_by_one_interval_at_most),
        cmocka_unit_test(multiples_are_aligned_before_1970_and_at_the_end_of_time),
        cmocka_unit_test(available_now_runs_until_nothing_is_left),
        cmocka_unit_test(once_runs_one_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
