/* Escaping, UTF-8 and base64 of runtime/base/json_text.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "runtime/base/json_text.h"

#define TEXT(s) (s), sizeof(s) - 1

static void assert_put(const char *text, size_t len, const char *want) {
    buf out;
    buf_init(&out);
    json_text_put(&out, text, len);
    assert_string_equal(buf_text(&out), want);
    buf_done(&out);
}

static void strings_escape_only_what_they_must(void **state) {
    (void)state;
    assert_put(TEXT(""), "\"\"");
    assert_put(TEXT("plain text of many bytes"), "\"plain text of many bytes\"");
    assert_put(TEXT("a/b\x7f"), "\"a/b\x7f\"");
    assert_put(TEXT("\"\\\b\f\n\r\t"), "\"\\\"\\\\\\b\\f\\n\\r\\t\"");
    assert_put(TEXT("\0\x01\x1f\x0b"), "\"\\u0000\\u0001\\u001f\\u000b\"");
    assert_put(TEXT("caf\xc3\xa9 and then: \""), "\"caf\xc3\xa9 and then: \\\"\"");
    assert_put(TEXT("1234567\n89012345\n"), "\"1234567\\n89012345\\n\"");
}

/* A text of x with `c` at `at`. */
static void assert_escaped(size_t len, size_t at, int c) {
    char text[20], behind[20];
    int is_plain = c >= 32 && c != '"' && c != '\\';
    int is_short = c && strchr("\b\f\n\r\t\"\\", c) != NULL;
    size_t extra = is_short ? 1 : 5;
    if (is_plain) extra = 0;
    memset(text, 'x', len);
    memset(behind, 'x', len);
    text[at] = (char)c;
    buf out;
    buf_init(&out);
    json_text_put(&out, text, len);
    assert_int_equal(out.len, len + 2 + extra);
    assert_memory_equal(out.data + 1, text, at);
    assert_int_equal(out.data[1 + at], is_plain ? c : '\\');
    assert_memory_equal(out.data + 2 + at + extra, behind, len - at - 1);
    assert_int_equal(out.data[out.len - 1], '"');
    buf_done(&out);
}

static void every_byte_is_escaped_wherever_it_stands(void **state) {
    (void)state;
    for (int c = 0; c < 128; c++) {
        for (size_t len = 1; len <= 20; len++)
            for (size_t at = 0; at < len; at++) assert_escaped(len, at, c);
    }
}

static void only_well_formed_utf8_is_taken(void **state) {
    (void)state;
    assert_true(json_text_is_utf8(TEXT("")));
    assert_true(json_text_is_utf8(TEXT("ascii of more than eight bytes")));
    assert_true(json_text_is_utf8(TEXT("\xc2\x80 \xe0\xa0\x80 \xed\x9f\xbf")));
    assert_true(json_text_is_utf8(TEXT("\x7f \xdf\xbf \xee\x80\x80 \xef\xbf\xbf")));
    assert_true(json_text_is_utf8(TEXT("\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf")));
    assert_false(json_text_is_utf8(TEXT("\x80")));
    assert_false(json_text_is_utf8(TEXT("\xc0\xaf")));
    assert_false(json_text_is_utf8(TEXT("\xc3")));
    assert_false(json_text_is_utf8(TEXT("\xe0\x9f\xbf")));
    assert_false(json_text_is_utf8(TEXT("\xed\xa0\x80")));
    assert_false(json_text_is_utf8(TEXT("\xf0\x8f\xbf\xbf")));
    assert_false(json_text_is_utf8(TEXT("\xf4\x90\x80\x80")));
    assert_false(json_text_is_utf8(TEXT("\xf5\x80\x80\x80")));
    assert_false(json_text_is_utf8(TEXT("\xc1\xbf")));
    assert_false(json_text_is_utf8(TEXT("\xc2\x41")));
    assert_false(json_text_is_utf8(TEXT("\xe2\x82")));
    assert_false(json_text_is_utf8(TEXT("\xe2\x82\x41")));
    assert_false(json_text_is_utf8(TEXT("\xf0\x90\x80")));
    assert_false(json_text_is_utf8(TEXT("12345678\xff")));
}

static void base64_is_padded(void **state) {
    (void)state;
    static const char *const WANT[] = {
        "",
        "Zg==",
        "Zm8=",
        "Zm9v",
        "Zm9vYg==",
        "Zm9vYmE=",
        "Zm9vYmFy",
    };
    for (size_t len = 0; len <= 6; len++) {
        buf out;
        buf_init(&out);
        json_text_put_base64(&out, "foobar", len);
        assert_string_equal(buf_text(&out), WANT[len]);
        buf_done(&out);
    }
    buf out;
    buf_init(&out);
    json_text_put_base64(&out, "\xfb\xff\xfe", 3);
    assert_string_equal(buf_text(&out), "+//+");
    buf_done(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_escape_only_what_they_must),
        cmocka_unit_test(every_byte_is_escaped_wherever_it_stands),
        cmocka_unit_test(only_well_formed_utf8_is_taken),
        cmocka_unit_test(base64_is_padded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
