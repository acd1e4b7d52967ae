/* The bytes of values and keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/codec/encode.h"
#include "runtime/codec/rfc3339.h"

#define TEXT(text) \
    { .data = (text), .len = sizeof(text) - 1 }

static void assert_double(double value, const char *want) {
    buf out;
    buf_init(&out);
    encode_double(&out, value);
    assert_string_equal(buf_text(&out), want);
    buf_done(&out);
}

static void doubles_are_written_as_ecmascript_does(void **state) {
    (void)state;
    static const struct {
        double value;
        const char *want;
    } CASES[] = {
        { 0, "0" },
        { -0.0, "0" },
        { 12, "12" },
        { -12, "-12" },
        { 0.1, "0.1" },
        { 100, "100" },
        { 123.45, "123.45" },
        { -0.5, "-0.5" },
        { 0.01, "0.01" },
        { 0.05, "0.05" },
        { 10.1, "10.1" },
        { 1e20, "100000000000000000000" },
        { 1e21, "1e+21" },
        { 123456789012345680000.0, "123456789012345680000" },
        { 1.5e300, "1.5e+300" },
        { 1e-6, "0.000001" },
        { 1e-7, "1e-7" },
        { 1.25e-7, "1.25e-7" },
        { 0.00012, "0.00012" },
        { 5e-324, "5e-324" },
        { 1.7976931348623157e308, "1.7976931348623157e+308" },
        { 9007199254740993.0, "9007199254740992" },
        { 0.30000000000000004, "0.30000000000000004" },
        { 1.0 / 3, "0.3333333333333333" },
        { 4.35, "4.35" },
        { 1.005, "1.005" },
        { 999999999999.99, "999999999999.99" },
        { 99999999999999.98, "99999999999999.98" },
        { 123456.789, "123456.789" },
        { 2.2250738585072014e-308, "2.2250738585072014e-308" },
        { NAN, "null" },
        { INFINITY, "null" },
        { -INFINITY, "null" },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        assert_double(CASES[i].value, CASES[i].want);
}

/* Shortest: printf with fewer digits does not read back. */
static void doubles_are_shortest_and_read_back(void **state) {
    (void)state;
    uint64_t seed = 1;
    for (int i = 0; i < 200000; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        double value = (double)(int64_t)(seed >> 34) / 100;
        uint64_t bits = seed ^ seed >> 17;
        if (i % 2) memcpy(&value, &bits, sizeof value);
        if (!isfinite(value) || value == 0) continue;
        buf out;
        buf_init(&out);
        encode_double(&out, value);
        assert_true(strtod(buf_text(&out), NULL) == value);
        int digits = 1;
        char text[64];
        for (; digits < 18; digits++) {
            snprintf(text, sizeof text, "%.*e", digits - 1, value);
            if (strtod(text, NULL) == value) break;
        }
        int written = 0, zeros = 0; /* digits without zeros at either end */
        for (const char *s = out.data; s < out.data + out.len && *s != 'e'; s++) {
            if (*s < '0' || *s > '9') continue;
            if (*s == '0') {
                zeros += written > 0;
                continue;
            }
            written += zeros + 1;
            zeros = 0;
        }
        assert_true(written <= digits);
        buf_done(&out);
    }
}

typedef struct test_row {
    sl_row head;
    int64_t n, t;
    sl_string s;
    double d;
    int32_t i;
    uint8_t b;
} test_row;

// clang-format off
static const sl_column COLUMNS[] = {
    { .name = TEXT("n"), .offset = offsetof(test_row, n), .null_bit = 0, .type = SL_INT64 },
    { .name = TEXT("a \"t\"\n/"), .offset = offsetof(test_row, t), .null_bit = 1,
      .type = SL_TIMESTAMP },
    { .name = TEXT("s"), .offset = offsetof(test_row, s), .null_bit = 2, .type = SL_STRING },
    { .name = TEXT("d"), .offset = offsetof(test_row, d), .null_bit = 3, .type = SL_DOUBLE },
    { .name = TEXT("i"), .offset = offsetof(test_row, i), .null_bit = 4, .type = SL_INT32 },
    { .name = TEXT("b"), .offset = offsetof(test_row, b), .null_bit = 5, .type = SL_BOOL },
};
// clang-format on

static test_row make_row(void) {
    return (test_row){
        .n = INT64_MIN,
        .t = 1704164645678,
        .s = TEXT("a/\"\\\x01\xc3\xa9"),
        .d = 12,
        .i = -5,
        .b = 1,
    };
}

static void assert_value(const test_row *row, int32_t times, const char *want,
                         uint64_t not_finite) {
    encoder *e = encoder_new(COLUMNS, 6, times);
    buf out;
    buf_init(&out);
    uint64_t counted = 0;
    encode_value(e, &out, &row->head, &counted);
    assert_string_equal(buf_text(&out), want);
    assert_int_equal(counted, not_finite);
    buf_done(&out);
    encoder_free(e);
}

/* A key of the value's first columns is the value's beginning. */
static void assert_key_within(const test_row *row, uint32_t count) {
    encoder *all = encoder_new(COLUMNS, 6, SL_TIMES_MS);
    encoder *first = encoder_new(COLUMNS, count, SL_TIMES_MS);
    buf value, cut, key;
    size_t at = 0;
    uint64_t not_finite = 0;
    buf_init(&value);
    buf_init(&cut);
    buf_init(&key);
    buf_put_text(&cut, "before");
    encode_value(all, &value, &row->head, &not_finite);
    encode_value_at(all, &cut, &row->head, count, &at, &not_finite);
    encode_key(first, &key, &row->head, SL_KEY_OBJECT, &not_finite);
    assert_string_equal(buf_text(&cut) + strlen("before"), buf_text(&value));
    assert_int_equal(key.len, at + 1);
    assert_memory_equal(key.data, value.data, at);
    buf_done(&value);
    buf_done(&cut);
    buf_done(&key);
    encoder_free(all);
    encoder_free(first);
}

static void a_value_begins_with_the_key_of_its_first_columns(void **state) {
    (void)state;
    test_row row = make_row();
    for (uint32_t count = 1; count <= 6; count++) {
        row.head.nulls[0] = count == 3 ? UINT64_MAX : 0;
        assert_key_within(&row, count);
    }
}

static void values_are_objects_of_all_columns(void **state) {
    (void)state;
    test_row row = make_row();
    assert_value(&row, SL_TIMES_MS,
                 "{\"n\":-9223372036854775808,\"a \\\"t\\\"\\n/\":1704164645678,"
                 "\"s\":\"a/\\\"\\\\\\u0001\xc3\xa9\",\"d\":12,\"i\":-5,\"b\":true}",
                 0);
    row.d = NAN;
    row.b = 0;
    row.head.nulls[0] = 1 << 2 | 1 << 4;
    assert_value(&row, SL_TIMES_ISO,
                 "{\"n\":-9223372036854775808,\"a \\\"t\\\"\\n/\":\"2024-01-02T03:04:05.678Z\","
                 "\"s\":null,\"d\":null,\"i\":null,\"b\":false}",
                 1);
    row.head.nulls[0] = UINT64_MAX;
    assert_value(&row, SL_TIMES_MS,
                 "{\"n\":null,\"a \\\"t\\\"\\n/\":null,\"s\":null,"
                 "\"d\":null,\"i\":null,\"b\":null}",
                 0);
}

static void assert_key(const test_row *row, uint32_t column, uint32_t count, int32_t kind,
                       int32_t times, const char *want) {
    encoder *e = encoder_new(COLUMNS + column, count, times);
    buf out;
    buf_init(&out);
    uint64_t counted = 0;
    encode_key(e, &out, &row->head, kind, &counted);
    assert_string_equal(buf_text(&out), want);
    buf_done(&out);
    encoder_free(e);
}

static void plain_keys_are_text_unless_null(void **state) {
    (void)state;
    test_row row = make_row();
    assert_key(&row, 0, 1, SL_KEY_PLAIN, SL_TIMES_MS, "-9223372036854775808");
    assert_key(&row, 1, 1, SL_KEY_PLAIN, SL_TIMES_MS, "1704164645678");
    assert_key(&row, 1, 1, SL_KEY_PLAIN, SL_TIMES_ISO, "2024-01-02T03:04:05.678Z");
    assert_key(&row, 2, 1, SL_KEY_PLAIN, SL_TIMES_MS, "a/\"\\\x01\xc3\xa9");
    assert_key(&row, 3, 1, SL_KEY_PLAIN, SL_TIMES_MS, "12");
    assert_key(&row, 5, 1, SL_KEY_PLAIN, SL_TIMES_MS, "true");
    assert_key(&row, 4, 2, SL_KEY_OBJECT, SL_TIMES_MS, "{\"i\":-5,\"b\":true}");
    assert_key(&row, 4, 1, SL_KEY_OBJECT, SL_TIMES_MS, "{\"i\":-5}");
    assert_key(&row, 0, 0, SL_KEY_OBJECT, SL_TIMES_MS, "{}");
    row.d = NAN;
    assert_key(&row, 3, 1, SL_KEY_PLAIN, SL_TIMES_MS, "{\"d\":null}");
    row.head.nulls[0] = UINT64_MAX;
    assert_key(&row, 2, 1, SL_KEY_PLAIN, SL_TIMES_MS, "{\"s\":null}");
}

/* An encoder keeps the text of its last time. */
static void times_of_one_encoder_do_not_mix(void **state) {
    (void)state;
    static const int64_t TIMES[] = { 0, 0, 1704164645678, 5, 5, -1, 0 };
    encoder *ms = encoder_new(COLUMNS + 1, 1, SL_TIMES_MS);
    encoder *iso = encoder_new(COLUMNS + 1, 1, SL_TIMES_ISO);
    buf out;
    buf_init(&out);
    for (size_t i = 0; i < sizeof TIMES / sizeof *TIMES; i++) {
        test_row row = { .t = TIMES[i] };
        char want[2 * RFC3339_TEXT_BYTES], text[RFC3339_TEXT_BYTES];
        int len = (int)rfc3339_write(text, TIMES[i]);
        snprintf(want, sizeof want, "{\"a \\\"t\\\"\\n/\":%lld}{\"a \\\"t\\\"\\n/\":\"%.*s\"}",
                 (long long)TIMES[i], len, text);
        uint64_t counted = 0;
        buf_reset(&out);
        encode_value(ms, &out, &row.head, &counted);
        encode_value(iso, &out, &row.head, &counted);
        assert_string_equal(buf_text(&out), want);
    }
    buf_done(&out);
    encoder_free(ms);
    encoder_free(iso);
}

static void iso_times_read_back(void **state) {
    (void)state;
    static const struct {
        int64_t ms;
        const char *want;
    } CASES[] = {
        { 0, "1970-01-01T00:00:00.000Z" },
        { -1, "1969-12-31T23:59:59.999Z" },
        { 951782400000, "2000-02-29T00:00:00.000Z" },
        { 253402300799999, "9999-12-31T23:59:59.999Z" },
        { 253402300800000, "+010000-01-01T00:00:00.000Z" },
        { -62167219200000, "0000-01-01T00:00:00.000Z" },
        { -62167219200001, "-000001-12-31T23:59:59.999Z" },
        { 1673465184000000, "+055000-01-01T00:00:00.000Z" },
        { INT64_MAX, "+292278994-08-17T07:12:55.807Z" },
        { INT64_MIN, "-292275055-05-16T16:47:04.192Z" },
    };
    char text[RFC3339_TEXT_BYTES];
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        size_t len = rfc3339_write(text, CASES[i].ms);
        assert_int_equal(len, strlen(CASES[i].want));
        assert_memory_equal(text, CASES[i].want, len);
    }
    for (int64_t ms = -70000000000000; ms < 300000000000000; ms += 999999937 * INT64_C(7)) {
        int64_t back = 0;
        size_t len = rfc3339_write(text, ms);
        assert_true(rfc3339_parse(text, len, &back));
        assert_true(back == ms);
    }
}

static void assert_int64(int64_t value) {
    char want[32];
    snprintf(want, sizeof want, "%lld", (long long)value);
    buf out;
    buf_init(&out);
    encode_int64(&out, value);
    assert_string_equal(buf_text(&out), want);
    buf_done(&out);
}

static void integers_of_every_length_are_written(void **state) {
    (void)state;
    for (int64_t value = -100; value < 20000; value++) assert_int64(value);
    for (int64_t power = 10; power < INT64_MAX / 10; power *= 10) {
        for (int64_t digit = 1; digit < 10; digit++) {
            for (int64_t off = -2; off < 3; off++) {
                assert_int64(digit * power + off);
                assert_int64(-digit * power + off);
            }
        }
    }
    for (int64_t value = 1; value < INT64_MAX / 3; value = value * 3 + value % 7) {
        assert_int64(value);
        assert_int64(-value);
    }
    assert_int64(INT64_MAX);
    assert_int64(INT64_MIN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles_are_written_as_ecmascript_does),
        cmocka_unit_test(integers_of_every_length_are_written),
        cmocka_unit_test(doubles_are_shortest_and_read_back),
        cmocka_unit_test(values_are_objects_of_all_columns),
        cmocka_unit_test(a_value_begins_with_the_key_of_its_first_columns),
        cmocka_unit_test(plain_keys_are_text_unless_null),
        cmocka_unit_test(times_of_one_encoder_do_not_mix),
        cmocka_unit_test(iso_times_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
