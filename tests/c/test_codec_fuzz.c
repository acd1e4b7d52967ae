/* Decoding against a second opinion: random damage, random doubles. FUZZ_ROUNDS sets how many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "runtime/codec/json_index.h"
#include "runtime/codec/json_scan.h"
#include "tests/c/codec_kit.h"

/* A second opinion: the grammar of RFC 8259, byte by byte, and nothing fast about it. */
typedef struct slow {
    const unsigned char *s, *end;
} slow;

static int slow_byte(const slow *p) { return p->s < p->end ? *p->s : -1; }

static void slow_blanks(slow *p) {
    while (slow_byte(p) > 0 && strchr(" \t\n\r", slow_byte(p))) p->s++;
}

static bool slow_word(slow *p, const char *word) {
    for (; *word; word++, p->s++)
        if (slow_byte(p) != *word) return false;
    return true;
}

static bool slow_digits(slow *p) {
    const unsigned char *start = p->s;
    while (slow_byte(p) >= '0' && slow_byte(p) <= '9') p->s++;
    return p->s > start;
}

static bool slow_number(slow *p) {
    if (slow_byte(p) == '-') p->s++;
    if (slow_byte(p) == '0')
        p->s++;
    else if (!slow_digits(p))
        return false;
    if (slow_byte(p) == '.') {
        p->s++;
        if (!slow_digits(p)) return false;
    }
    if (slow_byte(p) != 'e' && slow_byte(p) != 'E') return true;
    p->s++;
    if (slow_byte(p) == '+' || slow_byte(p) == '-') p->s++;
    return slow_digits(p);
}

static int slow_hex(slow *p) {
    int value = 0;
    for (int i = 0; i < 4; i++, p->s++) {
        char text[2] = { (char)(slow_byte(p) < 0 ? 'x' : slow_byte(p)), 0 };
        if (!strspn(text, "0123456789abcdefABCDEF")) return -1;
        value = value * 16 + (int)strtol(text, NULL, 16);
    }
    return value;
}

static bool slow_escape(slow *p) {
    int c = slow_byte(p);
    p->s++;
    if (c != 'u') return c > 0 && strchr("\"\\/bfnrt", c);
    int unit = slow_hex(p);
    if (unit < 0 || (unit >= 0xdc00 && unit < 0xe000)) return false;
    if (unit < 0xd800 || unit >= 0xe000) return true;
    if (!slow_word(p, "\\u")) return false;
    unit = slow_hex(p);
    return unit >= 0xdc00 && unit < 0xe000;
}

/* One character of more than a byte: decode it and see whether it had to be that long. */
static bool slow_utf8(slow *p) {
    int lead = slow_byte(p), more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2
                                                                    : 1;
    if (lead < 0xc0 || lead > 0xf7) return false;
    int code = lead & (0x3f >> more);
    p->s++;
    for (int i = 0; i < more; i++, p->s++) {
        if (slow_byte(p) < 0x80 || slow_byte(p) > 0xbf) return false;
        code = code << 6 | (slow_byte(p) & 0x3f);
    }
    static const int LOWEST[] = { 0, 0x80, 0x800, 0x10000 };
    return code >= LOWEST[more] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

static bool slow_string(slow *p) {
    if (slow_byte(p) != '"') return false;
    for (p->s++;;) {
        int c = slow_byte(p);
        if (c < 0x20) return false;
        if (c >= 0x80) {
            if (!slow_utf8(p)) return false;
            continue;
        }
        p->s++;
        if (c == '"') return true;
        if (c == '\\' && !slow_escape(p)) return false;
    }
}

static bool slow_value(slow *p, int depth) {
    int open = slow_byte(p);
    if (open == '"') return slow_string(p);
    if (open == 't') return slow_word(p, "true");
    if (open == 'f') return slow_word(p, "false");
    if (open == 'n') return slow_word(p, "null");
    if (open != '{' && open != '[') return slow_number(p);
    if (depth == 64) return false;
    int close = open == '{' ? '}' : ']';
    p->s++;
    slow_blanks(p);
    if (slow_byte(p) == close) {
        p->s++;
        return true;
    }
    for (;;) {
        slow_blanks(p);
        if (open == '{') {
            if (!slow_string(p)) return false;
            slow_blanks(p);
            if (!slow_word(p, ":")) return false;
            slow_blanks(p);
        }
        if (!slow_value(p, depth + 1)) return false;
        slow_blanks(p);
        int c = slow_byte(p);
        p->s++;
        if (c == close) return true;
        if (c != ',') return false;
    }
}

static bool slow_document(const char *text, size_t len) {
    slow p = { (const unsigned char *)text, (const unsigned char *)text + len };
    slow_blanks(&p);
    if (slow_byte(&p) != '{' || !slow_value(&p, 0)) return false;
    slow_blanks(&p);
    return p.s == p.end;
}

static uint32_t next_random(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}

/* Change `text` in one to three places; the new length. */
static size_t mutate(char *text, size_t len, size_t room, uint64_t *seed) {
    static const char PIECES[] = "{}[]:,\"\\ \n\t0123456789-+.eEtrufalsn/bd"
                                 "\x01\x1f\x80\xbf\xc3\xff\f\x1a";
    for (uint32_t times = next_random(seed) % 3 + 1; times; times--) {
        size_t at = len ? next_random(seed) % len : 0;
        char piece = PIECES[next_random(seed) % (sizeof PIECES - 1)];
        uint32_t what = next_random(seed) % 4;
        if (what == 0 && len) {
            text[at] = piece;
        } else if (what == 1 && len) {
            memmove(text + at, text + at + 1, len - at - 1);
            len--;
        } else if (what == 2 && len < room) {
            memmove(text + at + 1, text + at, len - at);
            text[at] = piece;
            len++;
        } else if (len > 2) { /* take a piece of it somewhere else */
            size_t from = next_random(seed) % len, count = next_random(seed) % 8 + 1;
            if (count > len - from) count = len - from;
            if (count > len - at) count = len - at;
            memmove(text + at, text + from, count);
        }
    }
    return len;
}

static void mutated_documents_are_judged_as_by_a_slow_reader(void **state) {
    (void)state;
    static const char *const SEEDS[] = {
        "{\"s\":\"text\",\"u\":{\"id\":\"x\",\"more\":[1,2]},\"d\":-1.25e3,\"i\":-9,\"b\":true}",
        "{\"exact\":9223372036854775807,\"iso\":\"1970-01-01T00:00:01.5Z\",\"zz\":null}",
        "{\"a\":[{\"b\":[[],{},\"\\u00e9\\ud83d\\ude00\",0.5,1e-7]}], \"c\" : false , \"d\":0 }",
        "{\"s\":\"\\\"\\\\\\n\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\",\"\\u0069\":12}",
        "{\"1\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\\\\\",\"2\":[true,\"]\"]}",
    };
    const char *rounds_text = getenv("FUZZ_ROUNDS");
    long rounds = rounds_text ? atol(rounds_text) : 60000;
    kit typed, untyped;
    kit_init(&typed);
    kit_open(&typed);
    kit_init(&untyped);
    untyped.source.field_count = 0;
    kit_open(&untyped);
    uint64_t seed = 42;
    for (long i = 0; i < rounds; i++) {
        char text[256];
        const char *from = SEEDS[next_random(&seed) % (sizeof SEEDS / sizeof *SEEDS)];
        size_t len = strlen(from);
        memcpy(text, from, len);
        len = mutate(text, len, sizeof text, &seed);
        bool is_valid = slow_document(text, len);
        if (kit_decode_bytes(&untyped, text, len) != is_valid)
            fail_msg("%s: %.*s (%s)", is_valid ? "refused" : "accepted", (int)len, text,
                     untyped.bad.reason);
        bool is_row = kit_decode_bytes(&typed, text, len);
        if (is_row && !is_valid) fail_msg("accepted: %.*s", (int)len, text);
        if (!is_row && is_valid) assert_true(typed.bad.path[0]);
        if (i % 1000 == 0) {
            arena_reset(&typed.bytes, 1 << 20);
            arena_reset(&untyped.bytes, 1 << 20);
            arena_reset(&typed.strings, 1 << 20);
            arena_reset(&untyped.strings, 1 << 20);
        }
    }
    kit_done(&typed);
    kit_done(&untyped);
}

/* Where a document is given to `scan`: nothing behind it is readable when sanitizers run. */
static uint32_t scan_alone(json_scan *scan, const char *text, size_t len, uint32_t *tokens) {
    char *alone = mem_alloc(len);
    memcpy(alone, text, len);
    uint32_t count = scan(alone, len, tokens);
    mem_free(alone);
    return count;
}

/* Blanks behind the document make it too long for a scan, so that simdjson judges it. */
static void scan_is_as_simdjson(json_index *index, json_scan *scan, const char *text, size_t len) {
    uint32_t found[JSON_SCAN_TOKENS];
    uint32_t count = scan_alone(scan, text, len, found);
    char padded[2 * JSON_SCAN_BYTES + ARENA_PADDING];
    memset(padded, ' ', sizeof padded);
    memcpy(padded, text, len);
    json_tokens tokens;
    json_index_status status = json_index_make(index, padded, JSON_SCAN_BYTES + len, &tokens);
    bool is_plain = !status && !tokens.has_escapes;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] >= 0x80 || text[i] < ' ') is_plain = false;
    if ((count > 0) != is_plain) fail_msg("%u tokens: %.*s", count, (int)len, text);
    if (!count) return;
    if (count != tokens.count || memcmp(found, tokens.at, count * sizeof *found))
        fail_msg("%u tokens, wanted %u: %.*s", count, tokens.count, (int)len, text);
    assert_int_equal(found[count], len);
    assert_int_equal(found[count + 1], len);
}

static void the_scan_finds_the_tokens_that_simdjson_finds(void **state) {
    (void)state;
    static const char PIECES[] = "{}[]:,\"\"\"\"\"\"  00123.e-aztrufalsn/";
    static const char ODD[] = "\n\t\r\\\x01\x1f\x0b\x80\xbf\xc3\xff\f\x1a";
    json_scan *scan = json_scan_choose();
    if (!scan) skip();
    json_index *index = json_index_new();
    uint64_t seed = 11;
    for (int i = 0; i < 60000; i++) {
        char text[JSON_SCAN_BYTES];
        size_t len = next_random(&seed) % (i % 8 ? 150 : JSON_SCAN_BYTES) + 1;
        size_t kinds = i % 3 ? sizeof PIECES - 1 : next_random(&seed) % (sizeof PIECES - 1) + 1;
        for (size_t j = 0; j < len; j++) text[j] = PIECES[next_random(&seed) % kinds];
        if (i % 4 == 0)
            text[next_random(&seed) % len] = ODD[next_random(&seed) % (sizeof ODD - 1)];
        scan_is_as_simdjson(index, scan, text, len);
    }
    for (int c = 0; c < 256; c++) {
        char text[] = "{\"a\":?,\"? ?\": ?1?}";
        for (char *at = text; *at; at++)
            if (*at == '?') *at = (char)c;
        scan_is_as_simdjson(index, scan, text, sizeof text - 1);
    }
    json_index_free(index);
}

static void same_text(sl_string a, sl_string b) {
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.data, b.data, a.len);
}

/* Did both decoders make the same of the document? */
static void same_outcome(const kit *a, const kit *b, bool is_a_good, bool is_b_good) {
    assert_int_equal(is_a_good, is_b_good);
    if (!is_a_good) {
        assert_string_equal(a->bad.path, b->bad.path);
        assert_string_equal(a->bad.reason, b->bad.reason);
        return;
    }
    assert_true(a->row.head.nulls[0] == b->row.head.nulls[0]);
    if (!is_null(a, S)) same_text(a->row.s, b->row.s);
    if (!is_null(a, ID)) same_text(a->row.id, b->row.id);
    if (!is_null(a, D)) assert_memory_equal(&a->row.d, &b->row.d, sizeof a->row.d);
    if (!is_null(a, I)) assert_true(a->row.i == b->row.i);
    if (!is_null(a, EXACT)) assert_true(a->row.exact == b->row.exact);
    if (!is_null(a, T)) assert_true(a->row.t == b->row.t);
    if (!is_null(a, ISO)) assert_true(a->row.iso == b->row.iso);
    if (!is_null(a, I32)) assert_true(a->row.i32 == b->row.i32);
    if (!is_null(a, B)) assert_int_equal(a->row.b, b->row.b);
}

#define LONG_TEXT "caf\xc3\xa9 of more than 32 bytes, \xe2\x82\xac\xe2\x82\xac, and on"

/* A decoder whose fields are held to `one_of` and `range`, if `is_checked`. */
static void open_decoder(kit *k, bool is_checked) {
    static const sl_value TEXTS[] = {
        { .kind = SL_TEXT, .text = TEXT("text") },
        { .kind = SL_TEXT, .text = TEXT("a,b:c") },
        { .kind = SL_TEXT, .text = TEXT("") },
        { .kind = SL_TEXT, .text = TEXT(LONG_TEXT) },
    };
    kit_init(k);
    if (is_checked) {
        k->fields[S].one_of = TEXTS;
        k->fields[S].one_of_count = 4;
        k->fields[D].has_range = k->fields[I].has_range = 1;
        k->fields[D].low = -13;
        k->fields[D].high = 200000;
        k->fields[I].low = -9007199254740992.0;
        k->fields[I].high = 1700000000000.0;
    }
    kit_open(k);
}

static const char *const USUAL[] = {
    "{\"s\":\"text\",\"d\":-12.75,\"i\":1700000000000,\"b\":true,\"zz\":\"more\",\"i32\":-7}",
    "{\"a_time_with_a_long_name\":1700000000000,\"exact\":9007199254740993,\"yy\":[],\"d\":0}",
    "{\"i\":9,\"s\":null,\"zz\":null,\"xx\":-0.5e3 , \"b\" : false,\"d\":123456.5,\"s2\":\"\"}",
    "{\"zz\":true,\"s\":\"a,b:c\",\"iso\":\"1970-01-01T00:00:01.5Z\",\"i\":-9007199254740992}",
    "{\"s\":\"\",\"d\":0.001,\"exact\":-1,\"zz\":12}",
    "{\"s\":\"" LONG_TEXT "\",\"u\":{\"id\":\"x\"},\"a_time_with_a_long_name\": 17 , \"i\":-12}",
};

/* A decoder that has seen documents of one shape, and one that never saw any. */
static void read_usual_shapes(bool is_checked) {
    kit used;
    open_decoder(&used, is_checked);
    uint64_t seed = 23;
    for (long i = 0; i < 20000; i++) {
        char text[256];
        const char *from = USUAL[i / 50 % (long)(sizeof USUAL / sizeof *USUAL)];
        size_t len = strlen(from);
        memcpy(text, from, len);
        if (i % 3) len = mutate(text, len, sizeof text, &seed);
        kit fresh;
        open_decoder(&fresh, is_checked);
        bool is_good = kit_decode_bytes(&fresh, text, len);
        assert_true(kit_decode(&used, from));
        same_outcome(&fresh, &used, is_good, kit_decode_bytes(&used, text, len));
        kit_done(&fresh);
        if (i % 1000 == 0) arena_reset(&used.bytes, 1 << 20);
    }
    kit_done(&used);
}

static void usual_shapes_are_read_as_any_other(void **state) {
    (void)state;
    read_usual_shapes(false);
}

/* What would complete it lies behind the document, as the next record may. */
static void a_document_of_the_usual_shape_ends_where_it_ends(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof USUAL / sizeof *USUAL; i++) {
        kit k;
        open_decoder(&k, false);
        assert_true(kit_decode(&k, USUAL[i]));
        sl_string *value = &k.record.value;
        uint32_t len = value->len;
        for (value->len = 0; value->len < len; value->len++)
            assert_false(decoder_decode(k.decoder, &k.record, &ORIGIN, &k.row.head, &k.strings,
                                        &k.bad));
        assert_true(
            decoder_decode(k.decoder, &k.record, &ORIGIN, &k.row.head, &k.strings, &k.bad));
        kit_done(&k);
    }
}

static void usual_shapes_with_checks_are_read_as_any_other(void **state) {
    (void)state;
    read_usual_shapes(true);
}

static void integers_read_back_exactly(void **state) {
    (void)state;
    kit k;
    kit_init(&k);
    kit_open(&k);
    uint64_t seed = 5;
    for (int i = 0; i < 60000; i++) {
        char digits[32], text[64];
        int len = 0, count = (int)(next_random(&seed) % 18) + 1;
        if (next_random(&seed) % 2) digits[len++] = '-';
        for (int j = 0; j < count; j++)
            digits[len++] = (char)('0' + next_random(&seed) % (j || count == 1 ? 10 : 9) +
                                   (j || count == 1 ? 0 : 1));
        digits[len] = 0;
        snprintf(text, sizeof text, "{\"exact\":%s}", digits);
        if (!kit_decode(&k, text) || k.row.exact != strtoll(digits, NULL, 10)) fail_msg("%s", text);
        text[9 + next_random(&seed) % (uint32_t)len] = "/:.,x- 0e+"[next_random(&seed) % 10];
        char *end;
        long long want = strtoll(text + 9, &end, 10);
        if (kit_decode(&k, text) && (!strchr("} ", *end) || k.row.exact != want))
            fail_msg("%s", text);
        if (i % 1000 == 0) arena_reset(&k.bytes, 1 << 20);
    }
    kit_done(&k);
}

static void doubles_read_back_exactly(void **state) {
    (void)state;
    kit k;
    kit_init(&k);
    kit_open(&k);
    uint64_t seed = 7;
    for (int i = 0; i < 60000; i++) {
        char digits[64], text[96];
        int len = 0;
        if (next_random(&seed) % 4 == 0) digits[len++] = '-';
        int whole = (int)(next_random(&seed) % 22);
        if (!whole) digits[len++] = '0';
        for (int j = 0; j < whole; j++) digits[len++] = (char)('1' + next_random(&seed) % 9);
        if (next_random(&seed) % 2) {
            digits[len++] = '.';
            for (uint32_t j = next_random(&seed) % 20 + 1; j; j--)
                digits[len++] = (char)('0' + next_random(&seed) % (j > 10 ? 1 : 10));
        }
        digits[len] = 0;
        if (next_random(&seed) % 2)
            snprintf(digits + len, 10, "e%d", (int)(next_random(&seed) % 680) - 340);
        double want = strtod(digits, NULL);
        snprintf(text, sizeof text, "{\"d\":%s}", digits);
        bool is_finite = want - want == 0;
        if (kit_decode(&k, text) != is_finite) fail_msg("%s", text);
        if (is_finite && memcmp(&k.row.d, &want, sizeof want)) fail_msg("%s: %a", text, k.row.d);
        if (i % 1000 == 0) arena_reset(&k.bytes, 1 << 20);
    }
    kit_done(&k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mutated_documents_are_judged_as_by_a_slow_reader),
        cmocka_unit_test(the_scan_finds_the_tokens_that_simdjson_finds),
        cmocka_unit_test(usual_shapes_are_read_as_any_other),
        cmocka_unit_test(usual_shapes_with_checks_are_read_as_any_other),
        cmocka_unit_test(a_document_of_the_usual_shape_ends_where_it_ends),
        cmocka_unit_test(integers_read_back_exactly),
        cmocka_unit_test(doubles_read_back_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
