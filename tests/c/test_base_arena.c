/* Arenas, buffers, errors: what every layer stands on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"

static void allocations_are_aligned_apart_and_padded(void **state) {
    (void)state;
    arena a;
    arena_init(&a, 256);
    char *before = NULL;
    size_t before_len = 0;
    for (size_t i = 1; i < 2000; i++) {
        size_t align = (size_t)1 << (i % 5), len = i % 97;
        char *at = arena_take(&a, len, align);
        assert_int_equal((uintptr_t)at % align, 0);
        if (before) assert_true(at >= before + before_len || at < before);
        memset(at, (int)i, len);
        assert_true(at[len + ARENA_PADDING - 1] == at[len + ARENA_PADDING - 1]); /* readable */
        before = at;
        before_len = len;
    }
    arena_done(&a);
}

static void an_allocation_larger_than_a_chunk_gets_its_own(void **state) {
    (void)state;
    arena a;
    arena_init(&a, 64);
    char *small = arena_copy(&a, "abc", 3), *large = arena_take(&a, 100000, 8);
    memset(large, 1, 100000);
    assert_memory_equal(small, "abc", 3);
    assert_true(arena_held(&a) >= 100000);
    arena_done(&a);
}

static void reset_keeps_memory_but_not_more_than_asked(void **state) {
    (void)state;
    arena a;
    arena_init(&a, 1000);
    for (int i = 0; i < 10; i++) arena_take(&a, 900, 1);
    assert_true(arena_held(&a) >= 9000);
    arena_reset(&a, 3500);
    assert_true(arena_held(&a) > 0 && arena_held(&a) <= 3500);
    size_t held = arena_held(&a);
    for (int i = 0; i < 3; i++) arena_take(&a, 900, 1);
    assert_int_equal(arena_held(&a), held); /* used again */
    arena_done(&a);
    assert_int_equal(arena_held(&a), 0);
}

static void nothing_is_a_place_of_its_own(void **state) {
    (void)state;
    arena a;
    arena_init(&a, 64);
    assert_non_null(arena_take(&a, 0, 1));
    arena_done(&a);
}

static void a_buffer_grows_and_ends_as_text(void **state) {
    (void)state;
    buf b;
    buf_init(&b);
    for (int i = 0; i < 1000; i++) buf_printf(&b, "%d,", i);
    buf_put_char(&b, 'x');
    const char *text = buf_text(&b);
    assert_int_equal(strlen(text), b.len);
    assert_int_equal(strncmp(text, "0,1,2,", 6), 0);
    assert_string_equal(text + b.len - 5, "999,x");
    buf_reset(&b);
    assert_string_equal(buf_text(&b), "");
    buf_done(&b);
}

static void an_error_gathers_context_and_keeps_its_code(void **state) {
    (void)state;
    err *e = err_new(ERR_BROKER, "offset %d is gone", 7);
    e->retriable = true;
    e = err_wrap(e, "source `%s`", "rides");
    assert_string_equal(e->message, "source `rides`: offset 7 is gone");
    assert_int_equal(e->code, ERR_BROKER);
    assert_true(e->retriable);
    err_free(e);
    assert_null(err_wrap(NULL, "nothing"));
    err_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_aligned_apart_and_padded),
        cmocka_unit_test(an_allocation_larger_than_a_chunk_gets_its_own),
        cmocka_unit_test(reset_keeps_memory_but_not_more_than_asked),
        cmocka_unit_test(nothing_is_a_place_of_its_own),
        cmocka_unit_test(a_buffer_grows_and_ends_as_text),
        cmocka_unit_test(an_error_gathers_context_and_keeps_its_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
