/* Bytes, dates and decimals as text, and blocks from JSON and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "runtime/codec/base64.h"
#include "runtime/codec/decimal.h"
#include "runtime/codec/encode.h"
#include "runtime/codec/rfc3339.h"
#include "tests/c/codec_kit.h"

static bool decodes(const char *text, const char *want, size_t want_len) {
    char bytes[64];
    size_t len;
    if (!base64_decode(text, strlen(text), bytes, &len)) return false;
    assert_int_equal(len, want_len);
    assert_memory_equal(bytes, want, len);
    char again[64] = "";
    base64_encode(bytes, len, again);
    assert_string_equal(again, text);
    return true;
}

static void base64_is_strict(void **state) {
    (void)state;
    assert_true(decodes("", "", 0));
    assert_true(decodes("Zg==", "f", 1));
    assert_true(decodes("Zm8=", "fo", 2));
    assert_true(decodes("Zm9v", "foo", 3));
    assert_true(decodes("Zm9vYmFy", "foobar", 6));
    assert_true(decodes("+/+/", "\xfb\xff\xbf", 3));
    static const char *const WRONG[] = { "Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zm9v=", "====", "Z===",
                                         "Zm 9", "Zm9\n", "-_-_", "Zg==Zg==", "=Zg=" };
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++)
        assert_false(decodes(WRONG[i], "", 0));
}

static void assert_decimal(const char *text, uint8_t precision, uint8_t scale, const char *want) {
    sl_decimal value;
    char padded[80] = "", shown[DECIMAL_TEXT_BYTES + 1] = "";
    snprintf(padded, sizeof padded, "%s,", text);
    const char *end = decimal_scan(padded, precision, scale, &value);
    if (!want) {
        assert_true(!end || *end != ',');
        return;
    }
    assert_ptr_equal(end, padded + strlen(text));
    shown[decimal_write(shown, &value, scale)] = 0;
    assert_string_equal(shown, want);
}

static void decimals_are_never_rounded(void **state) {
    (void)state;
    assert_decimal("12.5", 4, 2, "12.50");
    assert_decimal("-0.05", 4, 2, "-0.05");
    assert_decimal("-0", 4, 2, "0.00");
    assert_decimal("99.99", 4, 2, "99.99");
    assert_decimal("100", 4, 2, NULL);
    assert_decimal("1.500000000000000000000000000000000000000000000", 4, 2, "1.50");
    assert_decimal("1.501", 4, 2, NULL);
    assert_decimal("15e-1", 4, 2, "1.50");
    assert_decimal("0.15E+1", 4, 2, "1.50");
    assert_decimal("1e-3", 4, 2, NULL);
    assert_decimal("0e999999999999", 4, 2, "0.00");
    assert_decimal("1e999999999999", 38, 0, NULL);
    assert_decimal("1e-999999999999", 38, 38, NULL);
    assert_decimal("99999999999999999999999999999999999999", 38, 0,
                   "99999999999999999999999999999999999999");
    assert_decimal("-0.99999999999999999999999999999999999999", 38, 38,
                   "-0.99999999999999999999999999999999999999");
    assert_decimal("100000000000000000000000000000000000000", 38, 0, NULL);
    static const char *const WRONG[] = { "", "-", ".5", "1.", "01", "+1", "1e", "1e+", "x", "1x" };
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++)
        assert_decimal(WRONG[i], 10, 2, NULL);
    sl_decimal a = { .low = UINT64_MAX, .high = -1 }, b = { .low = 0, .high = 0 };
    assert_true(decimal_compare(&a, &b) < 0 && decimal_compare(&b, &a) > 0);
    assert_int_equal(decimal_compare(&a, &a), 0);
}

static void dates_are_days(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int32_t days;
    } DATES[] = {
        { "1970-01-01", 0 },
        { "1969-12-31", -1 },
        { "2000-02-29", 11016 },
        { "0000-01-01", -719528 },
        { "9999-12-31", 2932896 },
        { "+010000-01-01", 2932897 },
    };
    for (size_t i = 0; i < sizeof DATES / sizeof *DATES; i++) {
        int64_t days;
        char text[RFC3339_TEXT_BYTES + 1] = "";
        assert_true(rfc3339_parse_date(DATES[i].text, strlen(DATES[i].text), &days));
        assert_int_equal(days, DATES[i].days);
        text[rfc3339_write_date(text, DATES[i].days)] = 0;
        assert_string_equal(text, DATES[i].text);
    }
    static const char *const WRONG[] = { "", "2023-02-29", "2024-1-1", "2024-13-01", "2024-00-01",
                                         "2024-01-00", "2024-01-01 ", "2024-01-01T00:00:00Z" };
    int64_t days;
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++)
        assert_false(rfc3339_parse_date(WRONG[i], strlen(WRONG[i]), &days));
}

// clang-format off
#define INNER(title, kind) { .column = { .name = TEXT(title), .type = (kind) } }
// clang-format on

/* The kit's field `s` as a list of structs { a string, b double, c map of int64 }. */
static void open_list(kit *k) {
    static const sl_field number = { .column = { .type = SL_INT64 } };
    static const sl_shape map = { .item_count = 1, .items = &number };
    static const sl_field fields[] = {
        INNER("a", SL_STRING),
        INNER("b", SL_DOUBLE),
        { .column = { .name = TEXT("c"), .type = SL_MAP, .shape = &map } },
    };
    static const sl_shape inner = { .item_count = 3, .items = fields };
    static const sl_field item = { .column = { .type = SL_STRUCT, .shape = &inner } };
    static const sl_shape list = { .item_count = 1, .items = &item };
    kit_init(k);
    k->fields[S].column.type = SL_LIST;
    k->fields[S].column.shape = &list;
    kit_open(k);
}

/* Decode `value` and give the block's bytes. */
static sl_string block_of(kit *k, const char *value) {
    char text[512];
    snprintf(text, sizeof text, "{\"s\":%s}", value);
    if (!kit_decode(k, text)) fail_msg("%s: %s: %s", value, k->bad.path, k->bad.reason);
    return k->row.s;
}

static void equal_values_are_equal_bytes(void **state) {
    (void)state;
    static const char *const SAME[][2] = {
        { "[{\"a\":\"x\",\"b\":0,\"c\":{\"k\":1,\"l\":null}}]",
          "[{\"c\":{\"l\":null,\"k\":1},\"b\":-0.0,\"a\":\"\\u0078\"}]" },
        { "[{\"a\":null},null]", "[ { } , null ]" },
        { "[{\"b\":1.5,\"a\":\"y\"}]", "[{\"a\":\"y\",\"zz\":[{}],\"b\":15e-1,\"c\":null}]" },
        { "[{\"c\":{\"\":1,\"a\":2,\"aa\":3}}]", "[{\"c\":{\"aa\":3,\"a\":2,\"\":1}}]" },
    };
    kit k;
    open_list(&k);
    for (size_t i = 0; i < sizeof SAME / sizeof *SAME; i++) {
        sl_string one = block_of(&k, SAME[i][0]), other = block_of(&k, SAME[i][1]);
        assert_int_equal(one.len, other.len);
        assert_memory_equal(one.data, other.data, one.len);
    }
    kit_done(&k);
}

static void blocks_are_written_as_they_were_read(void **state) {
    (void)state;
    static const char *const VALUES[] = {
        "[]",
        "[null,null]",
        "[{\"a\":\"\",\"b\":1e+21,\"c\":{}}]",
        "[{\"a\":\"\\\"\\n\",\"b\":null,\"c\":{\"\\\\\":-1,\"z\":null}},null,{\"a\":null,\"b\":0.5,"
        "\"c\":null}]",
    };
    kit k;
    open_list(&k);
    encoder *e = encoder_new(&k.fields[S].column, 1, SL_TIMES_MS);
    for (size_t i = 0; i < sizeof VALUES / sizeof *VALUES; i++) {
        block_of(&k, VALUES[i]);
        buf out;
        buf_init(&out);
        uint64_t not_finite = 0;
        encode_key(e, &out, &k.row.head, SL_KEY_PLAIN, &not_finite);
        assert_string_equal(buf_text(&out), VALUES[i]);
        buf_done(&out);
    }
    encoder_free(e);
    kit_done(&k);
}

/* Blocks outgrow the room they get at first, and lie behind each other unharmed. */
static void large_blocks_keep_their_bytes(void **state) {
    (void)state;
    enum { COUNT = 5000 };
    kit k;
    open_list(&k);
    buf text;
    buf_init(&text);
    buf_put_text(&text, "{\"s\":[");
    for (int i = 0; i < COUNT; i++)
        buf_printf(&text, "%s{\"a\":\"name %d\",\"b\":%d.5}", i ? "," : "", i, i);
    buf_put_text(&text, "]}");
    sl_string before = block_of(&k, "[{\"a\":\"before\"}]");
    char *copy = mem_copy_text(before.data, before.len);
    assert_true(kit_decode_bytes(&k, text.data, text.len));
    const char *at = k.row.s.data;
    uint32_t count, len;
    memcpy(&count, at, sizeof count);
    assert_int_equal(count, COUNT);
    at += sizeof count;
    for (int i = 0; i < COUNT; i++) {
        char want[32];
        double number;
        int want_len = snprintf(want, sizeof want, "name %d", i);
        assert_int_equal(at[0], 0); /* not null */
        assert_int_equal(at[1], 4); /* c is null */
        memcpy(&len, at + 2, sizeof len);
        assert_int_equal(len, want_len);
        assert_memory_equal(at + 6, want, len);
        memcpy(&number, at + 6 + len, sizeof number);
        assert_true(number == i + 0.5);
        at += 6 + len + sizeof number;
    }
    assert_ptr_equal(at, k.row.s.data + k.row.s.len);
    assert_memory_equal(before.data, copy, before.len);
    mem_free(copy);
    buf_done(&text);
    kit_done(&k);
}

static void names_inside_drift_with_their_path(void **state) {
    (void)state;
    kit k;
    open_list(&k);
    block_of(&k, "[{\"a\":\"x\",\"tip\":1},{\"tip\":2,\"b\":1}]");
    block_of(&k, "[{\"tip\":1}]");
    const drift_name *names;
    uint64_t others;
    assert_int_equal(decoder_drift(k.decoder, &names, &others), 1);
    assert_string_equal(names[0].path, "s[].tip");
    assert_int_equal(names[0].count, 3);
    kit_done(&k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_is_strict),
        cmocka_unit_test(decimals_are_never_rounded),
        cmocka_unit_test(dates_are_days),
        cmocka_unit_test(equal_values_are_equal_bytes),
        cmocka_unit_test(blocks_are_written_as_they_were_read),
        cmocka_unit_test(large_blocks_keep_their_bytes),
        cmocka_unit_test(names_inside_drift_with_their_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
