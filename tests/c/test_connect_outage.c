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
    assert_int_equal(outages_begin(o, "a:1", 100), OUTAGE_NEWS);
    assert_int_equal(outages_begin(o, "a:1", 200), OUTAGE_KNOWN);
    assert_false(outages_end(o, "a:1", 400, &since_ms));
    assert_true(outages_end(o, "a:1", 500, &since_ms));
    assert_int_equal(since_ms, 100);
    assert_int_equal(outages_begin(o, "a:1", 60000), OUTAGE_NEWS);
    outages_free(o);
}

/* Some clients find the way back later than those that said "back". */
static void a_straggler_begins_no_outage_unless_it_lasts(void **state) {
    (void)state;
    outages *o = outages_new();
    int64_t since_ms = 0;
    assert_int_equal(outages_begin(o, "a:1", 100), OUTAGE_NEWS);
    assert_true(outages_end(o, "a:1", 4000, &since_ms));
    assert_int_equal(outages_begin(o, "a:1", 4800), OUTAGE_OVER);
    assert_int_equal(outages_begin(o, "a:1", 8999), OUTAGE_OVER);
    assert_int_equal(outages_begin(o, "a:1", 9000), OUTAGE_NEWS);
    assert_true(outages_end(o, "a:1", 9500, &since_ms));
    assert_int_equal(since_ms, 9000);
    outages_free(o);
}

static void clusters_are_told_apart(void **state) {
    (void)state;
    outages *o = outages_new();
    int64_t since_ms = 0;
    assert_int_equal(outages_begin(o, "a:1", 100), OUTAGE_NEWS);
    assert_int_equal(outages_begin(o, "b:1", 200), OUTAGE_NEWS);
    assert_true(outages_end(o, "b:1", 300, &since_ms));
    assert_int_equal(since_ms, 200);
    outages_free(o);
}

static void without_a_pipeline_every_client_speaks_for_itself(void **state) {
    (void)state;
    int64_t since_ms = 7;
    assert_int_equal(outages_begin(NULL, "a:1", 100), OUTAGE_NEWS);
    assert_int_equal(outages_begin(NULL, "a:1", 100), OUTAGE_NEWS);
    assert_true(outages_end(NULL, "a:1", 200, &since_ms));
    assert_int_equal(since_ms, 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_word_begins_and_the_last_end_ends),
        cmocka_unit_test(a_straggler_begins_no_outage_unless_it_lasts),
        cmocka_unit_test(clusters_are_told_apart),
        cmocka_unit_test(without_a_pipeline_every_client_speaks_for_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
