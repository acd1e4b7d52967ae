/* Bundles: what was put is read, and no cut or flipped bit goes unseen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "state/bundle.h"

static void make(buf *out) {
    bundle_sums sums;
    buf_init(out);
    bundle_begin(out, &sums);
    bundle_put(out, &sums, "first", "one", 3);
    bundle_put(out, &sums, "second", "", 0);
    bundle_put(out, &sums, "", "without a name", 14);
    bundle_end(out, &sums);
}

/* How many items are read; the error, if there is one, is freed. */
static int count_items(const char *bytes, size_t len, bool *is_whole) {
    bundle_reader r;
    bundle_item item;
    bool more = true;
    int count = 0;
    err *e = bundle_open(&r, "it", bytes, len);
    while (!e && more) {
        e = bundle_next(&r, &item, &more);
        if (!e && more) count++;
    }
    *is_whole = !e;
    if (e) assert_int_equal(e->code, ERR_REFUSED);
    err_free(e);
    return count;
}

static void what_was_put_is_read(void **state) {
    (void)state;
    buf b;
    bool is_whole;
    bundle_reader r;
    bundle_item item;
    bool more;
    make(&b);
    assert_int_equal(count_items(b.data, b.len, &is_whole), 3);
    assert_true(is_whole);
    assert_null(bundle_open(&r, "it", b.data, b.len));
    assert_null(bundle_next(&r, &item, &more));
    assert_int_equal(item.name_len, 5);
    assert_memory_equal(item.name, "first", 5);
    assert_int_equal(item.len, 3);
    assert_memory_equal(item.bytes, "one", 3);
    buf_done(&b);
}

static void every_cut_is_seen(void **state) {
    (void)state;
    buf b;
    bool is_whole;
    make(&b);
    for (size_t len = 0; len < b.len; len++) {
        count_items(b.data, len, &is_whole);
        assert_false(is_whole);
    }
    buf_put_char(&b, 0);
    count_items(b.data, b.len, &is_whole);
    assert_false(is_whole);
    buf_done(&b);
}

static void every_flipped_bit_is_seen(void **state) {
    (void)state;
    buf b;
    bool is_whole;
    make(&b);
    for (size_t bit = 0; bit < 8 * b.len; bit++) {
        b.data[bit / 8] = (char)(b.data[bit / 8] ^ 1 << bit % 8);
        count_items(b.data, b.len, &is_whole);
        assert_false(is_whole);
        b.data[bit / 8] = (char)(b.data[bit / 8] ^ 1 << bit % 8);
    }
    buf_done(&b);
}

static void a_newer_version_says_so(void **state) {
    (void)state;
    buf b;
    bundle_reader r;
    make(&b);
    b.data[7] = '2';
    err *e = bundle_open(&r, "saved.ck", b.data, b.len);
    assert_string_equal(e->message,
                        "saved.ck is of version 2 of its format, this sluice reads 1: use "
                        "the one that wrote it, or a newer one");
    err_free(e);
    buf_done(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_read),
        cmocka_unit_test(every_cut_is_seen),
        cmocka_unit_test(every_flipped_bit_is_seen),
        cmocka_unit_test(a_newer_version_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
