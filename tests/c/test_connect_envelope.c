/* What makes bytes fit into a line of JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/connect/envelope.h"

static bool is_object(const char *text) {
    return envelope_is_object(text, strlen(text));
}

static void json_objects_are_told_from_other_bytes(void **state) {
    (void)state;
    const char *objects[] = {
        "{}",
        "{ }",
        "{\"a\":1}",
        "{\"a\" : [ ] , \"b\":{\"c\":[true,false,null]}}",
        "{\"a\":-0.5e+10,\"b\":0,\"c\":120E-3}",
        "{\"\\u00e4\\n\\\"\":\"\xc3\xa4\"}",
    };
    const char *others[] = {
        "",
        "{",
        "}",
        "[]",
        "1",
        "\"{}\"",
        " {}",
        "{} ",
        "{}{}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{\"a\":01}",
        "{\"a\":+1}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":1e}",
        "{\"a\":tru}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12g4\"}",
        "{\"a\":[1,2}}",
        "{\"a\":\"\t\"}",
        "{\"a\":\"\xff\"}",
        "{\"a\":\"}",
        "{\"a\":1 2}",
        "{\"a\":nul}",
        "{\"a\":-}",
        "{\"a\":[1]]}",
        "{1:2}",
    };
    size_t object_count = sizeof objects / sizeof *objects,
           other_count = sizeof others / sizeof *others;
    for (size_t i = 0; i < object_count; i++) assert_true(is_object(objects[i]));
    for (size_t i = 0; i < other_count; i++) assert_false(is_object(others[i]));
    assert_false(envelope_is_object("{\"a\":1\0}", 8));
}

static void depth_is_bounded(void **state) {
    (void)state;
    char text[4 + 2 * 70 + 4];
    for (int depth = 60; depth < 68; depth++) {
        char *to = text;
        memcpy(to, "{\"a\":", 5);
        memset(to + 5, '[', (size_t)depth);
        memset(to + 5 + depth, ']', (size_t)depth);
        to[5 + 2 * depth] = '}';
        assert_int_equal(envelope_is_object(text, (size_t)(6 + 2 * depth)), depth < 64);
    }
}

static void utf8_is_checked_at_its_edges(void **state) {
    (void)state;
    const char *good[] = {
        "",
        "\x7f",
        "\xc2\x80",
        "\xdf\xbf",
        "\xe0\xa0\x80",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
        "\xef\xbf\xbf",
        "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf",
    };
    const char *bad[] = {
        "\x80",
        "\xc1\xbf",
        "\xc2",
        "\xc2\x41",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xe2\x82",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xf0\x90\x80",
        "\xe2\x82\x41",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(envelope_is_utf8(good[i], strlen(good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(envelope_is_utf8(bad[i], strlen(bad[i])));
    }
}

static void base64_is_padded(void **state) {
    (void)state;
    const char *pairs[][2] = {
        { "", "" },
        { "f", "Zg==" },
        { "fo", "Zm8=" },
        { "foo", "Zm9v" },
        { "foob", "Zm9vYg==" },
        { "\xfb\xff\xfe", "+//+" },
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        buf out;
        buf_init(&out);
        envelope_put_base64(&out, pairs[i][0], strlen(pairs[i][0]));
        assert_string_equal(buf_text(&out), pairs[i][1]);
        buf_done(&out);
    }
}

static void control_characters_are_escaped_and_nothing_else(void **state) {
    (void)state;
    buf out;
    buf_init(&out);
    const char text[] = "\0\b\t\n\v\f\r\x1f \"\\/\x7f\xc3\xa4";
    envelope_put_string(&out, text, sizeof text - 1);
    assert_string_equal(buf_text(&out),
                        "\"\\u0000\\b\\t\\n\\u000b\\f\\r\\u001f \\\"\\\\/\x7f\xc3\xa4\"");
    buf_done(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_objects_are_told_from_other_bytes),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(utf8_is_checked_at_its_edges),
        cmocka_unit_test(base64_is_padded),
        cmocka_unit_test(control_characters_are_escaped_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
