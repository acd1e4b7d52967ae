#pragma once
/* A decoder with a row, for the tests of decoding. Included behind cmocka.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/mem.h"
#include "runtime/codec/codec.h"

#define TEXT(text) \
    { .data = (text), .len = sizeof(text) - 1 }

typedef struct test_row {
    sl_row head;
    sl_string s, id;
    double d;
    int64_t i, exact, t, iso;
    int32_t i32;
    uint8_t b;
} test_row;

// clang-format off
#define PATH(...) .path = (const sl_string[]){ __VA_ARGS__ }, \
                  .path_count = sizeof((sl_string[]){ __VA_ARGS__ }) / sizeof(sl_string)
#define COLUMN(title, kind, member, bit) \
    .column = { .name = TEXT(title), .offset = offsetof(test_row, member), .null_bit = (bit), \
                .type = (kind) }

enum { S, ID, D, I, EXACT, T, ISO, I32, B, FIELD_COUNT };

/* One field of each type; `id` lies in the object `u`. */
static const sl_field FIELDS[FIELD_COUNT] = {
    [S] = { COLUMN("s", SL_STRING, s, 0), .from = SL_FROM_VALUE, PATH(TEXT("s")) },
    [ID] = { COLUMN("id", SL_STRING, id, 1), .from = SL_FROM_VALUE, PATH(TEXT("u"), TEXT("id")) },
    [D] = { COLUMN("d", SL_DOUBLE, d, 2), .from = SL_FROM_VALUE, PATH(TEXT("d")) },
    [I] = { COLUMN("i", SL_INT64, i, 3), .from = SL_FROM_VALUE, PATH(TEXT("i")) },
    [EXACT] = { .column = { .name = TEXT("exact"), .offset = offsetof(test_row, exact),
                            .null_bit = 4, .type = SL_INT64, .exact = 1 },
                .from = SL_FROM_VALUE, PATH(TEXT("exact")) },
    [T] = { COLUMN("t", SL_TIMESTAMP, t, 5), .from = SL_FROM_VALUE, .unit = SL_UNIT_MS,
            PATH(TEXT("a_time_with_a_long_name")) },
    [ISO] = { COLUMN("iso", SL_TIMESTAMP, iso, 6), .from = SL_FROM_VALUE, .unit = SL_UNIT_ISO,
              PATH(TEXT("iso")) },
    [I32] = { COLUMN("i32", SL_INT32, i32, 7), .from = SL_FROM_VALUE, PATH(TEXT("i32")) },
    [B] = { COLUMN("b", SL_BOOL, b, 8), .from = SL_FROM_VALUE, PATH(TEXT("b")) },
};
// clang-format on

/* A decoder with all it needs. */
typedef struct kit {
    sl_field fields[FIELD_COUNT]; /* a copy of FIELDS, to be changed before kit_open */
    sl_source source;
    decoder *decoder;
    arena bytes, strings;
    test_row row;
    bad_record bad;
    sl_record record;
} kit;

static const record_origin ORIGIN = { .now_ms = 1234, .topic = "topic", .partition = 7 };

static void kit_init(kit *k) {
    memset(k, 0, sizeof *k);
    memcpy(k->fields, FIELDS, sizeof FIELDS);
    k->source = (sl_source){
        .name = TEXT("test"),
        .format = TEXT("json"),
        .fields = k->fields,
        .field_count = FIELD_COUNT,
        .row_size = sizeof(test_row),
        .null_words = 1,
    };
    arena_init(&k->bytes, 4096);
    arena_init(&k->strings, 4096);
    k->record.time_ms = -1;
}

static void kit_open(kit *k) {
    err *e = decoder_new(&k->source, &k->decoder);
    if (e) fail_msg("%s", e->message);
}

static void kit_done(kit *k) {
    decoder_free(k->decoder);
    arena_done(&k->bytes);
    arena_done(&k->strings);
}

/* Decode `text`, which gets bytes behind it that would continue a number or a string. */
static bool kit_decode_bytes(kit *k, const char *text, size_t len) {
    char *copy = arena_take(&k->bytes, len + ARENA_PADDING, 1);
    memcpy(copy, text, len);
    memset(copy + len, '7', ARENA_PADDING);
    char *before = mem_copy_text(text, len);
    k->record.value = (sl_string){ .data = copy, .len = (uint32_t)len };
    memset(&k->row, 0x5a, sizeof k->row);
    memset(&k->bad, 0, sizeof k->bad);
    bool is_good = decoder_decode(k->decoder, &k->record, &ORIGIN, &k->row.head, &k->strings,
                                  &k->bad);
    assert_memory_equal(copy, before, len); /* raw bytes are the quarantine's */
    assert_true(is_good || k->bad.reason[0]);
    mem_free(before);
    if (len > 4096) arena_reset(&k->bytes, 4096);
    return is_good;
}

static bool kit_decode(kit *k, const char *text) { return kit_decode_bytes(k, text, strlen(text)); }

static bool is_null(const kit *k, int field) { return k->row.head.nulls[0] >> field & 1; }
