/* Watermark, idleness and wall-clock advance of one source, and of several together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "runtime/event/watermark.h"

enum { DELAY = 100,
       IDLE = 30000 };

static const watermark_view READING = { .is_confirmed = true };
static const watermark_view AT_END = { .is_at_end = true, .is_confirmed = true };
static const watermark_view SILENT = { .is_at_end = true };
static const watermark_view IN_TRANSACTION = {
    .is_at_end = true,
    .is_confirmed = true,
    .is_in_transaction = true,
};

static sl_time rules(void) {
    return (sl_time){
        .kind = SL_TIME_FIELD,
        .has_watermark = 1,
        .rule = SL_WATERMARK_MIN,
        .delay_ms = DELAY,
        .idle_ms = IDLE,
        .max_skew_ms = 300000,
    };
}

static watermark_source source(uint32_t partitions, sl_time r) {
    watermark_source wm;
    watermark_init(&wm, &r);
    watermark_discover(&wm, partitions, 0);
    return wm;
}

/* One batch: a record of `times[p]` in each partition (WATERMARK_NONE: none), and the views. */
static int64_t batch(watermark_source *wm, int64_t now, const int64_t *times,
                     const watermark_view *views) {
    watermark_begin(wm, now);
    for (uint32_t p = 0; times && p < wm->count; p++) {
        if (times[p] != WATERMARK_NONE) watermark_observe(wm, p, times[p]);
    }
    return watermark_end(wm, views);
}

#define TIMES(...) ((const int64_t[]){ __VA_ARGS__ })
#define VIEWS(...) ((const watermark_view[]){ __VA_ARGS__ })

static void a_batch_that_failed_leaves_no_trace(void **state) {
    (void)state;
    sl_time r = rules();
    r.wall_clock = 1;
    watermark_source wm = source(2, r), copy = { 0 };
    batch(&wm, 0, TIMES(5000, 2000), VIEWS(READING, READING));
    batch(&wm, IDLE + 1, NULL, VIEWS(AT_END, AT_END));
    watermark_copy(&copy, &wm);
    int64_t time = wm.time, all_idle = wm.all_idle_ms;
    assert_int_equal(all_idle, IDLE + 1);
    batch(&wm, IDLE + 2, TIMES(90000, 80000), VIEWS(READING, READING));
    assert_true(wm.time > time);
    watermark_undo(&wm, &copy);
    assert_int_equal(wm.time, time);
    assert_int_equal(wm.all_idle_ms, all_idle);
    assert_int_equal(wm.partitions[0].high, 5000);
    assert_int_equal(wm.partitions[1].high, 2000);
    assert_int_equal(wm.partitions[1].moved_ms, 0);
    assert_true(watermark_is_all_idle(&wm));
    /* done again, it is the same; a partition that appeared in it stays */
    batch(&wm, IDLE + 2, TIMES(90000, 80000), VIEWS(READING, READING));
    watermark_discover(&wm, 3, IDLE + 2);
    watermark_undo(&wm, &copy);
    assert_int_equal(wm.count, 3);
    assert_int_equal(wm.partitions[1].high, 2000);
    assert_int_equal(wm.partitions[2].high, WATERMARK_NONE);
    assert_int_equal(wm.all_idle_ms, WATERMARK_NONE);
    watermark_done(&wm);
    watermark_done(&copy);
}

static void the_slowest_partition_sets_the_watermark(void **state) {
    (void)state;
    watermark_source wm = source(2, rules());
    assert_int_equal(batch(&wm, 0, TIMES(5000, 2000), VIEWS(READING, READING)), 1900);
    assert_int_equal(watermark_slowest(&wm), 1);
    assert_int_equal(batch(&wm, 1, TIMES(6000, 9000), VIEWS(READING, READING)), 5900);
    assert_int_equal(watermark_slowest(&wm), 0);
    watermark_done(&wm);
}

static void the_watermark_never_goes_back(void **state) {
    (void)state;
    watermark_source wm = source(1, rules());
    batch(&wm, 0, TIMES(5000), VIEWS(READING));
    assert_int_equal(batch(&wm, 1, TIMES(1000), VIEWS(READING)), 4900);
    watermark_discover(&wm, 2, 2);
    assert_int_equal(batch(&wm, 2, TIMES(9000, 10), VIEWS(READING, READING)), 4900);
    watermark_done(&wm);
}

static void it_moves_at_the_end_of_a_batch_only(void **state) {
    (void)state;
    watermark_source wm = source(1, rules());
    watermark_begin(&wm, 0);
    watermark_observe(&wm, 0, 5000);
    assert_int_equal(wm.time, WATERMARK_NONE);
    assert_int_equal(watermark_end(&wm, VIEWS(READING)), 4900);
    watermark_done(&wm);
}

static void a_batch_begun_again_forgets_what_it_saw(void **state) {
    (void)state;
    watermark_source wm = source(1, rules());
    watermark_begin(&wm, 0);
    watermark_observe(&wm, 0, 9000);
    assert_int_equal(batch(&wm, 0, TIMES(5000), VIEWS(READING)), 4900);
    watermark_done(&wm);
}

static void no_watermark_until_every_partition_had_a_record(void **state) {
    (void)state;
    watermark_source wm = source(2, rules());
    assert_int_equal(batch(&wm, 0, TIMES(5000, WATERMARK_NONE), VIEWS(READING, AT_END)),
                     WATERMARK_NONE);
    assert_int_equal(watermark_slowest(&wm), 1);
    assert_int_equal(batch(&wm, IDLE - 1, TIMES(5000, WATERMARK_NONE), VIEWS(READING, AT_END)),
                     WATERMARK_NONE);
    assert_int_equal(batch(&wm, IDLE, TIMES(5000, WATERMARK_NONE), VIEWS(READING, AT_END)), 4900);
    assert_true(wm.partitions[1].is_idle);
    watermark_done(&wm);
}

static void a_partition_found_later_counts_from_its_discovery(void **state) {
    (void)state;
    watermark_source wm = source(1, rules());
    batch(&wm, 0, TIMES(5000), VIEWS(READING));
    watermark_discover(&wm, 2, 100000);
    assert_int_equal(batch(&wm, 100000, TIMES(8000, WATERMARK_NONE), VIEWS(READING, AT_END)), 4900);
    int64_t later = 100000 + IDLE;
    assert_int_equal(batch(&wm, later, TIMES(8000, WATERMARK_NONE), VIEWS(READING, AT_END)), 7900);
    watermark_done(&wm);
}

static void an_idle_partition_counts_again_with_its_next_record(void **state) {
    (void)state;
    watermark_source wm = source(2, rules());
    batch(&wm, 0, TIMES(5000, 2000), VIEWS(READING, AT_END));
    assert_int_equal(batch(&wm, IDLE, TIMES(6000, WATERMARK_NONE), VIEWS(READING, AT_END)), 5900);
    assert_int_equal(batch(&wm, IDLE + 1, TIMES(9000, 7000), VIEWS(READING, AT_END)), 6900);
    assert_false(wm.partitions[1].is_idle);
    watermark_done(&wm);
}

static void a_late_record_that_counts_keeps_its_partition_from_being_idle(void **state) {
    (void)state;
    watermark_source wm = source(2, rules());
    batch(&wm, 0, TIMES(5000, 2000), VIEWS(READING, AT_END));
    batch(&wm, 20000, TIMES(5000, 1), VIEWS(READING, AT_END));
    assert_int_equal(batch(&wm, IDLE, TIMES(6000, WATERMARK_NONE), VIEWS(READING, AT_END)), 1900);
    watermark_done(&wm);
}

static void a_silent_leader_an_open_transaction_or_backlog_keep_from_idleness(void **state) {
    (void)state;
    const watermark_view kept[] = { SILENT, IN_TRANSACTION, READING };
    for (int i = 0; i < 3; i++) {
        watermark_source wm = source(2, rules());
        batch(&wm, 0, TIMES(5000, 2000), VIEWS(READING, kept[i]));
        int64_t long_after = 100 * IDLE;
        batch(&wm, long_after, TIMES(6000, WATERMARK_NONE), VIEWS(READING, kept[i]));
        assert_int_equal(wm.time, 1900);
        batch(&wm, long_after, TIMES(6000, WATERMARK_NONE), VIEWS(READING, AT_END));
        assert_int_equal(wm.time, 5900);
        watermark_done(&wm);
    }
}

static void idle_never_is_never(void **state) {
    (void)state;
    sl_time r = rules();
    r.idle_ms = -1;
    watermark_source wm = source(2, r);
    watermark_start_bounded(&wm, 1, AT_END);
    batch(&wm, 0, TIMES(5000, WATERMARK_NONE), VIEWS(READING, AT_END));
    batch(&wm, INT64_MAX, TIMES(6000, WATERMARK_NONE), VIEWS(READING, AT_END));
    assert_int_equal(wm.time, WATERMARK_NONE);
    watermark_done(&wm);
}

static void in_a_bounded_run_an_empty_partition_is_idle_from_the_start(void **state) {
    (void)state;
    const watermark_view starts[] = { AT_END, SILENT, IN_TRANSACTION, READING };
    for (int i = 0; i < 4; i++) {
        watermark_source wm = source(2, rules());
        watermark_start_bounded(&wm, 1, starts[i]);
        batch(&wm, 0, TIMES(5000, WATERMARK_NONE), VIEWS(READING, AT_END));
        assert_int_equal(wm.time, i == 0 ? 4900 : WATERMARK_NONE);
        watermark_done(&wm);
    }
}

static void all_idle_and_none_yet_takes_the_partitions_that_had_a_record(void **state) {
    (void)state;
    watermark_source wm = source(3, rules());
    batch(&wm, 0, TIMES(5000, 3000, WATERMARK_NONE), VIEWS(READING, READING, SILENT));
    assert_int_equal(wm.time, WATERMARK_NONE);
    batch(&wm, IDLE, NULL, VIEWS(AT_END, AT_END, AT_END));
    assert_int_equal(wm.time, 2900);
    assert_true(watermark_is_all_idle(&wm));
    assert_int_equal(watermark_slowest(&wm), -1);
    watermark_done(&wm);
}

static void all_idle_stands_still(void **state) {
    (void)state;
    watermark_source wm = source(2, rules());
    batch(&wm, 0, TIMES(5000, 2000), VIEWS(AT_END, AT_END));
    assert_int_equal(batch(&wm, IDLE, NULL, VIEWS(AT_END, AT_END)), 1900);
    assert_int_equal(batch(&wm, 9 * IDLE, NULL, VIEWS(AT_END, AT_END)), 1900);
    watermark_done(&wm);
}

static void all_idle_without_any_record_has_no_watermark(void **state) {
    (void)state;
    sl_time r = rules();
    r.wall_clock = 1;
    watermark_source wm = source(2, r), none = source(0, r);
    assert_int_equal(batch(&wm, IDLE, NULL, VIEWS(AT_END, AT_END)), WATERMARK_NONE);
    assert_int_equal(batch(&wm, 2 * IDLE, NULL, VIEWS(AT_END, AT_END)), WATERMARK_NONE);
    assert_int_equal(batch(&none, IDLE, NULL, NULL), WATERMARK_NONE);
    assert_false(watermark_is_all_idle(&none));
    watermark_done(&wm);
    watermark_done(&none);
}

static void the_rule_max_takes_the_highest_partition(void **state) {
    (void)state;
    sl_time r = rules();
    r.rule = SL_WATERMARK_MAX;
    watermark_source wm = source(3, r);
    batch(&wm, 0, TIMES(2000, WATERMARK_NONE, 5000), VIEWS(READING, READING, READING));
    assert_int_equal(wm.time, 4900);
    assert_int_equal(watermark_slowest(&wm), 2);
    watermark_done(&wm);
}

static void wall_clock_advance_starts_when_all_are_idle(void **state) {
    (void)state;
    sl_time r = rules();
    r.wall_clock = 1;
    int64_t epoch = 1000000;
    watermark_source wm = source(1, r);
    batch(&wm, epoch, TIMES(epoch), VIEWS(AT_END));
    assert_int_equal(batch(&wm, epoch + IDLE, NULL, VIEWS(AT_END)), epoch - DELAY);
    assert_int_equal(batch(&wm, epoch + IDLE + 700, NULL, VIEWS(AT_END)), epoch - DELAY + 700);
    assert_int_equal(batch(&wm, epoch + IDLE + 900, NULL, VIEWS(AT_END)), epoch - DELAY + 900);
    int64_t back = epoch + IDLE + 100; /* the system's clock was set back */
    assert_int_equal(batch(&wm, back, NULL, VIEWS(AT_END)), epoch - DELAY + 900);
    watermark_done(&wm);
}

static void wall_clock_advance_never_passes_processing_time_minus_delay(void **state) {
    (void)state;
    sl_time r = rules();
    r.wall_clock = 1;
    watermark_source wm = source(1, r);
    batch(&wm, 0, TIMES(40000), VIEWS(AT_END)); /* the data runs ahead of the clock */
    batch(&wm, IDLE, NULL, VIEWS(AT_END));
    assert_int_equal(batch(&wm, 35000, NULL, VIEWS(AT_END)), 39900);
    assert_int_equal(batch(&wm, 41000, NULL, VIEWS(AT_END)), 40900);
    watermark_done(&wm);
}

static void a_second_behind_the_wall_clock_calls_for_a_batch(void **state) {
    (void)state;
    sl_time r = rules();
    r.wall_clock = 1;
    watermark_source wm = source(1, r);
    batch(&wm, 50000, TIMES(1000), VIEWS(AT_END));
    batch(&wm, 80000, NULL, VIEWS(AT_END));
    int64_t early = watermark_preview(&wm, 80999, VIEWS(AT_END));
    int64_t due = watermark_preview(&wm, 81000, VIEWS(AT_END));
    assert_false(watermark_is_behind(&wm, early));
    assert_true(watermark_is_behind(&wm, due));
    assert_int_equal(due, batch(&wm, 81000, NULL, VIEWS(AT_END)));
    assert_false(watermark_is_behind(&wm, due));
    watermark_done(&wm);
}

static void a_preview_is_what_a_batch_without_records_gives(void **state) {
    (void)state;
    const watermark_view views[] = { READING, AT_END, SILENT, IN_TRANSACTION };
    for (int run = 0; run < 300; run++) {
        sl_time r = rules();
        r.wall_clock = run % 2;
        r.rule = run % 3 ? SL_WATERMARK_MIN : SL_WATERMARK_MAX;
        watermark_source wm = source(1, r);
        int64_t now = 0;
        for (int i = 0; i < 60; i++) {
            if (i == 30) watermark_discover(&wm, 3, now);
            watermark_view seen[3] = { views[rand() % 4], views[rand() % 2], views[rand() % 2] };
            int64_t before = wm.time, preview = watermark_preview(&wm, now, seen);
            assert_int_equal(batch(&wm, now, NULL, seen), preview);
            assert_true(wm.time >= before);
            int64_t times[3] = { rand() % 90000, rand() % 2 ? WATERMARK_NONE : rand() % 90000, 1 };
            if (rand() % 3) batch(&wm, now, times, seen);
            now += rand() % (2 * IDLE);
        }
        watermark_done(&wm);
    }
}

static void extreme_event_times_neither_end_nor_unmake_the_watermark(void **state) {
    (void)state;
    watermark_source wm = source(1, rules());
    assert_int_equal(batch(&wm, 0, TIMES(INT64_MIN + 1), VIEWS(READING)), INT64_MIN + 1);
    wm.rules.delay_ms = 0;
    assert_int_equal(batch(&wm, 0, TIMES(INT64_MAX), VIEWS(READING)), INT64_MAX - 1);
    watermark_done(&wm);
}

static void a_source_that_ended_stays_at_infinity(void **state) {
    (void)state;
    watermark_source wm = source(1, rules());
    watermark_finish(&wm);
    assert_int_equal(batch(&wm, 0, TIMES(5), VIEWS(READING)), WATERMARK_ENDED);
    assert_int_equal(watermark_slowest(&wm), -1);
    watermark_done(&wm);
}

static void the_skew_guard_is_off_for_bounded_sources_and_manual_clocks(void **state) {
    (void)state;
    sl_time r = rules();
    assert_int_equal(watermark_skew_limit(&r, 1000, false, false), 301000);
    assert_int_equal(watermark_skew_limit(&r, 1000, true, false), INT64_MAX);
    assert_int_equal(watermark_skew_limit(&r, 1000, false, true), INT64_MAX);
    r.skew_given = 1;
    assert_int_equal(watermark_skew_limit(&r, 1000, true, true), 301000);
    assert_int_equal(watermark_skew_limit(&r, INT64_MAX, true, true), INT64_MAX);
}

static watermark_view view_of(sl_partition p, int64_t position, int64_t since_ms) {
    sl_time r = rules();
    return watermark_view_of(&p, &r, position, since_ms);
}

static void a_view_says_what_the_leader_told(void **state) {
    (void)state;
    sl_partition p = { .end = 10, .confirmed_ms = 500 };
    assert_true(view_of(p, 10, 500).is_at_end);
    assert_true(view_of(p, 10, 500).is_confirmed);
    assert_false(view_of(p, 9, 500).is_at_end);
    assert_false(view_of(p, 10, 501).is_confirmed);
    p.confirmed_ms = INT64_MIN;
    assert_false(view_of(p, 10, INT64_MIN).is_confirmed);
}

static void a_leader_that_is_back_confirms_nothing_until_it_was_there_for_idle(void **state) {
    (void)state;
    int64_t idle_ms = rules().idle_ms;
    sl_partition p = { .end = 10, .confirmed_ms = 1000, .back_ms = 1000 };
    assert_false(view_of(p, 10, 0).is_confirmed);
    p.confirmed_ms += idle_ms - 1;
    assert_false(view_of(p, 10, 0).is_confirmed);
    p.confirmed_ms++;
    assert_true(view_of(p, 10, 0).is_confirmed);
}

#define INPUTS(...) ((const watermark_input[]){ __VA_ARGS__ })

static void inputs_meet_at_their_minimum(void **state) {
    (void)state;
    watermark_input a = { .time = 50 }, b = { .time = 30 }, none = { .time = WATERMARK_NONE };
    assert_int_equal(watermark_combine(INPUTS(a, b), 2, WATERMARK_NONE), 30);
    assert_int_equal(watermark_slowest_input(INPUTS(a, b), 2), 1);
    assert_int_equal(watermark_combine(INPUTS(a, none), 2, WATERMARK_NONE), WATERMARK_NONE);
    assert_int_equal(watermark_combine(INPUTS(a, b), 2, 40), 40);
    assert_int_equal(watermark_combine(NULL, 0, 40), 40);
}

static void idle_and_ended_inputs_are_left_out(void **state) {
    (void)state;
    watermark_input live = { .time = 50 }, idle = { .time = 30, .is_left_out = true };
    watermark_input ended = { .time = WATERMARK_ENDED };
    assert_int_equal(watermark_combine(INPUTS(live, idle), 2, 0), 50);
    assert_int_equal(watermark_combine(INPUTS(live, ended), 2, 0), 50);
    assert_int_equal(watermark_combine(INPUTS(idle, idle), 2, 10), 10);
    assert_int_equal(watermark_combine(INPUTS(idle, ended), 2, 10), 10);
    assert_int_equal(watermark_combine(INPUTS(ended, ended), 2, 10), WATERMARK_ENDED);
    assert_int_equal(watermark_slowest_input(INPUTS(idle, ended), 2), -1);
}

static void an_input_that_advances_by_wall_clock_is_not_left_out(void **state) {
    (void)state;
    watermark_source wm = source(1, rules());
    batch(&wm, 0, TIMES(5000), VIEWS(AT_END));
    assert_false(watermark_input_of(&wm).is_left_out);
    batch(&wm, IDLE, NULL, VIEWS(AT_END));
    assert_true(watermark_input_of(&wm).is_left_out);
    wm.rules.wall_clock = 1;
    assert_false(watermark_input_of(&wm).is_left_out);
    watermark_done(&wm);
}

static void a_clock_that_is_set_makes_nobody_idle(void **state) {
    (void)state;
    static const int64_t hour = 3600000;
    for (int64_t jump = -hour; jump <= hour; jump += 2 * hour) {
        watermark_source wm = source(2, rules());
        batch(&wm, 1000, TIMES(100, 100), VIEWS(AT_END, AT_END));
        watermark_follow_clock(&wm, jump);
        batch(&wm, 1001 + jump, TIMES(900, WATERMARK_NONE), VIEWS(AT_END, AT_END));
        assert_false(wm.partitions[1].is_idle);
        batch(&wm, 1000 + IDLE + jump, TIMES(900, WATERMARK_NONE), VIEWS(AT_END, AT_END));
        assert_true(wm.partitions[1].is_idle);
        watermark_done(&wm);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_slowest_partition_sets_the_watermark),
        cmocka_unit_test(the_watermark_never_goes_back),
        cmocka_unit_test(it_moves_at_the_end_of_a_batch_only),
        cmocka_unit_test(a_batch_begun_again_forgets_what_it_saw),
        cmocka_unit_test(no_watermark_until_every_partition_had_a_record),
        cmocka_unit_test(a_partition_found_later_counts_from_its_discovery),
        cmocka_unit_test(an_idle_partition_counts_again_with_its_next_record),
        cmocka_unit_test(a_late_record_that_counts_keeps_its_partition_from_being_idle),
        cmocka_unit_test(a_silent_leader_an_open_transaction_or_backlog_keep_from_idleness),
        cmocka_unit_test(idle_never_is_never),
        cmocka_unit_test(in_a_bounded_run_an_empty_partition_is_idle_from_the_start),
        cmocka_unit_test(all_idle_and_none_yet_takes_the_partitions_that_had_a_record),
        cmocka_unit_test(all_idle_stands_still),
        cmocka_unit_test(all_idle_without_any_record_has_no_watermark),
        cmocka_unit_test(the_rule_max_takes_the_highest_partition),
        cmocka_unit_test(wall_clock_advance_starts_when_all_are_idle),
        cmocka_unit_test(wall_clock_advance_never_passes_processing_time_minus_delay),
        cmocka_unit_test(a_second_behind_the_wall_clock_calls_for_a_batch),
        cmocka_unit_test(a_preview_is_what_a_batch_without_records_gives),
        cmocka_unit_test(extreme_event_times_neither_end_nor_unmake_the_watermark),
        cmocka_unit_test(a_source_that_ended_stays_at_infinity),
        cmocka_unit_test(the_skew_guard_is_off_for_bounded_sources_and_manual_clocks),
        cmocka_unit_test(a_view_says_what_the_leader_told),
        cmocka_unit_test(a_leader_that_is_back_confirms_nothing_until_it_was_there_for_idle),
        cmocka_unit_test(a_batch_that_failed_leaves_no_trace),
        cmocka_unit_test(a_clock_that_is_set_makes_nobody_idle),
        cmocka_unit_test(inputs_meet_at_their_minimum),
        cmocka_unit_test(idle_and_ended_inputs_are_left_out),
        cmocka_unit_test(an_input_that_advances_by_wall_clock_is_not_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
