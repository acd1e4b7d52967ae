/* Windows against a model that tries every start, and at the ends of int64. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "runtime/event/watermark.h"
#include "runtime/event/window.h"

static int64_t gcd(int64_t a, int64_t b) {
    return b ? gcd(b, a % b) : a;
}

static sl_window hopping(int64_t size, int64_t every, int64_t offset, int64_t lateness) {
    return (sl_window){
        .kind = size == every ? SL_WINDOW_TUMBLING : SL_WINDOW_HOPPING,
        .size_ms = size,
        .every_ms = every,
        .offset_ms = offset,
        .pane_ms = gcd(size, every),
        .allowed_lateness_ms = lateness,
    };
}

static int64_t pane_of(const sl_window *w, int64_t time) {
    window_cache cache;
    window_cache_init(&cache);
    return window_pane(w, &cache, time);
}

static void an_event_on_a_boundary_belongs_to_the_window_that_starts_there(void **state) {
    (void)state;
    sl_window w = hopping(1000, 1000, 0, 0);
    assert_int_equal(pane_of(&w, 1000), 1000);
    assert_int_equal(pane_of(&w, 999), 0);
    assert_int_equal(pane_of(&w, 0), 0);
}

static void negative_times_floor_toward_minus_infinity(void **state) {
    (void)state;
    sl_window w = hopping(1000, 1000, 0, 0);
    assert_int_equal(pane_of(&w, -1), -1000);
    assert_int_equal(pane_of(&w, -1000), -1000);
    assert_int_equal(pane_of(&w, -1001), -2000);
}

static void an_offset_moves_the_panes(void **state) {
    (void)state;
    sl_window w = hopping(1000, 1000, 300, 0);
    assert_int_equal(pane_of(&w, 299), -700);
    assert_int_equal(pane_of(&w, 300), 300);
    assert_int_equal(pane_of(&w, -701), -1700);
}

static void times_of_the_year_55000_have_windows(void **state) {
    (void)state;
    sl_window w = hopping(60000, 30000, 0, 0);
    int64_t time = INT64_C(1673516800000000);
    assert_int_equal(pane_of(&w, time), time / 30000 * 30000);
    assert_int_equal(window_of_pane(&w, pane_of(&w, time)).count, 2);
}

static void the_cache_changes_nothing(void **state) {
    (void)state;
    sl_window w = hopping(90, 60, 7, 0);
    window_cache cache;
    window_cache_init(&cache);
    for (int i = 0; i < 20000; i++) {
        int64_t time = rand() % 2000 - 1000;
        assert_int_equal(window_pane(&w, &cache, time), pane_of(&w, time));
    }
}

/* The model: every start in [-200, 200) that holds the pane, oldest first. */
static void check_against_model(const sl_window *w, int64_t time, int64_t watermark) {
    int64_t pane = pane_of(w, time);
    assert_true(pane <= time && time < pane + w->pane_ms);
    window_run run = window_of_pane(w, pane);
    uint64_t count = 0, late = 0;
    int64_t goes = INT64_MIN, next = INT64_MAX;
    for (int64_t start = -200; start < 200; start++) {
        if ((start - w->offset_ms) % w->every_ms) continue;
        if (time < start || time >= start + w->size_ms) continue;
        window_bounds bounds;
        assert_true(window_next(w, &run, &bounds));
        assert_int_equal(bounds.start, start);
        assert_int_equal(bounds.end, start + w->size_ms);
        int64_t close = bounds.end + w->allowed_lateness_ms;
        assert_int_equal(window_is_late(w, bounds.end, watermark), close <= watermark);
        count++;
        late += close <= watermark;
        if (close > watermark && close < next) next = close;
        if (close > goes) goes = close;
    }
    assert_int_equal(run.count, 0);
    assert_true(count > 0);
    assert_int_equal(window_late_count(w, pane, watermark), late);
    assert_int_equal(window_pane_goes(w, pane), goes);
    assert_int_equal(window_next_close(w, pane, watermark), next);
    assert_int_equal(late == count, window_pane_goes(w, pane) <= watermark);
}

static void windows_of_a_pane_are_those_that_hold_its_times(void **state) {
    (void)state;
    for (int i = 0; i < 50000; i++) {
        int64_t every = 1 + rand() % 12, size = every + rand() % 30;
        sl_window w = hopping(size, every, rand() % every, rand() % 3 * (rand() % 20));
        check_against_model(&w, rand() % 200 - 100, rand() % 300 - 150);
    }
}

static void without_a_watermark_nothing_is_late_and_nothing_closes(void **state) {
    (void)state;
    sl_window w = hopping(10, 5, 0, 0);
    assert_int_equal(window_late_count(&w, 0, WATERMARK_NONE), 0);
    assert_int_equal(window_late_count(&w, INT64_MIN, WATERMARK_NONE), 0);
    assert_false(window_is_late(&w, INT64_MIN, WATERMARK_NONE));
}

static void the_end_of_a_bounded_input_closes_every_window(void **state) {
    (void)state;
    sl_window w = hopping(10, 5, 0, INT64_MAX);
    assert_int_equal(window_pane_goes(&w, 0), INT64_MAX);
    assert_int_equal(window_late_count(&w, 0, INT64_MAX - 1), 0);
    assert_int_equal(window_late_count(&w, 0, INT64_MAX), 2);
}

static void without_windows_there_is_one_pane_that_only_the_end_closes(void **state) {
    (void)state;
    sl_window w = { .kind = SL_WINDOW_NONE };
    int64_t times[] = { INT64_MIN, -1, 0, 1, INT64_MAX };
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(pane_of(&w, times[i]), INT64_MIN);
        assert_int_equal(window_late_count(&w, times[i], INT64_MAX - 1), 0);
    }
    window_run run = window_of_pane(&w, INT64_MIN);
    window_bounds bounds;
    assert_true(window_next(&w, &run, &bounds));
    assert_true(bounds.start == INT64_MIN && bounds.end == INT64_MAX);
    assert_false(window_next(&w, &run, &bounds));
    assert_int_equal(window_pane_goes(&w, INT64_MIN), INT64_MAX);
    assert_int_equal(window_next_close(&w, INT64_MIN, 0), INT64_MAX);
}

static void bounds_saturate_at_the_ends_of_int64(void **state) {
    (void)state;
    sl_window w = hopping(1000, 1000, 0, 1000);
    window_bounds low = window_pane_bounds(&w, INT64_MIN), high = window_pane_bounds(&w, INT64_MAX);
    assert_int_equal(low.start, INT64_MIN);
    assert_int_equal(low.end, -INT64_C(9223372036854775000));
    assert_int_equal(high.start, INT64_C(9223372036854775000));
    assert_int_equal(high.end, INT64_MAX);
    assert_int_equal(pane_of(&w, low.end - 1), INT64_MIN);
    assert_int_equal(pane_of(&w, low.end), low.end);
    assert_int_equal(window_pane_goes(&w, low.start), low.end + 1000);
    assert_int_equal(window_pane_goes(&w, high.start), INT64_MAX);
}

static void no_window_at_the_edges_is_undefined(void **state) {
    (void)state;
    int64_t edges[] = { INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX };
    int64_t sizes[] = { 1, 7, 1000, INT64_MAX - 1, INT64_MAX };
    for (size_t i = 0; i < 7 * 7 * 25; i++) {
        int64_t size = sizes[i / 49 / 5], every = sizes[i / 49 % 5];
        if (every > size) continue;
        sl_window w = hopping(size, every, every - 1, edges[i % 7] & INT64_MAX);
        int64_t time = edges[i / 7 % 7], pane = pane_of(&w, time);
        assert_true(pane <= time);
        assert_int_equal(pane_of(&w, pane), pane);
        window_run run = window_of_pane(&w, pane);
        assert_true(run.count > 0);
        window_bounds bounds;
        assert_true(window_next(&w, &run, &bounds));
        assert_true(bounds.start <= pane && bounds.end >= pane);
        assert_true(window_late_count(&w, pane, edges[i % 7]) <= run.count + 1);
        window_next_close(&w, pane, edges[i % 7]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_on_a_boundary_belongs_to_the_window_that_starts_there),
        cmocka_unit_test(negative_times_floor_toward_minus_infinity),
        cmocka_unit_test(an_offset_moves_the_panes),
        cmocka_unit_test(times_of_the_year_55000_have_windows),
        cmocka_unit_test(the_cache_changes_nothing),
        cmocka_unit_test(windows_of_a_pane_are_those_that_hold_its_times),
        cmocka_unit_test(without_a_watermark_nothing_is_late_and_nothing_closes),
        cmocka_unit_test(the_end_of_a_bounded_input_closes_every_window),
        cmocka_unit_test(without_windows_there_is_one_pane_that_only_the_end_closes),
        cmocka_unit_test(bounds_saturate_at_the_ends_of_int64),
        cmocka_unit_test(no_window_at_the_edges_is_undefined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
