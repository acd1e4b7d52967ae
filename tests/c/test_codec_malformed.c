/* What is JSON and what is not, over the decoder as pipelines use it: hundreds of texts by hand
 * (json_cases.h) and thousands made by rules, each as a whole document, as the value of a field
 * that nobody declared, inside an array there, and as the value of declared ones. RFC 8259; where
 * it leaves a choice: at most 64 levels, lone surrogates and numbers beyond double are refused in
 * declared fields, a name may stand twice if nobody declared it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/c/codec_kit.h"
#include "tests/c/json_cases.h"

static uint32_t judged;

static void judge(kit *k, const json_case *c, const char *before, const char *behind, bool want) {
    buf text;
    buf_init(&text);
    buf_put_text(&text, before);
    buf_put(&text, c->text, c->len);
    buf_put_text(&text, behind);
    if (kit_decode_bytes(k, text.data ? text.data : "", text.len) != want)
        fail_msg("%s: %s %.*s %s: wanted %s, but: %s %s", c->name, before, (int)c->len, c->text,
                 behind, want ? "a row" : "refused", k->bad.path, k->bad.reason);
    buf_done(&text);
    arena_reset(&k->strings, 4096);
    judged++;
}

/* The case at all places where a value can stand. */
static void judge_everywhere(kit *k, const json_case *c) {
    bool is_json = c->kind != MALFORMED, is_held = is_json && !c->is_unheld;
    judge(k, c, "", "", c->kind == OBJECT);
    if (c->only_whole) return;
    judge(k, c, "{\"undeclared\":", "}", is_json);
    judge(k, c, "{\"i\":1, \"undeclared\" : [ ", " , 1 ] , \"b\":true}", is_json);
    judge(k, c, "{\"more\":{\"undeclared\":[[],", "]}}", is_json);
    judge(k, c, "{\"s\":", "}", c->kind == STRING || c->kind == NONE);
    judge(k, c, "{\"i\":1,\"d\":", ",\"s\":\"\"}",
          is_held && (c->kind == NUMBER || c->kind == NONE));
    judge(k, c, "{\"b\":", "}", c->kind == BOOL || c->kind == NONE);
    judge(k, c, "{\"u\":", "}", c->kind == OBJECT || c->kind == NONE);
}

/* A fresh decoder and one that has learned the shape of documents must agree. */
static void judge_fresh_and_used(kit *k, const json_case *c) {
    kit fresh;
    kit_init(&fresh);
    kit_open(&fresh);
    judge_everywhere(&fresh, c);
    kit_done(&fresh);
    judge_everywhere(k, c);
}

static void texts_by_hand(void **state) {
    (void)state;
    kit k;
    kit_init(&k);
    kit_open(&k);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) judge_fresh_and_used(&k, &CASES[i]);
    kit_done(&k);
    assert_true(sizeof CASES / sizeof *CASES >= 318);
}

/* The text made of `before`, one byte, and `behind`. */
static void judge_byte(kit *k, const char *before, int byte, const char *behind,
                       enum json_kind kind, bool only_whole) {
    char text[64];
    size_t len = (size_t)sprintf(text, "%s%c%s", before, byte, behind);
    const json_case c = { "made", text, len, kind, only_whole, false };
    judge_everywhere(k, &c);
}

static bool is_among(int byte, const char *list) {
    return byte && strchr(list, byte);
}

static void every_byte_at_every_place(void **state) {
    (void)state;
    kit k;
    kit_init(&k);
    kit_open(&k);
    for (int b = 0; b < 256; b++) {
        bool is_blank = is_among(b, " \t\r\n"), is_digit = b >= '0' && b <= '9';
        bool is_text = b >= 0x20 && b < 0x80 && b != '"' && b != '\\';
        judge_byte(&k, "", b, "", is_digit ? NUMBER : MALFORMED, is_among(b, ",:"));
        judge_byte(&k, "[1]", b, "", is_blank ? ARRAY : MALFORMED, is_among(b, ","));
        judge_byte(&k, "", b, "[1]", is_blank ? ARRAY : MALFORMED, is_among(b, ","));
        judge_byte(&k, "[1 ", b, " 2]", b == ',' ? ARRAY : MALFORMED, false);
        judge_byte(&k, "{\"a\" ", b, " 2}", b == ':' ? OBJECT : MALFORMED, false);
        judge_byte(&k, "\"", b, "\"", is_text ? STRING : MALFORMED, false);
        judge_byte(&k, "\"\\", b, "\"", is_among(b, "\"\\/bfnrt") ? STRING : MALFORMED, false);
        judge_byte(&k, "1", b, "", is_digit ? NUMBER : is_blank ? NUMBER
                                                                : MALFORMED,
                   is_among(b, ","));
        judge_byte(&k, "[1", b, "5]", is_digit || is_among(b, ".,eE") ? ARRAY : MALFORMED, false);
        judge_byte(&k, "nul", b, "", b == 'l' ? NONE : MALFORMED, false);
    }
    kit_done(&k);
}

/* Is the byte sequence well-formed UTF-8 (RFC 3629, section 4, the table)? */
static bool is_utf8(const unsigned char *s) {
    static const unsigned char TABLE[][7] = {
        /* bytes, then from and to of the second; of the first: from, to */
        { 2, 0xc2, 0xdf, 0x80, 0xbf },
        { 3, 0xe0, 0xe0, 0xa0, 0xbf },
        { 3, 0xe1, 0xec, 0x80, 0xbf },
        { 3, 0xed, 0xed, 0x80, 0x9f },
        { 3, 0xee, 0xef, 0x80, 0xbf },
        { 4, 0xf0, 0xf0, 0x90, 0xbf },
        { 4, 0xf1, 0xf3, 0x80, 0xbf },
        { 4, 0xf4, 0xf4, 0x80, 0x8f },
    };
    for (size_t i = 0; i < sizeof TABLE / sizeof *TABLE; i++) {
        const unsigned char *t = TABLE[i];
        if (s[0] < t[1] || s[0] > t[2] || s[1] < t[3] || s[1] > t[4]) continue;
        for (int n = 2; n < t[0]; n++)
            if (s[n] < 0x80 || s[n] > 0xbf) return false;
        return !s[t[0]];
    }
    return false;
}

static void every_beginning_of_a_character(void **state) {
    (void)state;
    static const unsigned char SECOND[] = { 0x20, 0x7f, 0x80, 0x8f, 0x90,
                                            0x9f, 0xa0, 0xbf, 0xc0, 0xff };
    kit k;
    kit_init(&k);
    kit_open(&k);
    for (int first = 0x80; first < 256; first++) {
        for (size_t i = 0; i < sizeof SECOND; i++) {
            for (int more = 0; more < 4; more++) {
                unsigned char s[8] = { (unsigned char)first, SECOND[i] };
                memset(s + 2, 0x80, (size_t)more);
                char text[16];
                size_t len = (size_t)sprintf(text, "\"%s\"", (const char *)s);
                const json_case c = { "UTF-8", text, len, is_utf8(s) ? STRING : MALFORMED, false,
                                      false };
                judge_everywhere(&k, &c);
            }
        }
    }
    kit_done(&k);
}

/* A document that has everything. */
static const char WHOLE[] =
    "{\"a\":[1,-2.5e+3,true,null],\"y\":{\"c\":\"x\\n\\u00e9\"},\"e\":false}";

static void a_document_cut_at_any_byte(void **state) {
    (void)state;
    kit k;
    kit_init(&k);
    kit_open(&k);
    assert_true(kit_decode(&k, WHOLE));
    for (size_t len = 0; len < sizeof WHOLE - 1; len++) {
        const json_case c = { "cut", WHOLE, len, MALFORMED, true, false };
        judge_everywhere(&k, &c);
        const json_case tail = { "cut", WHOLE + len + 1, sizeof WHOLE - 2 - len, MALFORMED, true,
                                 false };
        judge_everywhere(&k, &tail);
    }
    kit_done(&k);
}

/* Any structural byte left out or doubled makes it malformed. */
static void a_document_without_one_of_its_marks(void **state) {
    (void)state;
    kit k;
    kit_init(&k);
    kit_open(&k);
    for (size_t at = 0; at < sizeof WHOLE - 1; at++) {
        if (!is_among(WHOLE[at], "{}[]:,\"")) continue;
        char text[2 * sizeof WHOLE];
        size_t len = (size_t)sprintf(text, "%.*s%s", (int)at, WHOLE, WHOLE + at + 1);
        const json_case without = { "without", text, len, MALFORMED, true, false };
        judge_everywhere(&k, &without);
        len = (size_t)sprintf(text, "%.*s%c%s", (int)at, WHOLE, WHOLE[at], WHOLE + at);
        const json_case doubled = { "doubled", text, len, MALFORMED, true, false };
        judge_everywhere(&k, &doubled);
    }
    kit_done(&k);
}

static void nesting_up_to_64(void **state) {
    (void)state;
    kit k;
    kit_init(&k);
    kit_open(&k);
    for (int depth = 1; depth <= 200; depth++) {
        char text[8 * 200 + 16], *to = text;
        for (int i = 0; i < depth; i++) to += sprintf(to, "%s", i % 2 ? "[" : "{\"a\":");
        *to++ = '1';
        for (int i = depth; i-- > 0;) *to++ = i % 2 ? ']' : '}';
        const json_case c = { "deep", text, (size_t)(to - text),
                              depth <= 64 ? OBJECT : MALFORMED, true, false };
        judge_everywhere(&k, &c);
        to[-1] = to[-1] == '}' ? ']' : '}';
        const json_case wrong = { "wrong end", text, (size_t)(to - text), MALFORMED, true, false };
        judge_everywhere(&k, &wrong);
    }
    kit_done(&k);
}

static void escapes_with_a_wrong_digit(void **state) {
    (void)state;
    kit k;
    kit_init(&k);
    kit_open(&k);
    for (int at = 3; at < 7; at++) {
        for (int b = 1; b < 128; b++) {
            char text[] = "\"\\u00e9\"";
            text[at] = (char)b;
            bool is_hex = is_among(b, "0123456789abcdefABCDEF");
            bool is_pair = at == 3 && is_among(b, "dD"); /* d0e9 is none */
            const json_case c = { "hex", text, 8, is_hex || is_pair ? STRING : MALFORMED, false,
                                  false };
            judge_everywhere(&k, &c);
        }
    }
    kit_done(&k);
}

/* Every pair of kinds of code units. */
static void surrogates_in_pairs(void **state) {
    (void)state;
    static const char *const UNITS[] = { "\\u0041", "\\ud7ff", "\\ud800", "\\udbff", "\\udc00",
                                         "\\udfff", "\\ue000", "\\uffff", "a", "\\n", "" };
    kit k;
    kit_init(&k);
    kit_open(&k);
    for (int i = 0; i < 11; i++) {
        for (int j = 0; j < 11; j++) {
            char text[32];
            size_t len = (size_t)sprintf(text, "\"%s%s\"", UNITS[i], UNITS[j]);
            bool is_high = i == 2 || i == 3, is_low = j == 4 || j == 5;
            bool is_good = is_high ? is_low : i != 4 && i != 5 && j != 2 && j != 3 && !is_low;
            const json_case c = { "pair", text, len, is_good ? STRING : MALFORMED, false, false };
            judge_everywhere(&k, &c);
        }
    }
    kit_done(&k);
    assert_true(judged > 10000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_by_hand),
        cmocka_unit_test(every_byte_at_every_place),
        cmocka_unit_test(every_beginning_of_a_character),
        cmocka_unit_test(a_document_cut_at_any_byte),
        cmocka_unit_test(a_document_without_one_of_its_marks),
        cmocka_unit_test(nesting_up_to_64),
        cmocka_unit_test(escapes_with_a_wrong_digit),
        cmocka_unit_test(surrogates_in_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
