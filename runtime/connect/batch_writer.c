#include "runtime/connect/batch_writer.h"

#include <string.h>

#include "runtime/connect/crc32c.h"
#include "runtime/connect/fetch_wire.h"
#include "runtime/connect/record_batch.h"

enum {
    LENGTH_AT = 8,
    LENGTH_FROM = 12, /* what it counts from */
    LEADER_AT = 12,
    FORMAT_AT = 16,
    CRC_AT = 17,
    ATTRIBUTES_AT = 21, /* what the checksum begins at */
    LAST_AT = 23,
    BASE_MS_AT = 27,
    HIGHEST_MS_AT = 35,
    PRODUCER_AT = 43,
    EPOCH_AT = 51,
    SEQUENCE_AT = 53,
    COUNT_AT = 57,
    FORMAT = 2,
    CODEC_BITS = 7,
    TRANSACTIONAL = 16,
    MOST_VARINT = 10,
    FIXED = 1 + 6 * MOST_VARINT, /* of a record beside its bytes: numbers and attributes */
};

void batch_writer_init(batch_writer *w) {
    *w = (batch_writer){ 0 };
    buf_init(&w->records);
}

void batch_writer_done(batch_writer *w) { buf_done(&w->records); }

void batch_writer_reset(batch_writer *w) {
    buf_reset(&w->records);
    w->count = 0;
}

/* -- records */

static inline uint64_t zigzag(int64_t number) {
    return (uint64_t)number << 1 ^ (uint64_t)(number >> 63);
}

static inline char *put_varint(char *at, int64_t number) {
    uint64_t left = zigzag(number);
    for (; left > 127; left >>= 7) *at++ = (char)(left | 128);
    *at++ = (char)left;
    return at;
}

static inline size_t varint_bytes(int64_t number) {
    uint64_t left = zigzag(number) | 1;
    return (size_t)(70 - __builtin_clzll(left)) / 7;
}

static inline char *put_bytes(char *at, const sl_string *s) {
    if (!s->data) return put_varint(at, -1);
    at = put_varint(at, s->len);
    memcpy(at, s->data, s->len);
    return at + s->len;
}

static inline size_t bytes_of(const sl_string *s) {
    return s->data ? varint_bytes(s->len) + s->len : 1;
}

size_t batch_record_bytes(const sl_message *m) {
    size_t bytes = FIXED + m->key.len + m->value.len;
    for (uint32_t i = 0; i < m->header_count; i++)
        bytes += 2 * MOST_VARINT + m->headers[i].name.len + m->headers[i].value.len;
    return bytes;
}

static size_t header_bytes(const sl_message *m) {
    size_t bytes = varint_bytes(m->header_count);
    for (uint32_t i = 0; i < m->header_count; i++) {
        const sl_header *h = &m->headers[i];
        bytes += varint_bytes(h->name.len) + h->name.len + bytes_of(&h->value);
    }
    return bytes;
}

static char *put_headers(char *at, const sl_message *m) {
    at = put_varint(at, m->header_count);
    for (uint32_t i = 0; i < m->header_count; i++) {
        const sl_header *h = &m->headers[i];
        at = put_varint(at, h->name.len);
        if (h->name.len) memcpy(at, h->name.data, h->name.len);
        at = put_bytes(at + h->name.len, &h->value);
    }
    return at;
}

void batch_writer_put(batch_writer *w, const sl_message *m) {
    if (!w->count) w->base_ms = w->highest_ms = m->time_ms;
    if (m->time_ms > w->highest_ms) w->highest_ms = m->time_ms;
    int64_t later_ms = m->time_ms - w->base_ms;
    size_t len = 1 + varint_bytes(later_ms) + varint_bytes(w->count) + bytes_of(&m->key) +
                 bytes_of(&m->value) + header_bytes(m);
    char *from = buf_need(&w->records, len + MOST_VARINT), *at = put_varint(from, (int64_t)len);
    *at++ = 0; /* attributes: none are defined */
    at = put_varint(at, later_ms);
    at = put_varint(at, w->count);
    at = put_bytes(at, &m->key);
    at = put_bytes(at, &m->value);
    at = put_headers(at, m);
    w->records.len += (size_t)(at - from);
    w->count++;
}

/* -- the batch */

err *batch_writer_seal(const batch_writer *w, pack_tools *tools, unpack_codec codec, buf *out) {
    size_t start = out->len;
    buf_need(out, BATCH_HEADER);
    out->len += BATCH_HEADER;
    err *e = pack_whole(tools, w->records.data, w->records.len, out);
    if (e) return e;
    char *head = out->data + start;
    memset(head, 0, BATCH_HEADER);
    wire_write_at(head + LENGTH_AT, out->len - start - LENGTH_FROM, 4);
    wire_write_at(head + LEADER_AT, UINT32_MAX, 4); /* the broker's to know */
    wire_write_at(head + FORMAT_AT, FORMAT, 1);
    wire_write_at(head + ATTRIBUTES_AT, (uint64_t)codec, 2);
    wire_write_at(head + LAST_AT, w->count - 1, 4);
    wire_write_at(head + BASE_MS_AT, (uint64_t)w->base_ms, 8);
    wire_write_at(head + HIGHEST_MS_AT, (uint64_t)w->highest_ms, 8);
    wire_write_at(head + COUNT_AT, w->count, 4);
    return NULL;
}

void batch_stamp(char *batch, size_t len, const batch_producer *producer) {
    int codec = batch[ATTRIBUTES_AT + 1] & CODEC_BITS;
    int attributes = codec | (producer->is_transactional ? TRANSACTIONAL : 0);
    wire_write_at(batch + ATTRIBUTES_AT, (uint64_t)attributes, 2);
    wire_write_at(batch + PRODUCER_AT, (uint64_t)producer->id, 8);
    wire_write_at(batch + EPOCH_AT, (uint64_t)producer->epoch, 2);
    wire_write_at(batch + SEQUENCE_AT, (uint64_t)producer->sequence, 4);
    wire_write_at(batch + CRC_AT, crc32c(batch + ATTRIBUTES_AT, len - ATTRIBUTES_AT), 4);
}
