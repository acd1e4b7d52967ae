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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_objects_are_told_from_other_bytes),
        cmocka_unit_test(depth_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
