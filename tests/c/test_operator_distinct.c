/* Keys that a distinct has seen, and the order in which rows of several outputs come to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/event/watermark.h"
#include "runtime/operator/distinct.h"
#include "runtime/operator/operators.h"
#include "runtime/operator/select.h"

enum { SHARDS = 4,
       ROWS = 64 };

/* One step with two outputs, both to the distinct. */
typedef struct world {
    sl_output outputs[2];
    sl_step step;
    sl_feed feeds[2];
    sl_distinct distinct;
    sl_plan plan;
    distinct_view view;
    batch_view b;
    worker w;
    seen_keys *seen;
    chunk *c;
    sl_row rows[ROWS];
    uint64_t keys[ROWS];
} world;

static world *setup(int64_t within_ms) {
    world *x = calloc(1, sizeof *x);
    for (uint32_t k = 0; k < 2; k++) {
        x->outputs[k] = (sl_output){ .kind = SL_TO_DISTINCT, .order = k };
        x->feeds[k] = (sl_feed){ 0, k };
    }
    x->step = (sl_step){ .outputs = x->outputs, .output_count = 2, .parent = SL_NO_STEP };
    x->distinct = (sl_distinct){
        .within_ms = within_ms, .pane_ms = 70, .feeds = x->feeds, .feed_count = 2
    };
    x->plan = (sl_plan){ .steps = &x->step,
                         .distincts = &x->distinct,
                         .step_count = 1,
                         .distinct_count = 1,
                         .shards = SHARDS };
    x->view.watermark_before = x->view.watermark_after = WATERMARK_NONE;
    x->b = (batch_view){ .plan = &x->plan, .distincts = &x->view };
    x->seen = seen_keys_new(&x->distinct);
    x->w = (worker){ .count = 1, .seen = &x->seen, .judge = judge_space_new() };
    x->w.selector = calloc(1, sizeof *x->w.selector);
    x->c = chunk_new(1);
    row_set *set = chunk_set(x->c, 0);
    row_set_need(set, ROWS);
    for (uint32_t k = 0; k < 2; k++) grouping_need(&set->groups[k], ROWS);
    return x;
}

static void teardown(world *x) {
    seen_keys_free(x->seen);
    judge_space_free(x->w.judge);
    selector_done(x->w.selector);
    free(x->w.selector);
    chunk_free(x->c);
    free(x);
}

static void clear(world *x) {
    row_set *set = chunk_set(x->c, 0);
    set->count = set->groups[0].count = set->groups[1].count = 0;
}

/* A row of `record` with `key`, through the outputs of `mask`. */
static void add(world *x, uint32_t record, uint64_t key, int64_t time_ms, uint32_t mask) {
    row_set *set = chunk_set(x->c, 0);
    uint32_t i = set->count++;
    x->rows[i] = (sl_row){ .time_ms = time_ms, .record = record };
    x->keys[i] = key;
    set->rows[i] = &x->rows[i];
    set->outputs[i] = mask;
    set->passed[i] = mask;
    for (uint32_t k = 0; k < 2; k++) {
        if (!(mask >> k & 1)) continue;
        grouping *g = &set->groups[k];
        g->indices[g->count] = i;
        g->panes[g->count] = 0;
        g->hashes[g->count] = key * 0x9e3779b97f4a7c15;
        g->keys[g->count] = (const char *)&x->keys[i];
        g->key_lens[g->count++] = sizeof key;
    }
}

static uint32_t passed(const world *x, uint32_t i) {
    return chunk_rows(x->c, 0)->passed[i];
}

/* Judge one row in a batch of its own. */
static bool passes(world *x, uint64_t key, int64_t time_ms, bool commit) {
    clear(x);
    add(x, 0, key, time_ms, 1);
    seen_keys_begin(x->seen);
    assert_null(distinct_chunk(&x->w, &x->w, &x->b, x->c, 0));
    distinct_forget(&x->w, &x->b);
    seen_keys_end(x->seen, commit);
    return passed(x, 0) == 1;
}

static void the_first_by_record_then_output_passes(void **state) {
    (void)state;
    world *x = setup(INT64_MAX);
    add(x, 0, 1, 0, 2);
    add(x, 1, 1, 0, 1);
    add(x, 2, 2, 0, 3);
    seen_keys_begin(x->seen);
    assert_null(distinct_chunk(&x->w, &x->w, &x->b, x->c, 0));
    seen_keys_end(x->seen, true);
    assert_int_equal(passed(x, 0), 2);
    assert_int_equal(passed(x, 1), 0);
    assert_int_equal(passed(x, 2), 1);
    teardown(x);
}

static void each_shard_is_judged_by_one_worker(void **state) {
    (void)state;
    world *x = setup(INT64_MAX);
    for (uint32_t i = 0; i < ROWS; i++) add(x, i, i % 10, 0, 1);
    x->w.count = 2;
    for (x->w.number = 0; x->w.number < 2; x->w.number++) {
        seen_keys_begin(x->seen);
        assert_null(distinct_chunk(&x->w, &x->w, &x->b, x->c, 0));
        seen_keys_end(x->seen, true);
    }
    for (uint32_t i = 0; i < ROWS; i++) assert_int_equal(passed(x, i), i < 10);
    teardown(x);
}

static void a_key_comes_again_when_the_watermark_has_reached_its_time(void **state) {
    (void)state;
    world *x = setup(100);
    assert_true(passes(x, 1, 5, true));
    assert_false(passes(x, 1, 50, true));
    x->view.watermark_before = x->view.watermark_after = 104;
    assert_false(passes(x, 1, 90, true));
    x->view.watermark_before = x->view.watermark_after = 105;
    assert_true(passes(x, 1, 90, true));
    assert_false(passes(x, 1, 91, true));
    teardown(x);
}

/* Keys of one stretch of time go together, when the last of them may come again. */
static void keys_are_forgotten_by_panes(void **state) {
    (void)state;
    world *x = setup(100);
    uint32_t count;
    x->view.watermark_before = x->view.watermark_after = 0;
    assert_true(passes(x, 1, 5, true));
    assert_true(passes(x, 2, 30, true));
    table_panes(seen_keys_table(x->seen), &count);
    assert_int_equal(count, 1);
    assert_false(seen_keys_are_due(x->seen, 138));
    assert_true(seen_keys_are_due(x->seen, 139));
    assert_true(passes(x, 3, 60, true));
    x->view.watermark_after = 139;
    assert_true(passes(x, 4, 70, true));
    assert_false(seen_keys_are_due(x->seen, 139));
    x->view.watermark_before = 139;
    assert_true(passes(x, 2, 70, true));
    assert_false(passes(x, 3, 70, true));
    teardown(x);
}

/* However far ahead of the watermark rows are, there are few panes to look in. */
static void panes_stay_few(void **state) {
    (void)state;
    world *x = setup(100);
    uint32_t count;
    x->view.watermark_before = x->view.watermark_after = 0;
    for (int64_t i = 0; i < 10000; i++) assert_true(passes(x, (uint64_t)i, i * 100, true));
    for (int64_t i = 0; i < 10000; i++) assert_false(passes(x, (uint64_t)i, 999900 - i, true));
    table_panes(seen_keys_table(x->seen), &count);
    assert_in_range(count, 2, 40);
    teardown(x);
}

/* Two rows of one run whose panes differ. */
static void one_key_passes_once_in_a_run(void **state) {
    (void)state;
    world *x = setup(100);
    add(x, 0, 1, 10, 1);
    add(x, 1, 1, 95, 1);
    add(x, 2, 2, 95, 1);
    add(x, 3, 2, 10, 1);
    add(x, 4, 2, 95, 1);
    seen_keys_begin(x->seen);
    assert_null(distinct_chunk(&x->w, &x->w, &x->b, x->c, 0));
    seen_keys_end(x->seen, true);
    const uint32_t wanted[] = { 1, 0, 1, 0, 0 };
    for (uint32_t i = 0; i < 5; i++) assert_int_equal(passed(x, i), wanted[i]);
    teardown(x);
}

/* State from before there were panes: all keys lie in one. */
static void keys_of_one_pane_stay_until_the_last_may_go(void **state) {
    (void)state;
    world *x = setup(100);
    table *t = seen_keys_table(x->seen);
    uint64_t keys[2] = { 1, 2 };
    seen_keys_begin(x->seen);
    for (int i = 0; i < 2; i++) {
        entry *e = table_touch(t, table_pane(t, 0), keys[i] * 0x9e3779b97f4a7c15,
                               (const char *)&keys[i], sizeof keys[i]);
        *(int64_t *)entry_state(e) = 500 + 100 * i;
    }
    seen_keys_end(x->seen, true);
    seen_keys_loaded(x->seen);
    x->view.watermark_before = x->view.watermark_after = 500;
    assert_true(passes(x, 1, 450, true));
    assert_false(passes(x, 2, 450, true));
    assert_true(seen_keys_are_due(x->seen, 600));
    assert_non_null(table_find_pane(t, 0));
    x->view.watermark_after = 600;
    assert_false(passes(x, 2, 550, true));
    assert_null(table_find_pane(t, 0));
    teardown(x);
}

/* Each worker has some of those keys, and the pane goes from all of them at once. */
static void keys_of_one_pane_stay_until_the_last_of_any_worker_may_go(void **state) {
    (void)state;
    world *x = setup(100), *other = setup(100);
    seen_keys *both[2] = { x->seen, other->seen };
    for (uint64_t i = 0; i < 2; i++) {
        table *t = seen_keys_table(both[i]);
        seen_keys_begin(both[i]);
        entry *e = table_touch(t, table_pane(t, 0), i, (const char *)&i, sizeof i);
        *(int64_t *)entry_state(e) = 500 + 100 * (int64_t)i;
        seen_keys_end(both[i], true);
        seen_keys_loaded(both[i]);
    }
    seen_keys_agree(both, 2);
    for (int i = 0; i < 2; i++) {
        assert_false(seen_keys_are_due(both[i], 599));
        assert_true(seen_keys_are_due(both[i], 600));
    }
    teardown(other);
    teardown(x);
}

static void forever_is_forever(void **state) {
    (void)state;
    world *x = setup(INT64_MAX);
    assert_true(passes(x, 1, 5, true));
    x->view.watermark_before = x->view.watermark_after = INT64_MAX;
    assert_false(passes(x, 1, 50, true));
    assert_false(seen_keys_are_due(x->seen, INT64_MAX));
    teardown(x);
}

static void a_batch_that_fails_leaves_no_trace(void **state) {
    (void)state;
    world *x = setup(100);
    assert_true(passes(x, 1, 5, false));
    assert_false(seen_keys_are_due(x->seen, INT64_MAX));
    assert_true(passes(x, 1, 5, true));
    x->view.watermark_after = 139;
    assert_true(passes(x, 2, 50, false)); /* would have forgotten key 1 */
    assert_true(seen_keys_are_due(x->seen, 139));
    x->view.watermark_after = 104;
    assert_false(passes(x, 1, 5, true));
    assert_true(passes(x, 2, 50, true));
    teardown(x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_by_record_then_output_passes),
        cmocka_unit_test(each_shard_is_judged_by_one_worker),
        cmocka_unit_test(a_key_comes_again_when_the_watermark_has_reached_its_time),
        cmocka_unit_test(keys_are_forgotten_by_panes),
        cmocka_unit_test(panes_stay_few),
        cmocka_unit_test(one_key_passes_once_in_a_run),
        cmocka_unit_test(keys_of_one_pane_stay_until_the_last_may_go),
        cmocka_unit_test(keys_of_one_pane_stay_until_the_last_of_any_worker_may_go),
        cmocka_unit_test(forever_is_forever),
        cmocka_unit_test(a_batch_that_fails_leaves_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
