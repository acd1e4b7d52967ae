#include "runtime/connect/record_batch.h"

#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/connect/crc32c.h"
#include "runtime/connect/fetch_wire.h"

enum {
    LENGTH_FROM = 12, /* what batch length counts from */
    CRC_FROM = 21,
    FORMAT = 2,
    LEAST_RECORD = 7, /* bytes: seven numbers of one byte */
    CODEC_BITS = 7,
    APPEND_TIME = 8,
    TRANSACTIONAL = 16,
    CONTROL = 32,
};

static err *damaged(const char *what) {
    return err_new(ERR_BROKER, "the record batch is damaged: %s", what);
}

static const char ODD_LENGTHS[] = "lengths within a record make no sense";

static err *old_format(int format) {
    return err_new(ERR_BROKER,
                   "the records are of format %d, from before Kafka 0.11, which only librdkafka's "
                   "consumer reads (write fetch = \"librdkafka\")",
                   format);
}

static err *check_header(const batch_header *h, wire_reader *r, int32_t last, int32_t count) {
    if (r->is_short) return damaged("it ends within its header");
    if (h->codec >= UNPACK_CODECS) return damaged("its codec is unknown");
    if (last < 0 || h->base < 0 || h->end <= h->base) return damaged("its offsets make no sense");
    if (count < 0 || count > last + 1ll) return damaged("its number of records makes no sense");
    return NULL;
}

bool batch_read(const char **at, const char *end, batch_header *h, err **e) {
    *e = NULL;
    wire_reader r = { .at = *at, .end = end };
    h->base = wire_int64(&r);
    int32_t len = wire_int32(&r);
    wire_int32(&r); /* leader epoch */
    int8_t format = wire_int8(&r);
    if (r.is_short) return false;
    const char *stop = *at + LENGTH_FROM + (len > 0 ? len : 0);
    if (format >= 0 && format < FORMAT) *e = old_format(format);
    if (!*e && (format != FORMAT || len < BATCH_HEADER - LENGTH_FROM))
        *e = damaged("its length and format make no sense");
    if (*e || len > end - *at - LENGTH_FROM) return false;
    uint32_t crc = (uint32_t)wire_int32(&r);
    if (crc != crc32c(r.at, (size_t)(stop - r.at))) *e = damaged("its checksum is not right");
    if (*e) return false;
    int16_t attributes = wire_int16(&r);
    int32_t last = wire_int32(&r);
    int64_t base_ms = wire_int64(&r), highest_ms = wire_int64(&r);
    h->producer = wire_int64(&r);
    wire_int16(&r); /* its epoch */
    wire_int32(&r); /* its sequence */
    int32_t count = wire_int32(&r);
    bool is_append_time = attributes & APPEND_TIME;
    h->end = h->base < 0 || h->base > BATCH_MOST_BASE ? -1 : h->base + last + 1;
    h->base_ms = is_append_time ? highest_ms : base_ms;
    h->time_kind = is_append_time ? 2 : 1;
    h->count = (uint32_t)count;
    h->codec = (unpack_codec)(attributes & CODEC_BITS);
    h->is_transactional = attributes & TRANSACTIONAL;
    h->is_control = attributes & CONTROL;
    h->packed = r.at;
    h->packed_len = (size_t)(stop - r.at);
    *e = check_header(h, &r, last, count);
    *at = stop;
    return !*e;
}

record_block *record_block_empty(int64_t base, int64_t end) {
    record_block *b = mem_zalloc(1, sizeof *b);
    b->base = base;
    b->end = end;
    return b;
}

void record_block_free(record_block *b) {
    if (!b) return;
    mem_free(b->bytes);
    mem_free(b);
}

int64_t record_block_cost(const record_block *b) {
    return (b->stop - b->at) + (int64_t)b->count * (int64_t)sizeof(sl_record);
}

/* -- records */

static __attribute__((noinline)) uint64_t read_long_varint(const uint8_t **byte) {
    uint64_t value = 0;
    int shift = 0;
    do {
        value |= (uint64_t)(**byte & 127) << shift;
        shift += 7;
    } while (*(*byte)++ & 128 && shift < 64);
    return value;
}

/* Read a zigzag varint: up to 10 bytes, which are readable behind any end within a block. Whoever
 * calls compares `*at` with the end afterwards. */
static inline int64_t read_varint(const char **at) {
    const uint8_t *byte = (const uint8_t *)*at;
    uint64_t value;
    if (byte[0] < 128)
        value = *byte++;
    else if (byte[1] < 128) {
        value = (byte[0] & 127u) | (uint64_t)byte[1] << 7;
        byte += 2;
    } else
        value = read_long_varint(&byte);
    *at = (const char *)byte;
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

/* A length and so many bytes, up to `end`; -1: none. False: they do not fit. */
static inline bool read_bytes(const char **at, const char *end, sl_string *s) {
    int64_t len = read_varint(at);
    if (len < 0) {
        *s = (sl_string){ 0 };
        return *at <= end;
    }
    if (*at > end || len > end - *at) return false;
    *s = (sl_string){ .data = *at, .len = (uint32_t)len };
    *at += len;
    return true;
}

static bool read_headers(const char **at, const char *end, arena *memory, sl_record *r) {
    int64_t count = read_varint(at);
    if (count < 0 || *at > end || count > (end - *at) / 2) return false;
    if (!count) return true;
    sl_header *items = arena_take(memory, (size_t)count * sizeof *items, 8);
    for (int64_t i = 0; i < count; i++) {
        items[i] = (sl_header){ 0 };
        if (!read_bytes(at, end, &items[i].name) || !items[i].name.data) return false;
        if (!read_bytes(at, end, &items[i].value)) return false;
    }
    r->headers = items;
    r->header_count = (uint32_t)count;
    return true;
}

static inline int64_t add_wrapping(int64_t a, int64_t b) {
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

/* What stands in a record, up to its headers. */
typedef struct record_parts {
    int64_t offset, time_ms;
    sl_string key, value;
    const char *headers, *end;
} record_parts;

/* Read the record at `at`. NULL, or what is wrong. */
static inline const char *read_parts(const record_block *b, const char *at, record_parts *p) {
    int64_t len = read_varint(&at);
    if (at > b->stop || len < 0 || len > b->stop - at) return "a record does not fit in";
    p->end = at + len;
    at++; /* attributes: none are defined */
    int64_t later_ms = read_varint(&at), offset = read_varint(&at);
    if (at > p->end || offset < 0 || offset >= b->end - b->base)
        return "the offset of a record makes no sense";
    p->offset = b->base + offset;
    p->time_ms = b->time_kind == 1 ? add_wrapping(b->base_ms, later_ms) : b->base_ms;
    if (!read_bytes(&at, p->end, &p->key) || !read_bytes(&at, p->end, &p->value))
        return ODD_LENGTHS;
    p->headers = at;
    return NULL;
}

err *record_block_read(record_block *b, arena *memory, sl_record *r) {
    record_parts p;
    const char *wrong = read_parts(b, b->at, &p);
    if (wrong) return damaged(wrong);
    *r = (sl_record){ .offset = p.offset,
                      .time_ms = p.time_ms,
                      .time_kind = b->time_kind,
                      .key = p.key,
                      .value = p.value };
    if (!read_headers(&p.headers, p.end, memory, r) || p.headers != p.end)
        return damaged(ODD_LENGTHS);
    b->at = p.end;
    b->count--;
    return NULL;
}

/* -- records without a walk */

static inline uint32_t place_of(const char *from, const sl_string *s) {
    return s->data ? (uint32_t)(s->data - from) : MARK_NULL;
}

/* Find where all records lie. What is damaged, out of order or has headers gets no marks: whoever
 * walks it tells. */
static void mark_records(record_block *b) {
    enum { AHEAD = 4 };            /* records, if they are about alike */
    const record_block block = *b; /* kept at hand while marks are written */
    const char *at = block.at;
    int64_t next = block.base, bytes = 0;
    if (b->size >= MARK_NULL) return;
    record_mark *marks = (record_mark *)arena_chunk_data(b->bytes);
    for (uint32_t i = 0; i < block.count; i++) {
        record_parts p;
        if (read_parts(&block, at, &p) || p.offset < next) return;
        if (p.end - p.headers != 1 || *p.headers) return;
        marks[i] = (record_mark){ .time_ms = p.time_ms,
                                  .key = place_of(block.at, &p.key),
                                  .key_len = p.key.len,
                                  .value = place_of(block.at, &p.value),
                                  .value_len = p.value.len,
                                  .offset = (uint32_t)(p.offset - block.base) };
        next = p.offset + 1;
        bytes += (int64_t)p.key.len + p.value.len;
        __builtin_prefetch(p.end + AHEAD * (p.end - at)); /* each begins where the last one says */
        at = p.end;
    }
    b->marks = marks;
    b->marked_bytes = bytes;
}

err *batch_unpack(const batch_header *h, unpack_tools *tools, size_t most, record_block **block) {
    arena_chunk *bytes;
    size_t len, marks = h->count * sizeof(record_mark);
    if (marks > most) marks = 0; /* the number is not to be believed before it is unpacked */
    err *e = unpack_whole(tools, h->codec, h->packed, h->packed_len, marks, most, &bytes, &len);
    if (e) {
        e->code = ERR_BROKER;
        return err_wrap(e, "the record batch cannot be unpacked");
    }
    if (len / LEAST_RECORD < h->count) {
        mem_free(bytes);
        return damaged("it is too short for its records");
    }
    record_block *b = record_block_empty(h->base, h->end);
    b->bytes = bytes;
    b->at = arena_chunk_data(bytes) + marks;
    b->stop = b->at + len;
    b->size = (int64_t)(marks + len);
    b->base_ms = h->base_ms;
    b->count = h->count;
    b->time_kind = h->time_kind;
    if (marks) mark_records(b);
    *block = b;
    return NULL;
}

static inline sl_string marked(const char *from, uint32_t place, uint32_t len) {
    return (sl_string){ .data = place == MARK_NULL ? NULL : from + place, .len = len };
}

void record_block_expand(const record_block *b, uint32_t partition, sl_record *to) {
    for (uint32_t i = 0; i < b->count; i++) {
        const record_mark *m = &b->marks[i];
        to[i] = (sl_record){
            .offset = b->base + m->offset,
            .time_ms = m->time_ms,
            .time_kind = b->time_kind,
            .key = marked(b->at, m->key, m->key_len),
            .value = marked(b->at, m->value, m->value_len),
            .partition = partition,
        };
    }
}

bool batch_is_abort(const batch_header *h) {
    enum { VERSION_AND_KIND = 4,
           ABORT = 0 };
    char copy[256] = { 0 }; /* the marker's one record, with room to read on */
    size_t len = h->packed_len < sizeof copy - ARENA_PADDING ? h->packed_len
                                                             : sizeof copy - ARENA_PADDING;
    memcpy(copy, h->packed, len);
    record_block b = { .at = copy, .stop = copy + len, .base = h->base, .end = h->end, .count = 1 };
    sl_record r;
    arena none;
    arena_init(&none, 0);
    err *e = record_block_read(&b, &none, &r);
    bool is_abort = !e && r.key.len >= VERSION_AND_KIND && r.key.data[2] == 0 &&
                    r.key.data[3] == ABORT;
    err_free(e);
    arena_done(&none);
    return is_abort;
}
