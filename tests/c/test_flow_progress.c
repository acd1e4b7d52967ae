/* The bytes of PROGRESS: what is written is read again, what is cut is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/flow/progress.h"

static sl_string text(const char *s) {
    return (sl_string){ .data = s, .len = (uint32_t)strlen(s) };
}

static void write_sample_of(buf *out, close_cursor closing) {
    progress_partition first[2] = {
        { .topic = "rides", .number = 0, .position = 42, .high = INT64_MIN },
        {
            .topic = "rides",
            .number = 7,
            .position = INT64_MAX,
            .high = -5,
            .header = text("a,b"),
            .header_offset = 3,
        },
    };
    progress_source sources[2] = {
        {
            .name = text("rides"),
            .is_marked = true,
            .time = 1000,
            .all_idle_ms = INT64_MIN,
            .all_idle_time = 9,
            .partitions = first,
            .count = 2,
        },
        { .name = text("rides"), .time = INT64_MAX },
    };
    progress_stage stages[2] = {
        { .name = text("aggregate"), .watermark = 12, .closing = closing },
        { .is_distinct = true, .name = text("aggregate"), .watermark = 13 },
    };
    progress p = {
        .batch = 8,
        .now_ms = 99,
        .is_flushed = true,
        .sources = sources,
        .source_count = 2,
        .stages = stages,
        .stage_count = 2,
    };
    progress_write(&p, out);
}

static void write_sample(buf *out) { write_sample_of(out, (close_cursor){ 0 }); }

static void what_is_written_is_read(void **state) {
    (void)state;
    buf bytes;
    progress p;
    buf_init(&bytes);
    write_sample(&bytes);
    assert_null(progress_read(bytes.data, bytes.len, &p));
    memset(bytes.data, 0xff, bytes.len); /* nothing is borrowed */
    assert_int_equal(p.batch, 8);
    assert_int_equal(p.now_ms, 99);
    assert_true(p.is_flushed);
    sl_string rides = text("rides"), stage = text("aggregate"), other = text("other");
    const progress_source *s = progress_find_source(&p, &rides, 0);
    assert_true(s->is_marked);
    assert_int_equal(s->time, 1000);
    assert_int_equal(s->all_idle_ms, INT64_MIN);
    assert_int_equal(s->all_idle_time, 9);
    assert_int_equal(progress_find_partition(s, "rides", 0)->position, 42);
    assert_null(progress_find_partition(s, "rides", 0)->header.data);
    assert_null(progress_find_partition(s, "rides", 1));
    const progress_partition *seventh = progress_find_partition(s, "rides", 7);
    assert_int_equal(seventh->high, -5);
    assert_string_equal(seventh->header.data, "a,b");
    assert_int_equal(seventh->header_offset, 3);
    assert_int_equal(progress_find_source(&p, &rides, 1)->time, INT64_MAX);
    assert_null(progress_find_source(&p, &rides, 2));
    assert_null(progress_find_source(&p, &other, 0));
    assert_int_equal(progress_find_stage(&p, false, &stage)->watermark, 12);
    assert_int_equal(progress_find_stage(&p, true, &stage)->watermark, 13);
    assert_null(progress_find_stage(&p, true, &other));
    progress_done(&p);
    buf_done(&bytes);
}

static void a_close_that_goes_on_is_read_again(void **state) {
    (void)state;
    buf bytes;
    progress p;
    close_cursor closing = {
        .is_open = true,
        .window = { -5, INT64_MAX },
        .order = UINT64_MAX - 1,
    };
    sl_string stage = text("aggregate");
    buf_init(&bytes);
    write_sample_of(&bytes, closing);
    assert_int_equal(bytes.data[0], 2);
    assert_null(progress_read(bytes.data, bytes.len, &p));
    const close_cursor *got = &progress_find_stage(&p, false, &stage)->closing;
    assert_true(got->is_open);
    assert_int_equal(got->window.start, -5);
    assert_int_equal(got->window.end, INT64_MAX);
    assert_true(got->order == UINT64_MAX - 1);
    assert_false(progress_find_stage(&p, true, &stage)->closing.is_open);
    progress_done(&p);
    buf_reset(&bytes);
    write_sample(&bytes);
    assert_int_equal(bytes.data[0], 1); /* without one, older programs can read it */
    buf_done(&bytes);
}

static void each_cut_is_refused(void **state) {
    (void)state;
    buf bytes;
    buf_init(&bytes);
    write_sample(&bytes);
    for (size_t len = 0; len <= bytes.len; len++) {
        progress p;
        char *cut = memcpy(test_malloc(len + 1), bytes.data, len);
        err *e = progress_read(cut, len, &p);
        assert_int_equal(e != NULL, len < bytes.len);
        if (e) assert_int_equal(e->code, ERR_REFUSED);
        err_free(e);
        progress_done(&p);
        test_free(cut);
    }
    buf_put_char(&bytes, 0);
    progress p;
    err *e = progress_read(bytes.data, bytes.len, &p);
    assert_non_null(e);
    err_free(e);
    progress_done(&p);
    buf_done(&bytes);
}

static void no_byte_breaks_the_reader(void **state) {
    (void)state;
    buf bytes;
    buf_init(&bytes);
    write_sample(&bytes);
    for (size_t i = 0; i < bytes.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            progress p;
            bytes.data[i] = (char)(bytes.data[i] ^ (1 << bit));
            err_free(progress_read(bytes.data, bytes.len, &p));
            progress_done(&p);
            bytes.data[i] = (char)(bytes.data[i] ^ (1 << bit));
        }
    }
    buf_done(&bytes);
}

static void a_newer_version_is_refused(void **state) {
    (void)state;
    buf bytes;
    progress p;
    buf_init(&bytes);
    write_sample(&bytes);
    bytes.data[0] = PROGRESS_VERSION + 1;
    err *e = progress_read(bytes.data, bytes.len, &p);
    assert_int_equal(e->code, ERR_REFUSED);
    assert_non_null(strstr(e->message, "version 3"));
    err_free(e);
    progress_done(&p);
    buf_done(&bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(a_close_that_goes_on_is_read_again),
        cmocka_unit_test(each_cut_is_refused),
        cmocka_unit_test(no_byte_breaks_the_reader),
        cmocka_unit_test(a_newer_version_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
