/* Sessions as chains of entries, and what goes by its own time, over batches kept or undone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/mem.h"
#include "runtime/operator/expiry.h"
#include "runtime/operator/session.h"

enum { GAP = 10,
       LATENESS = 5,
       GROUPS = 20 };

typedef struct group_state {
    sl_span span;
    int64_t rows;
} group_state;

static const group_state INITIAL = { .span = { INT64_MAX, INT64_MIN } };

static sl_aggregate plan_of(int32_t kind) {
    return (sl_aggregate){
        .mode = SL_UPDATE,
        .has_span = 1,
        .span_offset = offsetof(group_state, span),
        .window = { .kind = kind,
                    .size_ms = GAP,
                    .every_ms = kind == SL_WINDOW_SESSION ? GAP : 0,
                    .pane_ms = kind == SL_WINDOW_SESSION ? GAP : 0,
                    .allowed_lateness_ms = kind == SL_WINDOW_SESSION ? LATENESS : 0 },
    };
}

static table *new_table(void) {
    return table_new(&(table_config){ .state_size = sizeof INITIAL, .state_init = &INITIAL });
}

static entry *fold(const sl_aggregate *plan, table *t, uint64_t group, int64_t time_ms) {
    pane *p = table_pane(t, session_pane(plan, time_ms));
    entry *e = table_touch(t, p, group << 32 | group, (char *)&group, sizeof group);
    sl_span *span = session_span(plan, e);
    if (time_ms < span->first_ms) span->first_ms = time_ms;
    if (time_ms > span->last_ms) span->last_ms = time_ms;
    ((group_state *)entry_state(e))->rows++;
    return e;
}

/* An aggregation of its own for each test. */
typedef struct bench {
    sl_aggregate plan;
    table *table;
    expiry expiry;
} bench;

static int setup(void **state, int32_t kind) {
    bench *made = mem_zalloc(1, sizeof *made);
    made->plan = plan_of(kind);
    made->table = new_table();
    expiry_init(&made->expiry, &made->plan, made->table);
    *state = made;
    return 0;
}

static int setup_sessions(void **state) { return setup(state, SL_WINDOW_SESSION); }
static int setup_running(void **state) { return setup(state, SL_WINDOW_RUNNING); }

static int teardown(void **state) {
    bench *made = *state;
    expiry_done(&made->expiry);
    table_free(made->table);
    mem_free(made);
    return 0;
}

#define on_sessions(test) cmocka_unit_test_setup_teardown(test, setup_sessions, teardown)
#define on_running(test) cmocka_unit_test_setup_teardown(test, setup_running, teardown)

static void neighbours_within_a_gap_are_one_session(void **state) {
    const bench *made = *state;
    table *t = made->table;
    table_epoch_begin(t);
    entry *a = fold(&made->plan, t, 1, -3), *b = fold(&made->plan, t, 1, 7);
    entry *c = fold(&made->plan, t, 1, 18);
    fold(&made->plan, t, 2, 15); /* another group */
    assert_ptr_equal(session_next(&made->plan, t, a), b);
    assert_ptr_equal(session_previous(&made->plan, t, b), a);
    assert_null(session_next(&made->plan, t, b)); /* 11 behind */
    assert_null(session_previous(&made->plan, t, c));
    fold(&made->plan, t, 1, 8);
    assert_ptr_equal(session_next(&made->plan, t, b), c);
    assert_ptr_equal(session_previous(&made->plan, t, c), b);
    assert_null(session_next(&made->plan, t, c));
    table_commit(t);
}

static void sessions_at_the_ends_of_time_are_sessions(void **state) {
    const bench *made = *state;
    table *t = made->table;
    table_epoch_begin(t);
    entry *low = fold(&made->plan, t, 1, INT64_MIN + 1);
    entry *high = fold(&made->plan, t, 1, INT64_MAX - 1);
    assert_null(session_previous(&made->plan, t, low));
    assert_null(session_next(&made->plan, t, low));
    assert_null(session_next(&made->plan, t, high));
    assert_null(session_previous(&made->plan, t, high));
    table_commit(t);
}

static uint32_t take_all(expiry *x, int64_t watermark, bool removes) {
    uint32_t count = 0;
    expiry_cursor at = { 0 };
    for (entry *e; (e = expiry_take(x, watermark, &at)); count++) {
        if (!removes) continue;
        int64_t start = session_pane(x->plan, session_span(x->plan, e)->first_ms);
        table_remove(x->table, table_find_pane(x->table, start), e);
    }
    return count;
}

static void what_was_touched_again_goes_later(void **state) {
    const bench *made = *state;
    table *t = made->table;
    expiry *x = &((bench *)*state)->expiry;
    table_epoch_begin(t);
    fold(&made->plan, t, 1, 0);
    fold(&made->plan, t, 2, 5);
    expiry_add_new(x);
    table_commit(t);
    assert_false(expiry_is_due(x, 9));
    assert_true(expiry_is_due(x, 10));
    expiry_begin(x);
    table_epoch_begin(t);
    fold(&made->plan, t, 1, 7);
    expiry_add_new(x);
    assert_int_equal(take_all(x, 14, true), 0);
    assert_int_equal(take_all(x, 15, true), 1);
    table_commit(t);
    assert_false(expiry_is_due(x, 16));
    assert_true(expiry_is_due(x, 17));
}

static void a_session_goes_with_its_last_entry(void **state) {
    const bench *made = *state;
    table *t = made->table;
    expiry *x = &((bench *)*state)->expiry;
    table_epoch_begin(t);
    entry *first = fold(&made->plan, t, 1, 0), *last = fold(&made->plan, t, 1, 10);
    expiry_add_new(x);
    assert_true(expiry_due(x, first) == INT64_MAX);
    assert_int_equal(expiry_due(x, last), 10 + GAP + LATENESS);
    table_commit(t);
    assert_false(expiry_is_due(x, 24));
    assert_true(expiry_is_due(x, 25));
}

static void an_undone_batch_has_let_nothing_go(void **state) {
    const bench *made = *state;
    table *t = made->table;
    expiry *x = &((bench *)*state)->expiry;
    table_epoch_begin(t);
    fold(&made->plan, t, 1, 0);
    fold(&made->plan, t, 2, 3);
    expiry_add_new(x);
    table_commit(t);
    for (int round = 0; round < 3; round++) {
        expiry_begin(x);
        table_epoch_begin(t);
        fold(&made->plan, t, 3, 4);
        fold(&made->plan, t, 1, 8);
        expiry_add_new(x);
        assert_int_equal(take_all(x, 30, true), 3);
        table_undo(t);
        expiry_undo(x);
        assert_false(expiry_is_due(x, 14));
        assert_true(expiry_is_due(x, 15)); /* group 1 ends at 10 as before */
    }
    expiry_begin(x);
    table_epoch_begin(t);
    assert_int_equal(take_all(x, 18, true), 2);
    table_commit(t);
    assert_int_equal(calendar_count(x->calendar), 0);
}

/* Rows of many groups, for long: what is held follows what is open, not what has passed. */
static void memory_stays_flat_while_sessions_come_and_go(void **state) {
    const bench *made = *state;
    table *t = made->table;
    expiry *x = &((bench *)*state)->expiry;
    size_t held = 0;
    uint32_t closed = 0;
    srand(3);
    for (int64_t now = 0; now < 200000; now += 20) {
        expiry_begin(x);
        table_epoch_begin(t);
        for (int i = 0; i < GROUPS; i++)
            fold(&made->plan, t, (uint64_t)(now / 20 * GROUPS + i) % 5000, now + rand() % 20);
        expiry_add_new(x);
        closed += take_all(x, now, true);
        uint32_t count;
        pane *const *panes = table_panes(t, &count);
        for (uint32_t p = count; p-- > 0;)
            if (!pane_count(panes[p])) table_drop_pane(t, panes[p]);
        table_commit(t);
        if (now == 20000) held = table_held_bytes(t) + calendar_held_bytes(x->calendar);
    }
    assert_true(closed > 190000);
    assert_true(table_held_bytes(t) + calendar_held_bytes(x->calendar) <= held + held / 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        on_sessions(neighbours_within_a_gap_are_one_session),
        on_sessions(sessions_at_the_ends_of_time_are_sessions),
        on_running(what_was_touched_again_goes_later),
        on_sessions(a_session_goes_with_its_last_entry),
        on_sessions(an_undone_batch_has_let_nothing_go),
        on_sessions(memory_stays_flat_while_sessions_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
