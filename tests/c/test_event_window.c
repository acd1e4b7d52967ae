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

static int64_t random_time(void) {
    int64_t time = (int64_t)((uint64_t)rand() << 42 ^ (uint64_t)rand() << 21 ^ (uint64_t)rand());
    return time >> rand() % 64;
}

/* Near the first one, far from it, and where panes begin and end. */
static void panes_are_told_from_any_other(void **state) {
    (void)state;
    for (int i = 0; i < 20000; i++) {
        int64_t pane_ms = 1 + (random_time() & INT64_MAX) / 2, base = random_time();
        sl_window w = hopping(pane_ms, pane_ms, 0, 0);
        window_cache cache;
        window_cache_init(&cache);
        window_pane(&w, &cache, base);
        for (int k = 0; k < 12; k++) {
            int64_t time = saturate_add(base, (rand() % 15 - 7) * (pane_ms / 8));
            if (k % 4 == 0) time = random_time();
            if (k % 3) time = saturate_sub(time, time % pane_ms);
            if (k % 3 == 2) time = saturate_sub(time, 1);
            assert_int_equal(window_pane(&w, &cache, time), pane_of(&w, time));
        }
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
        assert_true(window_next(&run, &bounds));
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

static sl_window stepped(int32_t kind, int64_t every, int64_t steps, int64_t offset) {
    return (sl_window){
        .kind = kind,
        .size_ms = every * steps,
        .every_ms = every,
        .offset_ms = offset,
        .pane_ms = every,
        .allowed_lateness_ms = rand() % 3 * (rand() % 20),
    };
}

/* What a pane's windows, listed by their ends, must come to. */
static void check_run(const sl_window *w, int64_t pane, int64_t watermark,
                      const window_bounds *expected, uint64_t expected_count) {
    window_run run = window_of_pane(w, pane);
    assert_int_equal(run.count, expected_count);
    for (uint64_t skipped = 0; skipped <= expected_count + 1; skipped++) {
        window_run rest = run;
        window_bounds bounds;
        window_skip(&rest, skipped);
        assert_int_equal(window_next(&rest, &bounds), skipped < expected_count);
        if (skipped < expected_count) assert_int_equal(bounds.end, expected[skipped].end);
    }
    uint64_t late = 0;
    int64_t next = INT64_MAX, goes = INT64_MIN;
    for (uint64_t i = 0; i < expected_count; i++) {
        window_bounds bounds;
        assert_true(window_next(&run, &bounds));
        assert_int_equal(bounds.start, expected[i].start);
        assert_int_equal(bounds.end, expected[i].end);
        int64_t close = bounds.end + w->allowed_lateness_ms;
        late += close <= watermark;
        if (close > watermark && close < next) next = close;
        goes = close;
    }
    assert_int_equal(window_late_count(w, pane, watermark), late);
    assert_int_equal(window_pane_goes(w, pane), goes);
    assert_int_equal(window_next_close(w, pane, watermark), next);
}

static void cumulating_windows_share_a_start(void **state) {
    (void)state;
    for (int i = 0; i < 20000; i++) {
        int64_t every = 1 + rand() % 12, steps = 1 + rand() % 8;
        sl_window w = stepped(SL_WINDOW_CUMULATE, every, steps, rand() % (int)(every * steps));
        int64_t time = rand() % 400 - 200, start = w.offset_ms - 300 * w.size_ms;
        while (start + w.size_ms <= time) start += w.size_ms;
        window_bounds expected[8];
        uint64_t count = 0;
        for (int64_t end = start + every; end <= start + w.size_ms; end += every)
            if (time < end) expected[count++] = (window_bounds){ start, end };
        check_run(&w, pane_of(&w, time), rand() % 500 - 250, expected, count);
    }
}

static void a_rolling_window_begins_with_its_pane(void **state) {
    (void)state;
    for (int i = 0; i < 20000; i++) {
        int64_t every = 1 + rand() % 12;
        sl_window w = stepped(SL_WINDOW_ROLLING, every, 1 + rand() % 8, rand() % (int)every);
        int64_t pane = pane_of(&w, rand() % 400 - 200);
        window_bounds expected = { pane, pane + w.size_ms };
        check_run(&w, pane, rand() % 500 - 250, &expected, 1);
    }
}

static void a_row_of_a_session_or_a_running_total_has_its_own_window(void **state) {
    (void)state;
    sl_window session = { .kind = SL_WINDOW_SESSION, .size_ms = 10, .every_ms = 10, .pane_ms = 10 };
    sl_window running = { .kind = SL_WINDOW_RUNNING, .size_ms = INT64_MAX };
    assert_true(window_is_own(&session) && window_is_own(&running));
    assert_true(window_has_bounds(&session));
    assert_false(window_has_bounds(&running));
    assert_int_equal(window_own(&session, -3).start, -3);
    assert_int_equal(window_own(&session, -3).end, 7);
    assert_true(window_is_late(&session, window_own(&session, -3).end, 7));
    assert_false(window_is_late(&session, window_own(&session, -3).end, 6));
    assert_int_equal(window_own(&running, 5).end, INT64_MAX);
    assert_int_equal(pane_of(&session, -1), -10);
    assert_int_equal(pane_of(&running, -1), INT64_MIN);
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
    assert_true(window_next(&run, &bounds));
    assert_true(bounds.start == INT64_MIN && bounds.end == INT64_MAX);
    assert_false(window_next(&run, &bounds));
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
        assert_true(window_next(&run, &bounds));
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
        cmocka_unit_test(panes_are_told_from_any_other),
        cmocka_unit_test(windows_of_a_pane_are_those_that_hold_its_times),
        cmocka_unit_test(cumulating_windows_share_a_start),
        cmocka_unit_test(a_rolling_window_begins_with_its_pane),
        cmocka_unit_test(a_row_of_a_session_or_a_running_total_has_its_own_window),
        cmocka_unit_test(without_a_watermark_nothing_is_late_and_nothing_closes),
        cmocka_unit_test(the_end_of_a_bounded_input_closes_every_window),
        cmocka_unit_test(without_windows_there_is_one_pane_that_only_the_end_closes),
        cmocka_unit_test(bounds_saturate_at_the_ends_of_int64),
        cmocka_unit_test(no_window_at_the_edges_is_undefined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
