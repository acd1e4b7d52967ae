/* When a leader is asked again. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "runtime/connect/kafka_fetch_state.h"

enum { ASKED = 1000 };

static void test_it_rests_even_if_main_waits(void **state) {
    (void)state;
    assert_int_equal(fetch_asks_again_ms(ASKED, 0, INT64_MIN), ASKED + 3);
    assert_int_equal(fetch_asks_again_ms(ASKED, 0, ASKED - 5), ASKED + 3);
    assert_int_equal(fetch_asks_again_ms(ASKED, 0, ASKED + 2), ASKED + 3);
}

static void test_its_answer_is_there_in_time(void **state) {
    (void)state;
    assert_int_equal(fetch_asks_again_ms(ASKED, 0, ASKED + 7), ASKED + 6);
    assert_int_equal(fetch_asks_again_ms(ASKED, 2, ASKED + 9), ASKED + 6);
    assert_int_equal(fetch_asks_again_ms(ASKED, 2, ASKED + 5), ASKED + 3); /* or nearly */
}

static void test_an_answer_that_was_waited_for_says_little(void **state) {
    (void)state;
    assert_int_equal(fetch_asks_again_ms(ASKED, 500, ASKED + 9), ASKED + 4);
}

static void test_it_never_rests_for_long(void **state) {
    (void)state;
    assert_int_equal(fetch_asks_again_ms(ASKED, 0, ASKED + 500), ASKED + 10);
    assert_int_equal(fetch_asks_again_ms(ASKED, 500, INT64_MAX), ASKED + 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_rests_even_if_main_waits),
        cmocka_unit_test(test_its_answer_is_there_in_time),
        cmocka_unit_test(test_an_answer_that_was_waited_for_says_little),
        cmocka_unit_test(test_it_never_rests_for_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
