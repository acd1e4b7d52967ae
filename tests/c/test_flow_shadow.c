/* Rows of two scripts, compared: which belong together, which differ. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/mem.h"
#include "runtime/flow/shadow_rows.h"

static sl_string text(const char *s) {
    return (sl_string){ .data = s, .len = s ? (uint32_t)strlen(s) : 0 };
}

static void add_result(shadow_rows *r, const char *sink, const char *key, int64_t start,
                       const char *value) {
    sl_string name = text(sink);
    shadow_row of = { .record = NO_RECORD, .window_start = start, .window_end = start + 10 };
    shadow_rows_add(r, &name, &of, text(key), text(value), text(NULL));
}

static void add_row(shadow_rows *r, uint32_t record, const char *key, const char *value,
                    const char *extra) {
    sl_string name = text("copy");
    shadow_row of = { .record = record };
    shadow_rows_add(r, &name, &of, text(key), text(value), text(extra));
}

typedef struct two {
    shadow_rows old, new;
    shadow_seen seen;
} two;

static two begin(void) {
    two t;
    shadow_rows_init(&t.old);
    shadow_rows_init(&t.new);
    shadow_seen_init(&t.seen, 3);
    return t;
}

static void compare(two *t) { shadow_rows_compare(&t->old, &t->new, 7, &t->seen); }

static void end(two *t) {
    shadow_rows_done(&t->old);
    shadow_rows_done(&t->new);
    shadow_seen_done(&t->seen);
}

static void assert_seen(const two *t, uint64_t same, uint64_t old, uint64_t new,
                        uint64_t differing) {
    assert_int_equal(t->seen.same, same);
    assert_int_equal(t->seen.only_old, old);
    assert_int_equal(t->seen.only_new, new);
    assert_int_equal(t->seen.differing, differing);
}

/* Those that wait are bounded by what they hold. */
static void a_list_of_few_rows_holds_little(void **state) {
    (void)state;
    two t = begin();
    add_result(&t.old, "out", "a", 0, "1");
    assert_in_range(shadow_rows_bytes(&t.old), 1, 16 << 10);
    for (int i = 0; i < 10000; i++) add_result(&t.old, "out", "a", i, "0123456789");
    assert_in_range(shadow_rows_bytes(&t.old), 110000, 4 << 20);
    end(&t);
}

static void results_belong_together_by_key_and_window(void **state) {
    (void)state;
    two t = begin();
    add_result(&t.old, "out", "a", 0, "{\"n\":1}");
    add_result(&t.old, "out", "a", 10, "{\"n\":2}");
    add_result(&t.old, "out", "b", 0, "{\"n\":3}");
    add_result(&t.new, "out", "c", 0, "{\"n\":3}");
    add_result(&t.new, "out", "a", 10, "{\"n\":5}");
    add_result(&t.new, "out", "a", 0, "{\"n\":1}");
    compare(&t);
    assert_seen(&t, 1, 1, 1, 1);
    const shadow_difference *of = t.seen.items;
    assert_int_equal(of[0].kind, SHADOW_OLD);
    assert_string_equal(of[0].key, "b");
    assert_string_equal(of[0].old, "{\"n\":3}");
    assert_null(of[0].new);
    assert_int_equal(of[1].kind, SHADOW_NEW);
    assert_string_equal(of[1].key, "c");
    assert_int_equal(of[2].kind, SHADOW_DIFFERS);
    assert_int_equal(of[2].window_start, 10);
    assert_int_equal(of[2].batch, 7);
    assert_string_equal(of[2].old, "{\"n\":2}");
    assert_string_equal(of[2].new, "{\"n\":5}");
    end(&t);
}

static void sinks_go_by_name_whatever_their_order(void **state) {
    (void)state;
    two t = begin();
    add_result(&t.old, "first", "a", 0, "1");
    add_result(&t.old, "second", "a", 0, "2");
    add_result(&t.new, "third", "a", 0, "2");
    add_result(&t.new, "second", "a", 0, "2");
    add_result(&t.new, "first", "a", 0, "1");
    compare(&t);
    assert_seen(&t, 2, 0, 1, 0);
    assert_string_equal(t.seen.items[0].sink, "third");
    end(&t);
}

/* Null keys would match nothing, or everything. */
static void rows_of_records_belong_together_by_the_record(void **state) {
    (void)state;
    two t = begin();
    for (uint32_t i = 0; i < 10; i++) {
        add_row(&t.old, i, NULL, i == 4 ? "was" : "same", NULL);
        if (i != 6) add_row(&t.new, i, NULL, i == 4 ? "is" : "same", NULL);
    }
    compare(&t);
    assert_seen(&t, 8, 1, 0, 1);
    assert_null(t.seen.items[0].key);
    assert_string_equal(t.seen.items[0].new, "is");
    end(&t);
}

static void of_several_rows_equal_ones_go_first(void **state) {
    (void)state;
    two t = begin();
    add_row(&t.old, 1, "k", "b", NULL);
    add_row(&t.old, 1, "k", "a", NULL);
    add_row(&t.old, 1, "k", "a", NULL);
    add_row(&t.new, 1, "k", "a", NULL);
    add_row(&t.new, 1, "k", "c", NULL);
    add_row(&t.new, 1, "k", "b", NULL);
    compare(&t);
    assert_seen(&t, 2, 0, 0, 1);
    assert_string_equal(t.seen.items[0].old, "a");
    assert_string_equal(t.seen.items[0].new, "c");
    end(&t);
}

static void a_retraction_is_no_empty_row(void **state) {
    (void)state;
    two t = begin();
    add_result(&t.old, "out", "a", 0, NULL);
    add_result(&t.old, "out", "b", 0, NULL);
    add_result(&t.new, "out", "a", 0, "");
    add_result(&t.new, "out", "b", 0, NULL);
    compare(&t);
    assert_seen(&t, 1, 0, 0, 1);
    assert_null(t.seen.items[0].old);
    assert_string_equal(t.seen.items[0].new, "");
    end(&t);
}

static void where_a_row_goes_counts(void **state) {
    (void)state;
    two t = begin();
    add_row(&t.old, 1, "k", "v", "topic a");
    add_row(&t.new, 1, "k", "v", "topic b");
    compare(&t);
    assert_seen(&t, 0, 0, 0, 1);
    end(&t);
}

static void more_differences_than_are_kept_are_counted(void **state) {
    (void)state;
    two t = begin();
    for (uint32_t i = 0; i < 1000; i++) add_row(&t.old, i, "k", "v", NULL);
    compare(&t);
    shadow_rows_done(&t.old);
    shadow_rows_init(&t.old);
    add_row(&t.new, 0, "k", "v", NULL);
    compare(&t);
    assert_seen(&t, 0, 1000, 1, 0);
    assert_int_equal(t.seen.count, 3);
    end(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_of_few_rows_holds_little),
        cmocka_unit_test(results_belong_together_by_key_and_window),
        cmocka_unit_test(sinks_go_by_name_whatever_their_order),
        cmocka_unit_test(rows_of_records_belong_together_by_the_record),
        cmocka_unit_test(of_several_rows_equal_ones_go_first),
        cmocka_unit_test(a_retraction_is_no_empty_row),
        cmocka_unit_test(where_a_row_goes_counts),
        cmocka_unit_test(more_differences_than_are_kept_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
