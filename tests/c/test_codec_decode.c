/* Decoding: what is a row, what is a bad record, and that nothing in between exists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/c/codec_kit.h"

static void fields_are_read_and_others_are_null(void **state) {
    (void)state;
    kit k;
    kit_init(&k);
    kit_open(&k);
    assert_true(kit_decode(&k, "{\"s\":\"text\",\"u\":{\"id\":\"x\",\"more\":[]},\"d\":-1.25,"
                               "\"i\":-9,"
                               "\"exact\":9223372036854775807,\"a_time_with_a_long_name\":17,"
                               "\"iso\":\"1970-01-01T00:00:01.5Z\",\"i32\":-2147483648,"
                               "\"b\":true}"));
    assert_int_equal(k.row.s.len, 4);
    assert_memory_equal(k.row.s.data, "text", 4);
    assert_true(k.row.s.data == k.record.value.data + 6); /* not copied */
    assert_memory_equal(k.row.id.data, "x", 1);
    assert_true(k.row.d == -1.25);
    assert_int_equal(k.row.i, -9);
    assert_true(k.row.exact == INT64_MAX);
    assert_int_equal(k.row.t, 17);
    assert_int_equal(k.row.iso, 1500);
    assert_int_equal(k.row.i32, INT32_MIN);
    assert_int_equal(k.row.b, 1);
    assert_true(k.row.head.nulls[0] == ~UINT64_C(0x1ff));
    assert_true(kit_decode(&k, " { } \n"));
    assert_true(k.row.head.nulls[0] == UINT64_MAX);
    assert_true(kit_decode(&k, "{\"s\":null,\"u\":null,\"d\":null,\"i\":1,\"b\":null}"));
    assert_true(k.row.head.nulls[0] == ~(UINT64_C(1) << I));
    assert_true(kit_decode(&k, "{\"b\":false,\"i\":1,\"s\":\"\"}"));
    assert_int_equal(k.row.s.len, 0);
    assert_int_equal(k.row.b, 0);
    kit_done(&k);
}

/* A value and whether its field takes it. */
typedef struct value_case {
    const char *name;
    const char *value;
    bool is_good;
} value_case;

// clang-format off
static const value_case VALUES[] = {
    { "i", "9007199254740992", true }, { "i", "9007199254740993", false },
    { "i", "-9007199254740992", true }, { "i", "-9007199254740993", false },
    { "i", "5.0", false }, { "i", "5e0", false }, { "i", "\"5\"", false }, { "i", "-0", true },
    { "i", "true", false }, { "i", "{}", false }, { "i", "[1]", false }, { "i", "01", false },
    { "i", "+1", false }, { "i", "1x", false }, { "i", "1\"", false }, { "i", "0x10", false },
    { "exact", "9223372036854775807", true }, { "exact", "9223372036854775808", false },
    { "exact", "-9223372036854775808", true }, { "exact", "-9223372036854775809", false },
    { "exact", "18446744073709551617", false }, { "exact", "99999999999999999999", false },
    { "exact", "10000000000000000000000000000000000000001", false },
    { "i32", "2147483647", true }, { "i32", "2147483648", false }, { "i32", "-2147483649", false },
    { "d", "1", true }, { "d", "1e308", true }, { "d", "1e400", false }, { "d", "-1e400", false },
    { "d", "1e-400", true }, { "d", "1e99999999999999999999", false }, { "d", "-0", true },
    { "d", "0e99999999999999999999", true }, { "d", "1e-99999999999999999999", true },
    { "d", "NaN", false }, { "d", "Infinity", false }, { "d", "-", false }, { "d", ".5", false },
    { "d", "1.", false }, { "d", "1.e1", false }, { "d", "1e", false }, { "d", "1e+", false },
    { "d", "-01", false }, { "d", "00", false }, { "d", "1.5.5", false }, { "d", "\"1\"", false },
    { "b", "true", true }, { "b", "false", true }, { "b", "0", false }, { "b", "tru", false },
    { "b", "truee", false }, { "b", "TRUE", false }, { "b", "\"true\"", false },
    { "b", "fals", false }, { "b", "false1", false },
    { "s", "\"\"", true }, { "s", "1", false }, { "s", "{}", false }, { "s", "[]", false },
    { "s", "true", false }, { "s", "nul", false }, { "s", "nulll", false }, { "s", "'x'", false },
    { "s", "\"\\ud83d\\ude00\"", true }, { "s", "\"\\ud800\"", false },
    { "s", "\"\\ud800\\u0041\"", false }, { "s", "\"\\udc00\"", false },
    { "s", "\"\\ud800x\"", false }, { "s", "\"\\ud800\\n\"", false }, { "s", "\"\\x41\"", false },
    { "s", "\"\\u12\"", false }, { "s", "\"\\u12g4\"", false }, { "s", "\"\\'\"", false },
    { "s", "\"\\u0000\"", true }, { "s", "\"\xc3\xa9\"", true }, { "s", "\"\xff\"", false },
    { "s", "\"\xed\xa0\x80\"", false }, { "s", "\"\xc0\x80\"", false }, { "s", "\"\t\"", false },
    { "s", "\"a\nb\"", false }, { "s", "\"\x7f\"", true }, { "s", "\"\\/\"", true },
    { "a_time_with_a_long_name", "-1", true }, { "a_time_with_a_long_name", "1.5", false },
    { "a_time_with_a_long_name", "9007199254740993", false },
    { "a_time_with_a_long_name", "\"1970-01-01T00:00:00Z\"", false },
    { "iso", "\"2024-02-29T23:59:60Z\"", true }, { "iso", "\"2024-02-29T23:58:60Z\"", false },
    { "iso", "\"2023-02-29T00:00:00Z\"", false }, { "iso", "\"2024-01-01T00:00:00\"", false },
    { "iso", "\"2024-01-01 00:00:00+05:30\"", true }, { "iso", "\"2024-01-01\"", false },
    { "iso", "\"2024-13-01T00:00:00Z\"", false }, { "iso", "\"2024-01-01T24:00:00Z\"", false },
    { "iso", "\"2024-01-01T00:00:00.Z\"", false }, { "iso", "\"+055000-01-01T00:00:00Z\"", true },
    { "iso", "\"-000000-01-01T00:00:00Z\"", false }, 
{ "iso", "1", false }, { "iso", "\"\"", false },
    { "u", "1", false }, { "u", "[]", false }, { "u", "\"x\"", false }, { "u", "{}", true },
    { "u", "{\"id\":1}", false }, { "u", "{\"id\":null}", true }, { "u", "{\"id\":\"a\"", false },
    { "u", "{\"x\":{\"id\":1}}", true }, { "u", "{\"id\":\"a\",\"id\":\"a\"}", false },
};
// clang-format on

static void values_are_checked_by_type(void **state) {
    (void)state;
    kit k;
    kit_init(&k);
    kit_open(&k);
    for (size_t i = 0; i < sizeof VALUES / sizeof *VALUES; i++) {
        const value_case *c = &VALUES[i];
        static const char *const FORMS[] = {
            "{\"%s\":%s}",
            "{\"%s\" : %s\n,\"other\":1}",
            "{\"z\":\"\\n\",\"%s\":%s }",
        };
        for (size_t f = 0; f < 3; f++) {
            char text[256];
            snprintf(text, sizeof text, FORMS[f], c->name, c->value);
            if (kit_decode(&k, text) != c->is_good)
                fail_msg("%s: %s (%s)", text, k.bad.path, k.bad.reason);
        }
    }
    kit_done(&k);
}

/* Values (JSONTestSuite's kinds): good or bad wherever they stand. */
static const char *const GOOD[] = {
    "[]",
    "{}",
    "[1]",
    "[[]]",
    "[{}]",
    "{\"a\":[]}",
    "[1,2]",
    "\"\"",
    "\"\\u00e9\"",
    "0",
    "-0",
    "-1",
    "1e5",
    "1E+5",
    "1e-5",
    "0.1",
    "-0.1e1",
    "true",
    "false",
    "null",
    "[null,true,false]",
    "[ ]",
    "{ }",
    "{\"a\":1,\"a\":2}",
    "{\"\":0}",
    "[\"\\\\\"]",
    "\"\\\"\"",
    "[ 1 , 2 ]",
    "1e400",
    "[[[[[[[[[[[[1]]]]]]]]]]]]",
    "{\"a\":{\"b\":{\"c\":[{\"d\":\"\\t\"}]}}}",
    "\"\xe2\x82\xac\"",
    "123456789012345678901234567890",
    "\"\\ud83d\\ude00\"",
    "[\"a\",\"b\"]",
    "\"\\/\\b\\f\"",
    "\"\xf4\x8f\xbf\xbf\"",
    "{\"a\" :\t1\r\n}",
    "0.00000000000000000000000000000000000000001",
};
static const char *const BAD[] = {
    "",
    "tru",
    "truee",
    "nul",
    "nulll",
    "falsE",
    "True",
    "nan",
    "01",
    "-01",
    "1.",
    ".1",
    "-",
    "+1",
    "1e",
    "1e+",
    "1.2.3",
    "0x1",
    "1_000",
    "--1",
    "1 2",
    "[1,2}",
    "{\"a\":1]",
    "[1,]",
    "[,1]",
    "[,]",
    "[1,,2]",
    "{,}",
    "{\"a\":1,}",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\" 1}",
    "{a:1}",
    "{1:1}",
    "{'a':1}",
    "{\"a\":1 \"b\":2}",
    "[1 2]",
    "[",
    "{",
    "[[]",
    "{\"a\":{}",
    "]",
    "}",
    "[]]",
    "{}}",
    "'x'",
    "\"",
    "\"\\\"",
    "\"\\x\"",
    "\"\\u\"",
    "\"\\u00g0\"",
    "\"\\ud800\"",
    "\"\\ud800\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"\\uDBFF\"",
    "\"\n\"",
    "\"\x01\"",
    "\"\x1f\"",
    "\"\xff\"",
    "\"\xc3\"",
    "\"\xc0\xaf\"",
    "\"\xed\xa0\x80\"",
    "\"\xf5\x80\x80\x80\"",
    "\"\xe2\x82\"",
    "1\f",
    "\f1",
    "\v",
    "[1\f]",
    "1\x1a",
    "\x1a",
    "1/*x*/",
    "//\n1",
    "[1]x",
    "\"a\"b",
    "\"a\"\"b\"",
    "\"a\"1",
    "1\"a\"",
    "a",
    "\xef\xbb\xbf",
    "\xef\xbb\xbf"
    "1",
    "1\xc2\xa0",
    "\xe2\x80\xa8",
    "*",
    ":",
    ",",
    "[:]",
    "{:}",
    "{\"a\"::1}",
    "{\"a\":1:2}",
    "\\u0031",
    "\\",
    "1\\",
    "\"a\"\\",
    "#",
    "&",
    "@",
    "[\"a\":1]",
    "{\"a\",1}",
    "{\"a\":1,2}",
    "{[]:1}",
    "{{}:1}",
    "{null:1}",
    "Infinity",
    "-Infinity",
    "{\"\\x\":1}",
    "{\"\\ud800\":1}",
    "1e1.5",
    "0e",
    "-x",
    "\"\\",
    "nulltrue",
    "truefalse",
    "[nu ll]",
    "0 1",
    "00",
    "1,",
    "{\"a\":01}",
    "[tru]",
    "[\"\\a\"]",
    "[-]",
    "1 ,",
    "t",
    "f",
    "n",
    "\x7f",
};

/* Where a value stands: nobody reads it, in an undeclared object, in a list, under a declared
 * parent. */
static const char *const PLACES[] = {
    "{\"x\":%s}",
    "{\"x\":%s,\"s\":\"a\"}",
    "{\"i\":1,\"x\":{\"y\":%s}}",
    "{\"x\":[1,%s,2]}",
    "{\"x\":[{\"y\":[%s]},3],\"d\":1}",
    "{\"u\":{\"y\":%s}}",
    "{\"u\":{\"y\":%s,\"id\":\"\\n\"}}",
    "{\"x\":[[[[%s]]]]}",
    " {\"x\" : %s } ",
};

static void undeclared_values_are_checked_as_strictly(void **state) {
    (void)state;
    kit k;
    kit_init(&k);
    kit_open(&k);
    for (size_t p = 0; p < sizeof PLACES / sizeof *PLACES; p++) {
        char text[256];
        for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
            snprintf(text, sizeof text, PLACES[p], GOOD[i]);
            if (!kit_decode(&k, text)) fail_msg("%s: %s (%s)", text, k.bad.path, k.bad.reason);
        }
        for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
            bool is_item = strstr(PLACES[p], "[") && !strcmp(BAD[i], "");
            snprintf(text, sizeof text, PLACES[p], BAD[i]);
            bool is_empty_list = is_item && strstr(text, "[]");
            if (kit_decode(&k, text) != is_empty_list) fail_msg("accepted: %s", text);
        }
    }
    kit_done(&k);
}

static void whole_documents_are_objects(void **state) {
    (void)state;
    // clang-format off
    static const char *const REFUSED[] = {
        "", " ", "\n", "null", "1", "\"x\"", "[]", "[{}]", "true", "{} {}", "{}x", "{}1", "{},",
        "{}}", "}{", "}", "{", "{\"", "{\"s", "{\"s\"", "{\"s\":", "{\"s\":1", "{\"s\":\"x\"",
        "\xef\xbb\xbf{}", "{}\xef\xbb\xbf", "{}\f", "\f{}", "{}\x01", "{}\xff", "{}//",
        "x{}", "\"{}",
        "{\"i\":1}]", "{\"i\":1]", "{\"i\":1}{\"i\":1}", "{\"u\":{}",
        "{\"u\":{\"x\":1}", "{\"u\":{}]",
    };
    // clang-format on
    kit k;
    kit_init(&k);
    kit_open(&k);
    for (size_t i = 0; i < sizeof REFUSED / sizeof *REFUSED; i++)
        if (kit_decode(&k, REFUSED[i])) fail_msg("accepted: %s", REFUSED[i]);
    assert_false(kit_decode_bytes(&k, "{}\0", 3));
    assert_false(kit_decode_bytes(&k, "{\"s\":\"\0\"}", 9));
    assert_false(kit_decode_bytes(&k, "\0", 1));
    assert_false(kit_decode_bytes(&k, "\0\0\0\0\7{}", 7)); /* a schema registry's frame */
    assert_true(kit_decode(&k, "\t\r\n {\"i\":1} \t\r\n"));
    kit_done(&k);
}

static void declared_names_stand_once(void **state) {
    (void)state;
    kit k;
    kit_init(&k);
    kit_open(&k);
    assert_false(kit_decode(&k, "{\"i\":1,\"i\":1}"));
    assert_string_equal(k.bad.path, "i");
    assert_false(kit_decode(&k, "{\"i\":null,\"s\":\"\",\"i\":1}"));
    assert_false(kit_decode(&k, "{\"i\":1,\"\\u0069\":1}"));
    assert_false(kit_decode(&k, "{\"u\":{},\"u\":{}}"));
    assert_false(kit_decode(&k, "{\"u\":{\"id\":\"a\",\"\\u0069d\":\"a\"}}"));
    assert_string_equal(k.bad.path, "u.\\u0069d");
    assert_true(kit_decode(&k, "{\"x\":1,\"x\":2}"));
    assert_true(kit_decode(&k, "{\"i\":1,\"u\":{\"i\":1,\"u\":1}}"));
    assert_true(kit_decode(&k, "{\"\\u0069\":5,\"a_\\u0074ime_with_a_long_name\":6}"));
    assert_int_equal(k.row.i, 5);
    assert_int_equal(k.row.t, 6);
    assert_true(kit_decode(&k, "{\"a_time_with_a_long_namx\":7,\"a_time_with_a_lo\":1}"));
    assert_true(is_null(&k, T));
    kit_done(&k);
}

static void names_that_need_escapes_are_found(void **state) {
    (void)state;
    kit k;
    kit_init(&k);
    k.source.field_count = 1;
    k.fields[0].path = (const sl_string[]){ TEXT("a\"b\\c\n") };
    kit_open(&k);
    assert_true(kit_decode(&k, "{\"a\\\"b\\\\c\\n\":\"v\"}"));
    assert_false(is_null(&k, S));
    assert_true(kit_decode(&k, "{\"a\\u0022b\\u005cc\\u000a\":\"v\"}"));
    assert_false(is_null(&k, S));
    assert_true(kit_decode(&k, "{\"a\\\\b\":\"v\"}"));
    assert_true(is_null(&k, S));
    kit_done(&k);
}

static void escapes_are_copied_apart(void **state) {
    (void)state;
    kit k;
    kit_init(&k);
    kit_open(&k);
    assert_true(kit_decode(&k, "{\"s\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t"
                               "\\u00e9\\u20ac\\ud83d\\uDE00\\u0000.\"}"));
    static const char WANT[] = "\"\\/\b\f\n\r\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\0.";
    assert_int_equal(k.row.s.len, sizeof WANT - 1);
    assert_memory_equal(k.row.s.data, WANT, sizeof WANT - 1);
    kit_done(&k);
}

static void depth_is_bounded(void **state) {
    (void)state;
    kit k;
    kit_init(&k);
    kit_open(&k);
    for (int kind = 0; kind < 3; kind++) {
        for (int depth = 62; depth <= 66; depth++) {
            buf text;
            buf_init(&text);
            buf_put_text(&text, kind == 2 ? "{\"u\":{\"x\":" : "{\"x\":");
            int inner = depth - (kind == 2 ? 2 : 1);
            for (int i = 0; i < inner; i++) buf_put_text(&text, kind ? "{\"a\":" : "[");
            buf_put_text(&text, "1");
            for (int i = 0; i < inner; i++) buf_put_text(&text, kind ? "}" : "]");
            buf_put_text(&text, kind == 2 ? "}}" : "}");
            assert_int_equal(kit_decode_bytes(&k, text.data, text.len), depth <= 64);
            buf_done(&text);
        }
    }
    char *deep = mem_alloc(200002);
    memset(deep, '[', 200002);
    memcpy(deep, "{\"x\":", 5);
    deep[200001] = '}';
    assert_false(kit_decode_bytes(&k, deep, 200002));
    assert_non_null(strstr(k.bad.reason, "64"));
    mem_free(deep);
    kit_done(&k);
}

static void large_values_pass_and_small_ones_after_them(void **state) {
    (void)state;
    kit k;
    kit_init(&k);
    kit_open(&k);
    size_t len = 10u << 20;
    char *text = mem_alloc(len);
    memset(text, 'x', len);
    memcpy(text, "{\"s\":\"", 6);
    memcpy(text + len - 2, "\"}", 2);
    assert_true(kit_decode_bytes(&k, text, len));
    assert_int_equal(k.row.s.len, len - 8);
    assert_true(kit_decode(&k, "{\"i\":1}"));
    text[len - 1] = ']';
    assert_false(kit_decode_bytes(&k, text, len));
    memset(text + 4, ',', len - 5);
    assert_false(kit_decode_bytes(&k, text, len));
    mem_free(text);
    assert_true(kit_decode(&k, "{\"i\":1}"));
    kit_done(&k);
}

static void integer_times_have_units(void **state) {
    (void)state;
    static const struct {
        int32_t unit;
        const char *value;
        int64_t ms;
    } CASES[] = {
        { SL_UNIT_S, "-2", -2000 },
        { SL_UNIT_S, "1673539200000", 1673539200000000 },
        { SL_UNIT_MS, "5", 5 },
        { SL_UNIT_US, "-1", -1 },
        { SL_UNIT_US, "1999", 1 },
        { SL_UNIT_US, "-2000", -2 },
        { SL_UNIT_NS, "-1", -1 },
        { SL_UNIT_NS, "9223372036854775807", 9223372036854 },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        kit k;
        kit_init(&k);
        k.fields[T].unit = CASES[i].unit;
        kit_open(&k);
        char text[100];
        snprintf(text, sizeof text, "{\"a_time_with_a_long_name\":%s}", CASES[i].value);
        assert_true(kit_decode(&k, text));
        assert_int_equal(k.row.t, CASES[i].ms);
        if (CASES[i].unit == SL_UNIT_S)
            assert_false(kit_decode(&k, "{\"a_time_with_a_long_name\":9223372036854775807}"));
        kit_done(&k);
    }
}

static void iso_times_become_ms(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } CASES[] = {
        { "2024-01-02T03:04:05.678Z", 1704164645678 },
        { "2024-01-02t03:04:05.6789z", 1704164645678 },
        { "2024-01-02T03:04:05+01:30", 1704159245000 },
        { "1969-12-31T23:59:59.999Z", -1 },
        { "2000-02-29T00:00:00-00:00", 951782400000 },
        { "0000-01-01T00:00:00Z", -62167219200000 },
        { "9999-12-31T23:59:59.999Z", 253402300799999 },
        { "2016-12-31T23:59:60Z", 1483228800000 },
        { "+055000-01-01T00:00:00.000Z", 1673465184000000 },
        { "-000001-12-31T00:00:00Z", -62167305600000 },
    };
    kit k;
    kit_init(&k);
    kit_open(&k);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char text[100];
        snprintf(text, sizeof text, "{\"iso\":\"%s\"}", CASES[i].text);
        assert_true(kit_decode(&k, text));
        assert_int_equal(k.row.iso, CASES[i].ms);
    }
    kit_done(&k);
}

static void required_defaults_and_checks_are_enforced(void **state) {
    (void)state;
    static const sl_value NINE = { .kind = SL_NUMBER, .number = 9 };
    static const sl_value BIG = { .kind = SL_TEXT, .text = TEXT("9223372036854775807") };
    static const sl_value KINDS[] = {
        { .kind = SL_TEXT, .text = TEXT("start") },
        { .kind = SL_TEXT, .text = TEXT("end") },
    };
    kit k;
    kit_init(&k);
    k.fields[ID].required = 1;
    k.fields[I].required = k.fields[I].has_default = 1;
    k.fields[I].default_value = &NINE;
    k.fields[EXACT].has_default = 1;
    k.fields[EXACT].default_value = &BIG;
    k.fields[S].one_of = KINDS;
    k.fields[S].one_of_count = 2;
    k.fields[D].has_range = 1;
    k.fields[D].low = -1;
    k.fields[D].high = 1;
    kit_open(&k);
    assert_true(kit_decode(&k, "{\"u\":{\"id\":\"a\"}}"));
    assert_int_equal(k.row.i, 9);
    assert_true(k.row.exact == INT64_MAX);
    assert_true(kit_decode(&k, "{\"u\":{\"id\":\"a\"},\"i\":null,"
                               "\"exact\":1,\"s\":\"end\",\"d\":-1}"));
    assert_int_equal(k.row.i, 9);
    assert_int_equal(k.row.exact, 1);
    assert_false(kit_decode(&k, "{\"i\":1}"));
    assert_string_equal(k.bad.path, "u.id");
    assert_string_equal(k.bad.reason, "missing or null, wanted a string");
    assert_false(kit_decode(&k, "{\"u\":{\"id\":null}}"));
    assert_false(kit_decode(&k, "{\"u\":{\"id\":\"a\"},\"s\":\"other\"}"));
    assert_string_equal(k.bad.path, "s");
    assert_false(kit_decode(&k, "{\"u\":{\"id\":\"a\"},\"d\":1.0000000000000002}"));
    assert_string_equal(k.bad.reason, "seen 1.0000000000000002, wanted a value from -1 to 1");
    kit_done(&k);
}

static void a_list_of_texts_is_held_in_documents_of_the_usual_shape(void **state) {
    (void)state;
    static const sl_value KINDS[] = {
        { .kind = SL_TEXT, .text = TEXT("") },
        { .kind = SL_TEXT, .text = TEXT("end") },
        { .kind = SL_TEXT, .text = TEXT("sixteen bytes ha") },
        { .kind = SL_TEXT, .text = TEXT("sixteen bytes have more") },
    };
    static const char *const GOOD[] = { "", "end", "sixteen bytes ha",
                                        "sixteen bytes have more" };
    static const char *const WRONG[] = { "en", "ends", "sixteen bytes hb", "sixteen bytes hav",
                                         "sixteen bytes have More" };
    char text[100];
    kit k;
    kit_init(&k);
    k.fields[S].one_of = KINDS;
    k.fields[S].one_of_count = 4;
    kit_open(&k);
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
            snprintf(text, sizeof text, "{\"i\":1,\"s\":\"%s\"}", GOOD[i]);
            assert_true(kit_decode(&k, text));
            assert_int_equal(k.row.s.len, strlen(GOOD[i]));
        }
        for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
            snprintf(text, sizeof text, "{\"i\":1,\"s\":\"%s\"}", WRONG[i]);
            assert_false(kit_decode(&k, text));
            assert_string_equal(k.bad.path, "s");
        }
        assert_true(kit_decode(&k, "{\"i\":1,\"s\":null}"));
    }
    kit_done(&k);
}

/* Documents that nearly have the usual shape, which has an object inside. */
static void inner_objects_are_read_by_the_usual_shape_and_otherwise(void **state) {
    (void)state;
    static const struct {
        const char *json;
        bool is_good;
        int64_t i;
    } CASES[] = {
        { "{\"u\":{\"id\":\"ab\",\"x\":1},\"i\":7}", true, 7 },
        { "{\"u\":{\"x\":1,\"id\":\"ab\"},\"i\":8}", true, 8 },
        { "{\"i\":9,\"u\":{\"id\":\"ab\"}}", true, 9 },
        { " { \"u\" : { \"id\" : \"ab\" , \"x\" : 2 } , \"i\" : 10 } ", true, 10 },
        { "{\"u\":{\"id\":\"ab\",\"x\":{\"y\":[1]}},\"i\":11}", true, 11 },
        { "{\"u\":{\"id\":\"ab\",\"x\":1}}", false, 0 },
        { "{\"u\":{\"id\":\"ab\",\"x\":1},\"i\":7", false, 0 },
        { "{\"u\":{\"id\":\"ab\",\"x\":1}", false, 0 },
        { "{\"u\":{\"id\":\"ab\",\"x\":1}},\"i\":7}", false, 0 },
        { "{\"u\":{\"id\":\"ab\",\"x\":1},\"i\":7}}", false, 0 },
        { "{\"u\":{\"id\":\"ab\",\"id\":\"ab\"},\"i\":7}", false, 0 },
        { "{\"u\":[{\"id\":\"ab\",\"x\":1},\"i\",7]}", false, 0 },
        { "{\"u\":{\"id\":\"ab\",\"x\":1]},\"i\":7}", false, 0 },
        { "{\"u\":null,\"i\":7}", false, 0 },
        { "{\"u\":{},\"i\":7}", false, 0 },
    };
    kit k;
    kit_init(&k);
    k.fields[ID].required = k.fields[I].required = 1;
    kit_open(&k);
    for (int round = 0; round < 30; round++) {
        for (int usual = 0; usual < 10; usual++) {
            assert_true(kit_decode(&k, CASES[0].json));
            assert_int_equal(k.row.i, 7);
        }
        for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
            assert_int_equal(kit_decode(&k, CASES[i].json), CASES[i].is_good);
            if (CASES[i].is_good) assert_int_equal(k.row.i, CASES[i].i);
        }
    }
    kit_done(&k);
}

static void a_constant_of_the_wrong_type_is_a_plan_error(void **state) {
    (void)state;
    static const sl_value HALF = { .kind = SL_NUMBER, .number = 0.5 };
    kit k;
    kit_init(&k);
    k.fields[I].has_default = 1;
    k.fields[I].default_value = &HALF;
    err *e = decoder_new(&k.source, &k.decoder);
    assert_non_null(e);
    assert_int_equal(e->code, ERR_PLAN);
    err_free(e);
    k.fields[I].has_default = 0;
    k.source.format = (sl_string)TEXT("jsonx");
    e = decoder_new(&k.source, &k.decoder);
    assert_non_null(e);
    err_free(e);
    kit_done(&k);
}

static void a_tombstone_has_only_nulls(void **state) {
    (void)state;
    kit k;
    kit_init(&k);
    k.fields[S].from = SL_FROM_KEY;
    kit_open(&k);
    k.record.key = (sl_string)TEXT("key");
    k.record.value = (sl_string){ 0 };
    assert_true(decoder_decode(k.decoder, &k.record, &ORIGIN, &k.row.head, &k.strings, &k.bad));
    assert_true(k.row.head.nulls[0] == UINT64_MAX);
    decoder_free(k.decoder);
    k.fields[I].required = 1;
    kit_open(&k);
    assert_false(decoder_decode(k.decoder, &k.record, &ORIGIN, &k.row.head, &k.strings, &k.bad));
    assert_string_equal(k.bad.path, "i");
    assert_false(kit_decode(&k, ""));
    kit_done(&k);
}

static void keys_headers_and_metadata_become_fields(void **state) {
    (void)state;
    kit k;
    kit_init(&k);
    k.fields[S].from = SL_FROM_KEY;
    k.fields[ID].from = SL_FROM_METADATA;
    k.fields[ID].metadata = SL_META_TOPIC;
    k.fields[D].from = SL_FROM_HEADER;
    k.fields[EXACT].from = SL_FROM_METADATA;
    k.fields[EXACT].metadata = SL_META_OFFSET;
    k.fields[I32].from = SL_FROM_METADATA;
    k.fields[I32].metadata = SL_META_PARTITION;
    k.fields[T].from = SL_FROM_METADATA;
    k.fields[T].metadata = SL_META_KAFKA_TIME;
    k.fields[ISO].from = SL_FROM_METADATA;
    k.fields[ISO].metadata = SL_META_PROCESSING_TIME;
    kit_open(&k);
    enum { HEADERS = 10000 };
    sl_header *headers = mem_zalloc(HEADERS, sizeof *headers);
    for (int i = 0; i < HEADERS; i++)
        headers[i] = (sl_header){ .name = TEXT("d"), .value = TEXT("bad") };
    headers[HEADERS - 1].name = (sl_string)TEXT("dd");
    headers[HEADERS - 2].value = (sl_string)TEXT("2.5e0");
    k.record = (sl_record){ .offset = 99, .time_ms = 5, .key = TEXT("a \"key\"") };
    k.record.headers = headers;
    k.record.header_count = HEADERS;
    assert_true(kit_decode(&k, "{}"));
    assert_int_equal(k.row.s.len, 7);
    assert_memory_equal(k.row.id.data, "topic", 5);
    assert_true(k.row.d == 2.5);
    assert_int_equal(k.row.exact, 99);
    assert_int_equal(k.row.i32, 7);
    assert_int_equal(k.row.t, 5);
    assert_int_equal(k.row.iso, 1234);
    k.record.time_ms = -1;
    k.record.key = (sl_string){ 0 };
    headers[HEADERS - 2].value = (sl_string){ 0 };
    assert_true(kit_decode(&k, "{}"));
    assert_true(is_null(&k, T) && is_null(&k, S) && is_null(&k, D));
    static const char *const WRONG[] = { "", "1 ", " 1", "x", "1,", "NaN", "0x1" };
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        headers[HEADERS - 2].value.data = WRONG[i];
        headers[HEADERS - 2].value.len = (uint32_t)strlen(WRONG[i]);
        assert_false(kit_decode(&k, "{}"));
        assert_string_equal(k.bad.path, "header.d");
    }
    k.record.header_count = 0;
    k.record.key = (sl_string)TEXT("\xff");
    assert_false(kit_decode(&k, "{}"));
    assert_string_equal(k.bad.path, "key");
    mem_free(headers);
    kit_done(&k);
}

static void a_key_can_be_a_document(void **state) {
    (void)state;
    kit k;
    kit_init(&k);
    k.fields[ID].from = SL_FROM_KEY_PATH;
    kit_open(&k);
    static const char KEY[] = "{\"u\":{\"id\":\"k\"},\"z\":1}\0paddingpaddingpaddingpaddingpadding"
                              "paddingpaddingpaddingpaddingpadding";
    k.record.key = (sl_string){ .data = KEY, .len = (uint32_t)strlen(KEY) };
    assert_true(kit_decode(&k, "{\"u\":[1],\"i\":1}"));
    assert_memory_equal(k.row.id.data, "k", 1);
    assert_int_equal(k.row.i, 1);
    const drift_name *names;
    uint64_t others;
    assert_int_equal(decoder_drift(k.decoder, &names, &others), 2);
    assert_string_equal(names[0].path, "key:z");
    assert_string_equal(names[1].path, "u");
    k.record.key.len--;
    assert_false(kit_decode(&k, "{}"));
    assert_string_equal(k.bad.path, "key");
    k.record.key = (sl_string){ 0 };
    assert_true(kit_decode(&k, "{}"));
    assert_true(is_null(&k, ID));
    kit_done(&k);
}

static void two_fields_can_share_a_path(void **state) {
    (void)state;
    kit k;
    kit_init(&k);
    k.fields[I].path = k.fields[EXACT].path = (const sl_string[]){ TEXT("d") };
    kit_open(&k);
    assert_true(kit_decode(&k, "{\"d\":7}"));
    assert_true(k.row.d == 7 && k.row.i == 7 && k.row.exact == 7);
    assert_false(kit_decode(&k, "{\"d\":7.5}"));
    kit_done(&k);
}

static void undeclared_names_are_counted_in_documents_of_the_usual_shape(void **state) {
    (void)state;
    kit k;
    kit_init(&k);
    kit_open(&k);
    for (int i = 0; i < 20; i++) {
        assert_true(kit_decode(&k, "{\"tip\":1,\"s\":\"x\",\"who\":\"me\"}"));
        assert_false(kit_decode(&k, "{\"tip\":1,\"s\":\"x\",\"who\":me}"));
    }
    const drift_name *names;
    uint64_t others;
    assert_int_equal(decoder_drift(k.decoder, &names, &others), 2);
    assert_int_equal(names[0].count, 40);
    assert_int_equal(names[1].count, 40);
    kit_done(&k);
}

static void undeclared_names_are_counted(void **state) {
    (void)state;
    kit k;
    kit_init(&k);
    kit_open(&k);
    const drift_name *names;
    uint64_t others;
    assert_true(kit_decode(&k, "{\"s\":\"\",\"u\":{\"id\":\"\"}}"));
    assert_int_equal(decoder_drift(k.decoder, &names, &others), 0);
    k.record.partition = 3;
    k.record.offset = 8812;
    assert_true(kit_decode(&k, "{\"tip\":1,\"u\":{\"x\":{\"deep\":1}},\"\\u0074ip\":2}"));
    k.record.offset++;
    assert_true(kit_decode(&k, "{\"u\":{\"x\":1},\"s\":\"\",\"tip\":1}"));
    assert_int_equal(decoder_drift(k.decoder, &names, &others), 2);
    assert_string_equal(names[0].path, "tip");
    assert_int_equal(names[0].count, 3);
    assert_int_equal(names[0].partition, 3);
    assert_int_equal(names[0].offset, 8812);
    assert_string_equal(names[1].path, "u.x");
    assert_int_equal(names[1].count, 2);
    assert_int_equal(others, 0);
    for (int i = 0; i < 200; i++) {
        char text[64];
        snprintf(text, sizeof text, "{\"name_%d\":1,\"i\":%d}", i, i);
        assert_true(kit_decode(&k, text));
        assert_int_equal(k.row.i, i);
    }
    assert_int_equal(decoder_drift(k.decoder, &names, &others), DRIFT_MAX_NAMES);
    assert_int_equal(others, 102);
    kit_done(&k);
}

static void reasons_are_short_and_printable(void **state) {
    (void)state;
    kit k;
    kit_init(&k);
    kit_open(&k);
    assert_false(kit_decode(&k, "{\"u\":{\"id\":12}}"));
    assert_string_equal(k.bad.path, "u.id");
    assert_string_equal(k.bad.reason, "seen 12, wanted a string at byte 11");
    assert_false(kit_decode(&k, "{\"i\":\"a\x7f\xc2\x9bz\xc3\xa9\"}"));
    assert_string_equal(k.bad.reason, "seen \"a\\x7f\\xc2\\x9bz\xc3\xa9\", "
                                      "wanted an int64 within 2^53");
    buf text;
    buf_init(&text);
    buf_put_text(&text, "{\"");
    for (int i = 0; i < 300; i++) buf_put_text(&text, "\x7f");
    buf_put_text(&text, "\":tru");
    for (int i = 0; i < 300; i++) buf_put_text(&text, "\x7f");
    buf_put_text(&text, "}");
    assert_false(kit_decode_bytes(&k, text.data, text.len));
    assert_true(strlen(k.bad.path) < sizeof k.bad.path && strlen(k.bad.reason) < 120);
    for (const char *s = k.bad.path; *s; s++) assert_true(*s >= ' ' && *s < 0x7f);
    buf_done(&text);
    kit_done(&k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_read_and_others_are_null),
        cmocka_unit_test(values_are_checked_by_type),
        cmocka_unit_test(undeclared_values_are_checked_as_strictly),
        cmocka_unit_test(whole_documents_are_objects),
        cmocka_unit_test(declared_names_stand_once),
        cmocka_unit_test(names_that_need_escapes_are_found),
        cmocka_unit_test(escapes_are_copied_apart),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(large_values_pass_and_small_ones_after_them),
        cmocka_unit_test(integer_times_have_units),
        cmocka_unit_test(iso_times_become_ms),
        cmocka_unit_test(required_defaults_and_checks_are_enforced),
        cmocka_unit_test(a_list_of_texts_is_held_in_documents_of_the_usual_shape),
        cmocka_unit_test(inner_objects_are_read_by_the_usual_shape_and_otherwise),
        cmocka_unit_test(a_constant_of_the_wrong_type_is_a_plan_error),
        cmocka_unit_test(a_tombstone_has_only_nulls),
        cmocka_unit_test(keys_headers_and_metadata_become_fields),
        cmocka_unit_test(a_key_can_be_a_document),
        cmocka_unit_test(two_fields_can_share_a_path),
        cmocka_unit_test(undeclared_names_are_counted),
        cmocka_unit_test(undeclared_names_are_counted_in_documents_of_the_usual_shape),
        cmocka_unit_test(reasons_are_short_and_printable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
