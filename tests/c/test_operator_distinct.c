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
    x->distinct = (sl_distinct){ .within_ms = within_ms, .feeds = x->feeds, .feed_count = 2 };
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
    assert_null(distinct_chunk(&x->w, &x->b, x->c, 0));
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
    assert_null(distinct_chunk(&x->w, &x->b, x->c, 0));
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
        assert_null(distinct_chunk(&x->w, &x->b, x->c, 0));
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
    assert_false(seen_keys_are_due(x->seen, 104));
    assert_true(seen_keys_are_due(x->seen, 105));
    x->view.watermark_after = 105; /* it goes at the end of this batch */
    assert_false(passes(x, 1, 90, true));
    assert_false(seen_keys_are_due(x->seen, 105));
    x->view.watermark_before = 105;
    assert_true(passes(x, 1, 90, true));
    assert_true(seen_keys_are_due(x->seen, 190));
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
    x->view.watermark_after = 105;
    assert_true(passes(x, 2, 50, false)); /* would have forgotten key 1 */
    assert_true(seen_keys_are_due(x->seen, 105));
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
        cmocka_unit_test(forever_is_forever),
        cmocka_unit_test(a_batch_that_fails_leaves_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
