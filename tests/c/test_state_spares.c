#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "state/spares.h"

enum { MB = 1 << 20 };

static void what_is_given_back_is_used_again(void **state) {
    (void)state;
    spares *s = spares_new(64 * MB);
    buf a = spares_take(s, 20 * MB), b = spares_take(s, 5 * MB);
    char *large = a.data, *small = b.data;
    assert_true(a.room >= 20 * MB && b.room >= 5 * MB);
    memset(large, 1, a.room);
    buf_put(&b, "bytes", 5);
    spares_give(s, &a);
    spares_give(s, &b);
    assert_null(a.data);
    buf c = spares_take(s, 5 * MB - 1000), d = spares_take(s, 20 * MB), e = spares_take(s, 5 * MB);
    assert_ptr_equal(c.data, small); /* the smallest that does */
    assert_int_equal(c.len, 0);
    assert_ptr_equal(d.data, large);
    assert_ptr_not_equal(e.data, small);
    spares_give(s, &c);
    spares_give(s, &d);
    spares_give(NULL, &e);
    spares_free(s);
}

static void no_more_is_kept_than_may_be(void **state) {
    (void)state;
    spares *s = spares_new(32 * MB);
    buf first = spares_take(s, 20 * MB), second = spares_take(s, 20 * MB);
    buf too_large = spares_take(s, 40 * MB), plain = { 0 };
    char *last = second.data;
    buf_put(&plain, "text", 4);
    spares_give(s, &first);
    spares_give(s, &second); /* the first one goes */
    spares_give(s, &too_large);
    spares_give(s, &plain);
    buf third = spares_take(s, 20 * MB), fourth = spares_take(s, 20 * MB);
    assert_ptr_equal(third.data, last);
    memset(fourth.data, 1, fourth.room);
    spares_free(s); /* what was taken stays */
    memset(third.data, 1, third.room);
    buf_done(&third);
    buf_done(&fourth);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_given_back_is_used_again),
        cmocka_unit_test(no_more_is_kept_than_may_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
