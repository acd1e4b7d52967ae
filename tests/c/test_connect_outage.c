/* Outages: said once a cluster, however many clients notice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/connect/outage.h"

static void the_first_word_begins_and_the_last_end_ends(void **state) {
    (void)state;
    outages *o = outages_new();
    int64_t since_ms = 300;
    assert_true(outages_begin(o, "a:1", 100));
    assert_false(outages_begin(o, "a:1", 200));
    assert_false(outages_end(o, "a:1", &since_ms));
    assert_true(outages_end(o, "a:1", &since_ms));
    assert_int_equal(since_ms, 100);
    assert_true(outages_begin(o, "a:1", 500));
    outages_free(o);
}

static void clusters_are_told_apart(void **state) {
    (void)state;
    outages *o = outages_new();
    int64_t since_ms = 0;
    assert_true(outages_begin(o, "a:1", 100));
    assert_true(outages_begin(o, "b:1", 200));
    assert_true(outages_end(o, "b:1", &since_ms));
    assert_int_equal(since_ms, 200);
    outages_free(o);
}

static void without_a_pipeline_every_client_speaks_for_itself(void **state) {
    (void)state;
    int64_t since_ms = 7;
    assert_true(outages_begin(NULL, "a:1", 100));
    assert_true(outages_begin(NULL, "a:1", 100));
    assert_true(outages_end(NULL, "a:1", &since_ms));
    assert_int_equal(since_ms, 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_word_begins_and_the_last_end_ends),
        cmocka_unit_test(clusters_are_told_apart),
        cmocka_unit_test(without_a_pipeline_every_client_speaks_for_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
