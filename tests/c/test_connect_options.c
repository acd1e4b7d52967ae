/* Reading options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/base/mem.h"
#include "runtime/connect/options.h"

#define TEXT(text_) \
    { .data = (text_), .len = sizeof(text_) - 1 }

static const sl_value TLS[] = {
    { .name = TEXT("ca"), .kind = SL_TEXT, .text = TEXT("ca.pem") },
    { .name = TEXT("verify"), .kind = SL_FLAG, .number = 1 },
};
static const sl_value ITEMS[] = {
    { .name = TEXT("path"), .kind = SL_TEXT, .text = TEXT("in.jsonl") },
    { .name = TEXT("count"), .kind = SL_NUMBER, .number = 42 },
    { .name = TEXT("gone"), .kind = SL_NIL },
    { .name = TEXT("tls"), .kind = SL_TABLE, .item_count = 2, .items = TLS },
};
static const sl_value OPTIONS = { .kind = SL_TABLE, .item_count = 4, .items = ITEMS };

static void options_are_found_by_name_and_in_nested_tables(void **state) {
    (void)state;
    assert_int_equal(option_text(&OPTIONS, "path").len, 8);
    assert_memory_equal(option_text(&OPTIONS, "tls.ca").data, "ca.pem", 6);
    assert_true(option_number(&OPTIONS, "count", 7) == 42);
    assert_true(option_flag(&OPTIONS, "tls.verify", false));
    assert_ptr_equal(option_table(&OPTIONS, "tls")->items, TLS);
}

static void what_is_absent_or_of_another_kind_gives_the_fallback(void **state) {
    (void)state;
    assert_null(option_text(&OPTIONS, "count").data);
    assert_null(option_text(&OPTIONS, "tls.ca.deeper").data);
    assert_null(option_text(&OPTIONS, "pat").data);
    assert_null(option_find(&OPTIONS, "gone"));
    assert_null(option_find(NULL, "path"));
    assert_true(option_number(&OPTIONS, "path", 7) == 7);
    assert_true(option_flag(&OPTIONS, "tls.off", true));
    assert_null(option_table(&OPTIONS, "path"));
}

static void a_copy_ends_with_a_nul_and_is_owned(void **state) {
    (void)state;
    char *path = option_copy(&OPTIONS, "path", NULL), *other = option_copy(&OPTIONS, "x", "y");
    assert_string_equal(path, "in.jsonl");
    assert_string_equal(other, "y");
    assert_null(option_copy(&OPTIONS, "x", NULL));
    mem_free(path);
    mem_free(other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_found_by_name_and_in_nested_tables),
        cmocka_unit_test(what_is_absent_or_of_another_kind_gives_the_fallback),
        cmocka_unit_test(a_copy_ends_with_a_nul_and_is_owned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
