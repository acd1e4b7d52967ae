/* What a run over a sample would have written: which messages are one row, and which row of the run
 * before it is. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "runtime/cli/outcome.h"

static sl_string string_of(const char *text) {
    return (sl_string){ .data = text, .len = text ? (uint32_t)strlen(text) : 0 };
}

static outcome *new_outcome(int32_t mode) {
    static sl_sink sink;
    sink = (sl_sink){ .name = { .data = "out", .len = 3 } };
    sl_plan plan = { .sinks = &sink, .sink_count = 1 };
    outcome *o = outcome_new(&plan);
    o->sinks[0].mode = mode;
    return o;
}

static void add(outcome *o, const char *key, const char *value) {
    sl_message m = { .key = string_of(key), .value = string_of(value), .partition = -1 };
    outcome_add(o, 0, &m);
}

static uint32_t count(const outcome *o) {
    uint32_t there = 0;
    for (uint32_t i = 0; i < o->sinks[0].count; i++) there += outcome_counts(&o->sinks[0].rows[i]);
    return there;
}

static void is_value(const outcome_row *row, const char *value) {
    assert_non_null(row);
    assert_int_equal(row->value.len, strlen(value));
    assert_memory_equal(row->value.data, value, row->value.len);
}

static void the_last_message_of_a_key_counts_under_update(void **state) {
    (void)state;
    outcome *o = new_outcome(SL_UPDATE);
    add(o, "{\"k\":1,\"window_start\":0}", "{\"n\":1}");
    add(o, "{\"k\":1,\"window_start\":5}", "{\"n\":9}");
    add(o, "{\"k\":1,\"window_start\":0}", "{\"n\":2}");
    add(o, "{\"k\":2,\"window_start\":0}", "{\"n\":3}");
    add(o, "{\"k\":2,\"window_start\":0}", NULL); /* a retraction */
    assert_int_equal(count(o), 2);
    is_value(&o->sinks[0].rows[0], "{\"n\":2}");
    assert_int_equal(o->sinks[0].messages, 5);
    assert_int_equal(o->sinks[0].retracted, 1);
    outcome_free(o);
}

static void each_message_is_a_row_under_append(void **state) {
    char value[32];
    (void)state;
    outcome *o = new_outcome(SL_APPEND);
    for (int i = 0; i < 100; i++) {
        snprintf(value, sizeof value, "{\"n\":%d}", i);
        add(o, NULL, value); /* told apart by neither key nor window */
    }
    assert_int_equal(count(o), 100);
    outcome_free(o);
}

static void equal_messages_are_one_row_elsewhere(void **state) {
    (void)state;
    outcome *o = new_outcome(0);
    add(o, "a", "{\"n\":1}");
    add(o, "a", "{\"n\":2}");
    add(o, "a", "{\"n\":1}");
    add(o, "b", "{\"n\":1}");
    assert_int_equal(count(o), 3);
    assert_int_equal(o->sinks[0].rows[0].times, 2);
    outcome_free(o);
}

static void a_row_is_found_in_the_run_before(void **state) {
    char key[48], value[32];
    (void)state;
    outcome *before = new_outcome(SL_APPEND), *now = new_outcome(SL_APPEND);
    for (int i = 0; i < 3000; i++) {
        snprintf(key, sizeof key, "{\"k\":%d,\"window_start\":%d}", i % 7, i / 7);
        snprintf(value, sizeof value, "{\"n\":%d}", i);
        add(before, key, value);
        snprintf(value, sizeof value, "{\"n\":%d}", i + 1);
        if (i != 1234) add(now, key, value);
    }
    const outcome_sink *was = outcome_named(before, "out");
    is_value(outcome_find(was, &now->sinks[0].rows[77]), "{\"n\":77}");
    assert_null(outcome_find(&now->sinks[0], &was->rows[1234]));
    assert_null(outcome_named(before, "other"));
    outcome_free(before);
    outcome_free(now);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_message_of_a_key_counts_under_update),
        cmocka_unit_test(each_message_is_a_row_under_append),
        cmocka_unit_test(equal_messages_are_one_row_elsewhere),
        cmocka_unit_test(a_row_is_found_in_the_run_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
