/* Record batches and answers as leaders send them, and damaged ones, which nothing is taken of. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <lz4frame.h>
#include <snappy-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "runtime/base/buf.h"
#include "runtime/base/mem.h"
#include "runtime/connect/batch_writer.h"
#include "runtime/connect/crc32c.h"
#include "runtime/connect/fetch_answer.h"

enum { TRANSACTIONAL = 16,
       CONTROL = 32,
       APPEND_TIME = 8,
       MOST = 1 << 20 };

/* -- making what a leader sends */

static void put(buf *out, int64_t number, int bytes) {
    for (int i = bytes - 1; i >= 0; i--) buf_put_char(out, (char)((uint64_t)number >> (8 * i)));
}

static void put_varint(buf *out, int64_t number) {
    uint64_t left = ((uint64_t)number << 1) ^ (uint64_t)(number >> 63);
    for (; left > 127; left >>= 7) buf_put_char(out, (char)(left | 128));
    buf_put_char(out, (char)left);
}

static void put_text(buf *out, const char *text) {
    put_varint(out, text ? (int64_t)strlen(text) : -1);
    if (text) buf_put_text(out, text);
}

/* A record with one header if `header` is not NULL. */
static void put_record(buf *out, int64_t offset, int64_t later_ms, const char *key,
                       const char *value, const char *header) {
    buf body;
    buf_init(&body);
    put(&body, 0, 1);
    put_varint(&body, later_ms);
    put_varint(&body, offset);
    put_text(&body, key);
    put_text(&body, value);
    put_varint(&body, header ? 1 : 0);
    if (header) put_text(&body, "name");
    if (header) put_text(&body, *header ? header : NULL);
    put_varint(out, (int64_t)body.len);
    buf_put(out, body.data, body.len);
    buf_done(&body);
}

typedef struct batch {
    int64_t base;
    int32_t last, count; /* last offset - base */
    int16_t attributes;
    int64_t producer;
    int64_t base_ms, highest_ms;
} batch;

static void set(buf *out, size_t at, int64_t number, int bytes) {
    for (int i = 0; i < bytes; i++)
        out->data[at + (size_t)i] = (char)((uint64_t)number >> (8 * (bytes - 1 - i)));
}

static void put_batch(buf *out, const batch *b, const buf *records) {
    size_t from = out->len;
    put(out, b->base, 8);
    put(out, 49 + (int64_t)records->len, 4);
    put(out, 7, 4);
    put(out, 2, 1);
    put(out, 0, 4);
    put(out, b->attributes, 2);
    put(out, b->last, 4);
    put(out, b->base_ms, 8);
    put(out, b->highest_ms, 8);
    put(out, b->producer, 8);
    put(out, 0, 6);
    put(out, b->count, 4);
    buf_put(out, records->data, records->len);
    set(out, from + 17, crc32c(out->data + from + 21, out->len - from - 21), 4);
}

/* A batch of values "0", "1", …, one an offset. */
static void put_numbers(buf *out, int64_t base, int32_t count, int64_t producer,
                        int16_t attributes) {
    buf records;
    buf_init(&records);
    for (int32_t i = 0; i < count; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", (int)i);
        put_record(&records, i, i, NULL, text, NULL);
    }
    batch b = { .base = base,
                .last = count - 1,
                .count = count,
                .attributes = attributes,
                .producer = producer,
                .base_ms = 1000,
                .highest_ms = 2000 };
    put_batch(out, &b, &records);
    buf_done(&records);
}

static void put_marker(buf *out, int64_t base, int64_t producer, bool is_commit) {
    buf records;
    buf_init(&records);
    put_varint(&records, 12);
    put(&records, 0, 1);
    put_varint(&records, 0);
    put_varint(&records, 0);
    put_varint(&records, 4);
    put(&records, 0, 2);
    put(&records, is_commit, 2);
    put_varint(&records, -1);
    put_varint(&records, 0);
    records.data[0] = (char)(2 * (records.len - 1));
    batch b = { .base = base,
                .count = 1,
                .attributes = TRANSACTIONAL | CONTROL,
                .producer = producer };
    put_batch(out, &b, &records);
    buf_done(&records);
}

/* -- taking it apart */

typedef struct world {
    buf sent;
    unpack_tools *tools;
    arena memory;
    fetch_chain chain;
    sl_record records[4096];
    uint32_t count;
    char aborted[256];
    int32_t aborted_count;
} world;

static int set_up(void **state) {
    world *w = mem_zalloc(1, sizeof *w);
    buf_init(&w->sent);
    w->tools = unpack_tools_new();
    arena_init(&w->memory, 4096);
    *state = w;
    return 0;
}

static void forget(world *w) {
    fetch_chain_free(&w->chain);
    buf_reset(&w->sent);
    w->count = 0;
}

static int tear_down(void **state) {
    world *w = *state;
    fetch_chain_free(&w->chain);
    buf_done(&w->sent);
    unpack_tools_free(w->tools);
    arena_done(&w->memory);
    mem_free(w);
    return 0;
}

static wire_partition answer_of(const world *w) {
    return (wire_partition){ .records = w->sent.data,
                             .records_len = (int32_t)w->sent.len,
                             .aborted = w->aborted,
                             .aborted_count = w->aborted_count };
}

static bool is_same_text(const sl_string *a, const sl_string *b) {
    return a->data == b->data && a->len == b->len;
}

/* What marks say is what a walk finds. */
static void check_marks(const record_block *block, arena *memory) {
    static sl_record marked[4096];
    record_block walked = *block;
    record_block_expand(block, 5, marked);
    for (const sl_record *m = marked; walked.count; m++) {
        sl_record r;
        assert_null(record_block_read(&walked, memory, &r));
        assert_true(is_same_text(&m->key, &r.key) && is_same_text(&m->value, &r.value));
        assert_true(m->offset == r.offset && m->time_ms == r.time_ms);
        assert_true(m->time_kind == r.time_kind && m->partition == 5 && !m->header_count);
    }
}

static err *walk(world *w) {
    w->count = 0;
    for (record_block *b = w->chain.first; b && b->marks; b = b->next) check_marks(b, &w->memory);
    for (record_block *b = w->chain.first; b; b = b->next)
        while (b->count) {
            err *e = record_block_read(b, &w->memory, &w->records[w->count]);
            if (e) return e;
            w->count++;
        }
    return NULL;
}

/* Unpack and walk what was sent, as asked for from `offset`. */
static err *take(world *w, int64_t offset, bool is_committed) {
    wire_partition answer = answer_of(w);
    fetch_wanted wanted = { offset, is_committed, MOST, INT64_MAX, w->tools };
    bool is_cut;
    fetch_chain_free(&w->chain);
    err *e = fetch_unpack(&answer, &wanted, &w->chain, &is_cut);
    err *worse = walk(w);
    return err_join(e, worse);
}

static void ok(err *e) {
    if (e) print_error("%s\n", e->message);
    assert_null(e);
}

static void fails(err *e, const char *part) {
    assert_non_null(e);
    if (!strstr(e->message, part)) print_error("%s\n", e->message);
    assert_non_null(strstr(e->message, part));
    assert_int_equal(e->code, ERR_BROKER);
    err_free(e);
}

static void abort_of(world *w, int64_t producer, int64_t first) {
    buf pair;
    buf_init(&pair);
    put(&pair, producer, 8);
    put(&pair, first, 8);
    memcpy(w->aborted + 16 * w->aborted_count++, pair.data, pair.len);
    buf_done(&pair);
}

/* -- tests */

static void checksums_are_those_of_the_standard(void **state) {
    (void)state;
    static char bytes[8000];
    assert_int_equal(crc32c("123456789", 9), 0xe3069283);
    assert_int_equal(crc32c("", 0), 0);
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)(i * 37);
    for (size_t from = 0; from < 9; from++)
        for (size_t len = 0; len < 200; len++)
            assert_int_equal(crc32c(bytes + from, len), crc32c_by_table(bytes + from, len));
    for (size_t len = 1500; len < sizeof bytes; len += 7)
        assert_int_equal(crc32c(bytes, len), crc32c_by_table(bytes, len));
}

static void a_record_is_all_that_was_sent(void **state) {
    world *w = *state;
    buf records;
    buf_init(&records);
    put_record(&records, 0, 5, "k", "value", "late");
    put_record(&records, 3, -7, NULL, NULL, "");
    put_record(&records, 4, 0, "", "", NULL);
    batch b = { .base = 100,
                .last = 9,
                .count = 3,
                .producer = -1,
                .base_ms = 1000,
                .highest_ms = 9000 };
    put_batch(&w->sent, &b, &records);
    b.base = 110;
    b.attributes = APPEND_TIME;
    put_batch(&w->sent, &b, &records);
    buf_done(&records);
    ok(take(w, 100, true));
    const sl_record *r = w->records;
    assert_int_equal(w->count, 6);
    assert_int_equal(r[0].offset, 100);
    assert_int_equal(r[0].time_ms, 1005);
    assert_int_equal(r[0].time_kind, 1);
    assert_memory_equal(r[0].key.data, "k", 1);
    assert_int_equal(r[0].value.len, 5);
    assert_memory_equal(r[0].value.data, "value", 5);
    assert_int_equal(r[0].header_count, 1);
    assert_memory_equal(r[0].headers[0].name.data, "name", 4);
    assert_memory_equal(r[0].headers[0].value.data, "late", 4);
    assert_int_equal(r[1].offset, 103); /* compaction took what lay between */
    assert_int_equal(r[1].time_ms, 993);
    assert_null(r[1].key.data);
    assert_null(r[1].value.data);
    assert_null(r[1].headers[0].value.data);
    assert_non_null(r[2].key.data);
    assert_non_null(r[2].value.data);
    assert_int_equal(r[2].key.len + r[2].value.len, 0);
    assert_int_equal(r[3].time_kind, 2);
    assert_int_equal(r[3].time_ms, 9000);
    assert_int_equal(w->chain.first->end, 110);
    assert_int_equal(w->chain.last->end, 120);
}

/* One batch of two records; the second is `later` and has a header or not. */
static const record_block *two_records(world *w, int64_t later, const char *header) {
    buf records;
    buf_init(&records);
    put_record(&records, 1, 5, NULL, "first", NULL);
    put_record(&records, 1 + later, 0, "", "second", header);
    batch b = { .base = 7, .last = 9, .count = 2, .producer = -1 };
    forget(w);
    put_batch(&w->sent, &b, &records);
    buf_done(&records);
    ok(take(w, 7, true));
    assert_int_equal(w->count, 2);
    return w->chain.first;
}

static void plain_records_in_order_are_marked(void **state) {
    world *w = *state;
    assert_non_null(two_records(w, 3, NULL)->marks);
    assert_int_equal(w->chain.first->marked_bytes, 11);
    assert_null(two_records(w, 3, "x")->marks);
    assert_null(two_records(w, 0, NULL)->marks);
}

static size_t pack(unpack_codec codec, const buf *in, char *out, size_t room) {
    if (codec == UNPACK_LZ4) return LZ4F_compressFrame(out, room, in->data, in->len, NULL);
    if (codec == UNPACK_ZSTD) return ZSTD_compress(out, room, in->data, in->len, 3);
    if (codec == UNPACK_SNAPPY) {
        snappy_compress(in->data, in->len, out, &room);
        return room;
    }
    z_stream z = { .next_in = (Bytef *)in->data, .avail_in = (uInt)in->len };
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)room;
    deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    deflate(&z, Z_FINISH);
    deflateEnd(&z);
    return room - z.avail_out;
}

/* Many records, so that they go beyond what is first made room for. */
static void put_packed(world *w, unpack_codec codec, size_t cut) {
    static char text[500];
    buf records, packed;
    buf_init(&records);
    buf_init(&packed);
    memset(text, 'x', sizeof text - 1);
    for (int i = 0; i < 2000; i++) put_record(&records, i, 0, "key", text, NULL);
    size_t room = 2 * records.len;
    packed.len = pack(codec, &records, buf_need(&packed, room), room) - cut;
    batch b = { .last = 1999, .count = 2000, .attributes = (int16_t)codec };
    put_batch(&w->sent, &b, &packed);
    buf_done(&records);
    buf_done(&packed);
}

static void every_codec_is_unpacked_and_a_cut_one_is_told(void **state) {
    world *w = *state;
    for (unpack_codec codec = UNPACK_GZIP; codec < UNPACK_CODECS; codec++) {
        forget(w);
        put_packed(w, codec, 0);
        ok(take(w, 0, true));
        assert_int_equal(w->count, 2000);
        assert_int_equal(w->records[1999].offset, 1999);
        assert_memory_equal(w->records[1999].value.data, "xxx", 3);
        forget(w);
        put_packed(w, codec, 9);
        fails(take(w, 0, true), unpack_codec_name(codec));
        assert_int_equal(w->count, 0);
    }
}

/* A batch of 100 records, packed in parts of 300 bytes behind `head`, each behind its length if
 * `tells_lengths`, is read whole. */
static void check_parts(world *w, unpack_codec codec, const char *head, size_t head_len,
                        bool tells_lengths) {
    buf records, packed;
    buf_init(&records);
    buf_init(&packed);
    for (int i = 0; i < 100; i++) put_record(&records, i, 0, NULL, "value", NULL);
    buf_put(&packed, head, head_len);
    for (size_t at = 0; at < records.len; at += 300) {
        buf part = { .data = records.data + at };
        part.len = records.len - at < 300 ? records.len - at : 300;
        char out[1000];
        size_t len = pack(codec, &part, out, sizeof out);
        if (tells_lengths) put(&packed, (int64_t)len, 4);
        buf_put(&packed, out, len);
    }
    batch b = { .last = 99, .count = 100, .attributes = codec };
    put_batch(&w->sent, &b, &packed);
    ok(take(w, 0, true));
    assert_int_equal(w->count, 100);
    buf_done(&records);
    buf_done(&packed);
}

/* As Java's client reads them; of one, records would be missing. */
static void gzip_of_several_members_is_unpacked(void **state) {
    check_parts(*state, UNPACK_GZIP, "", 0, false);
}

static void snappy_in_java_s_frames_is_unpacked(void **state) {
    static const char head[16] = "\x82SNAPPY\0\0\0\0\1\0\0\0\1";
    check_parts(*state, UNPACK_SNAPPY, head, sizeof head, true);
}

static void what_unpacks_to_too_much_is_refused(void **state) {
    world *w = *state;
    for (unpack_codec codec = UNPACK_GZIP; codec < UNPACK_CODECS; codec++) {
        forget(w);
        put_packed(w, codec, 0);
        wire_partition answer = answer_of(w);
        fetch_wanted wanted = { 0, true, 900 * 1000, INT64_MAX, w->tools };
        bool is_cut;
        fails(fetch_unpack(&answer, &wanted, &w->chain, &is_cut), "more than 900000 bytes");
    }
}

static void no_more_is_unpacked_than_there_is_room_for(void **state) {
    world *w = *state;
    bool is_cut;
    for (int i = 0; i < 4; i++) put_numbers(&w->sent, 10 * i, 10, -1, 0);
    wire_partition answer = answer_of(w);
    fetch_wanted wanted = { 0, true, MOST, 1, w->tools };
    ok(fetch_unpack(&answer, &wanted, &w->chain, &is_cut));
    assert_true(is_cut);
    assert_int_equal(w->chain.last->end, 10); /* one at least: else nothing would move */
    wanted.room = w->chain.bytes + 1;
    fetch_chain_free(&w->chain);
    ok(fetch_unpack(&answer, &wanted, &w->chain, &is_cut));
    assert_true(is_cut);
    assert_int_equal(w->chain.last->end, 20);
}

static void aborted_transactions_leave_nothing(void **state) {
    world *w = *state;
    put_numbers(&w->sent, 0, 2, 7, TRANSACTIONAL); /* aborted at 4 */
    put_numbers(&w->sent, 2, 1, 8, TRANSACTIONAL); /* committed at 6 */
    put_numbers(&w->sent, 3, 1, 7, TRANSACTIONAL);
    put_marker(&w->sent, 4, 7, false);
    put_numbers(&w->sent, 5, 1, 7, TRANSACTIONAL); /* the same producer, committed at 8 */
    put_marker(&w->sent, 6, 8, true);
    put_numbers(&w->sent, 7, 1, -1, 0); /* no transaction */
    put_marker(&w->sent, 8, 7, true);
    put_numbers(&w->sent, 9, 1, 8, TRANSACTIONAL); /* aborted at 10 */
    put_marker(&w->sent, 10, 8, false);
    abort_of(w, 8, 9);
    abort_of(w, 7, 0);
    ok(take(w, 0, true));
    assert_int_equal(w->count, 3);
    assert_int_equal(w->records[0].offset, 2);
    assert_int_equal(w->records[1].offset, 5);
    assert_int_equal(w->records[2].offset, 7);
    assert_int_equal(w->chain.last->end, 11); /* read behind the marker */
    ok(take(w, 3, true));
    assert_int_equal(w->count, 2);
    ok(take(w, 0, false));
    assert_int_equal(w->count, 7);
}

/* The marker of the first went by compaction: the second's ends both, as in Java's client. */
static void an_abort_marker_ends_all_that_its_producer_has_aborted(void **state) {
    world *w = *state;
    put_numbers(&w->sent, 0, 1, 7, TRANSACTIONAL);
    put_numbers(&w->sent, 5, 1, 7, TRANSACTIONAL);
    put_marker(&w->sent, 6, 7, false);
    put_numbers(&w->sent, 7, 1, 7, TRANSACTIONAL); /* committed at 8 */
    put_marker(&w->sent, 8, 7, true);
    abort_of(w, 7, 0);
    abort_of(w, 7, 5);
    ok(take(w, 0, true));
    assert_int_equal(w->count, 1);
    assert_int_equal(w->records[0].offset, 7);
}

static void a_batch_may_begin_below_the_offset(void **state) {
    world *w = *state;
    put_numbers(&w->sent, 0, 10, -1, 0);
    put_numbers(&w->sent, 10, 10, -1, 0);
    put_numbers(&w->sent, 40, 10, -1, 0);
    wire_partition answer = answer_of(w);
    assert_int_equal(fetch_skim(&answer, 15), 50);
    ok(take(w, 15, true));
    assert_int_equal(w->count, 20); /* whole batches: who takes them passes over what lies below */
    assert_int_equal(w->chain.first->base, 10);
    w->sent.len -= 3; /* a leader cuts the last one as the size demands */
    answer = answer_of(w);
    assert_int_equal(fetch_skim(&answer, 15), 20);
    ok(take(w, 15, true));
    assert_int_equal(w->count, 10);
}

static void what_is_damaged_is_told_and_not_taken(void **state) {
    world *w = *state;
    put_numbers(&w->sent, 0, 1, -1, 0);
    size_t second = w->sent.len;
    put_numbers(&w->sent, 1, 9, -1, 0);
    for (size_t at = second + 21; at < w->sent.len; at++) {
        w->sent.data[at] ^= 4;
        fails(take(w, 0, true), "its checksum is not right");
        assert_int_equal(w->count, 1);
        w->sent.data[at] ^= 4;
    }
    w->sent.data[second + 16] = 1;
    fails(take(w, 0, true), "format 1");
    w->sent.data[second + 16] = 3;
    fails(take(w, 0, true), "length and format");
    w->sent.data[second + 16] = 2;
    set(&w->sent, second, 0, 8);
    fails(take(w, 0, true), "comes behind offset 0");
}

/* The checksum is right, and the batch is not. */
static void a_batch_that_contradicts_itself_is_refused(void **state) {
    world *w = *state;
    buf records;
    buf_init(&records);
    put_record(&records, 0, 0, "key", "value", "header");
    batch good = { .last = 4, .count = 1 }, b = good;
    b.count = 2;
    put_batch(&w->sent, &b, &records);
    fails(take(w, 0, true), "does not fit in");
    forget(w);
    b.count = 6;
    put_batch(&w->sent, &b, &records);
    fails(take(w, 0, true), "number of records");
    forget(w);
    b = good;
    b.attributes = 5;
    put_batch(&w->sent, &b, &records);
    fails(take(w, 0, true), "codec");
    forget(w);
    b = good;
    b.last = -1;
    put_batch(&w->sent, &b, &records);
    fails(take(w, 0, true), "offsets");
    for (size_t at = 0; at < records.len; at++) { /* any length may lie: nothing is read beyond */
        buf bad;
        buf_init(&bad);
        buf_put(&bad, records.data, records.len);
        bad.data[at] = (char)0xff;
        forget(w);
        put_batch(&w->sent, &good, &bad);
        err_free(take(w, 0, true));
        buf_done(&bad);
    }
    buf_done(&records);
}

static void an_answer_is_read_to_its_end_or_not_at_all(void **state) {
    world *w = *state;
    buf *a = &w->sent;
    put(a, 0, 4);
    put(a, 0, 2);
    put(a, 0, 4);
    put(a, 1, 4); /* topics */
    put(a, 2, 2);
    buf_put_text(a, "in");
    put(a, 2, 4); /* partitions */
    for (int number = 0; number < 2; number++) {
        put(a, number, 4);
        put(a, number ? 1 : 0, 2);
        put(a, 100, 8);
        put(a, 90, 8);
        put(a, 0, 8);
        put(a, number ? -1 : 1, 4); /* aborted */
        if (!number) put(a, 7, 8);
        if (!number) put(a, 80, 8);
        put(a, -1, 4);
        put(a, number ? 0 : 3, 4);
        if (!number) buf_put_text(a, "abc");
    }
    wire_partition p;
    wire_fetch_reader r = wire_fetch_open(a->data, a->len);
    assert_true(wire_fetch_next(&r, &p));
    assert_memory_equal(p.topic, "in", 2);
    assert_int_equal(p.high, 100);
    assert_int_equal(p.stable, 90);
    assert_int_equal(p.aborted_count, 1);
    assert_int_equal(wire_aborted_at(&p, 0).producer, 7);
    assert_int_equal(wire_aborted_at(&p, 0).first, 80);
    assert_int_equal(p.records_len, 3);
    assert_true(wire_fetch_next(&r, &p));
    assert_int_equal(p.number, 1);
    assert_int_equal(p.code, 1);
    assert_int_equal(p.records_len, 0);
    assert_false(wire_fetch_next(&r, &p));
    assert_false(r.list.in.is_short);
    for (size_t len = 0; len < a->len; len++) {
        char *copy = mem_alloc(len ? len : 1);
        memcpy(copy, a->data, len);
        r = wire_fetch_open(copy, len);
        while (wire_fetch_next(&r, &p)) continue;
        assert_true(r.list.in.is_short);
        mem_free(copy);
    }
}

/* -- what we write */

static sl_string text_of(const char *text) {
    return (sl_string){ .data = text, .len = text ? (uint32_t)strlen(text) : 0 };
}

static void same_text(const sl_string *got, const sl_string *wanted) {
    assert_int_equal(!got->data, !wanted->data);
    assert_int_equal(got->len, wanted->len);
    if (wanted->len) assert_memory_equal(got->data, wanted->data, wanted->len);
}

/* Messages of all shapes: nulls, empty texts, headers, times that go back, long numbers. */
static uint32_t make_messages(sl_message *messages, char (*texts)[400], uint32_t count) {
    static const sl_header headers[] = { { { .data = "why", .len = 3 }, { .data = "x", .len = 1 } },
                                         { { .data = "", .len = 0 }, { .data = NULL } } };
    for (uint32_t i = 0; i < count; i++) {
        uint32_t len = i % 397;
        memset(texts[i], 'a' + (int)(i % 26), len);
        messages[i] = (sl_message){
            .key = i % 3 ? (sl_string){ .data = texts[i], .len = len % 70 } : text_of(NULL),
            .value = i % 5 ? (sl_string){ .data = texts[i], .len = len } : text_of(NULL),
            .headers = headers,
            .header_count = i % 4 ? 0 : 2,
            .time_ms = 1700000000000 + (i % 2 ? -(int64_t)i * 1000 : (int64_t)i * 100000),
        };
    }
    return count;
}

static void what_is_written_is_read_by_every_codec(void **state) {
    enum { COUNT = 3000 };
    (void)state;
    static char texts[COUNT][400];
    static sl_message messages[COUNT];
    make_messages(messages, texts, COUNT);
    for (int codec = UNPACK_NONE; codec < UNPACK_CODECS; codec++) {
        batch_writer w;
        buf out;
        arena memory;
        batch_header h;
        err *e;
        record_block *block;
        pack_tools *tools = pack_tools_new((unpack_codec)codec, -1);
        unpack_tools *back = unpack_tools_new();
        batch_writer_init(&w);
        buf_init(&out);
        arena_init(&memory, 1 << 12);
        for (uint32_t i = 0; i < COUNT; i++) batch_writer_put(&w, &messages[i]);
        assert_null(batch_writer_seal(&w, tools, (unpack_codec)codec, &out));
        batch_stamp(out.data, out.len, &(batch_producer){ .id = 1, .epoch = 0, .sequence = 0 });
        /* sent again, as it is after a renewal */
        batch_stamp(out.data, out.len,
                    &(batch_producer){
                        .id = 77, .epoch = 3, .sequence = 12345, .is_transactional = true });
        const char *at = out.data;
        assert_true(batch_read(&at, out.data + out.len, &h, &e));
        assert_ptr_equal(at, out.data + out.len);
        assert_int_equal(h.count, COUNT);
        assert_int_equal(h.end, COUNT);
        assert_int_equal(h.producer, 77);
        assert_int_equal(h.codec, codec);
        assert_true(h.is_transactional);
        assert_false(h.is_control);
        assert_null(batch_unpack(&h, back, 16 * MOST, &block));
        for (uint32_t i = 0; i < COUNT; i++) {
            sl_record r;
            assert_null(record_block_read(block, &memory, &r));
            assert_int_equal(r.offset, i);
            assert_int_equal(r.time_ms, messages[i].time_ms);
            same_text(&r.key, &messages[i].key);
            same_text(&r.value, &messages[i].value);
            assert_int_equal(r.header_count, messages[i].header_count);
            for (uint32_t n = 0; n < r.header_count; n++) {
                same_text(&r.headers[n].name, &messages[i].headers[n].name);
                same_text(&r.headers[n].value, &messages[i].headers[n].value);
            }
        }
        record_block_free(block);
        arena_done(&memory);
        batch_writer_done(&w);
        buf_done(&out);
        pack_tools_free(tools);
        unpack_tools_free(back);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksums_are_those_of_the_standard),
        cmocka_unit_test(what_is_written_is_read_by_every_codec),
        cmocka_unit_test_setup_teardown(a_record_is_all_that_was_sent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(plain_records_in_order_are_marked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_codec_is_unpacked_and_a_cut_one_is_told, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(gzip_of_several_members_is_unpacked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(snappy_in_java_s_frames_is_unpacked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_unpacks_to_too_much_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_more_is_unpacked_than_there_is_room_for, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(aborted_transactions_leave_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_abort_marker_ends_all_that_its_producer_has_aborted,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_batch_may_begin_below_the_offset, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_damaged_is_told_and_not_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_batch_that_contradicts_itself_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_answer_is_read_to_its_end_or_not_at_all, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
