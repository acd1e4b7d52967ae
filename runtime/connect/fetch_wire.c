#include "runtime/connect/fetch_wire.h"

#include <string.h>

enum { ABORTED_BYTES = 16 };

/* -- reading */

static uint64_t read_number(wire_reader *r, int bytes) {
    uint64_t number = 0;
    if (r->end - r->at < bytes) {
        r->is_short = true;
        r->at = r->end;
        return 0;
    }
    for (int i = 0; i < bytes; i++) number = number << 8 | (uint8_t)r->at[i];
    r->at += bytes;
    return number;
}

int8_t wire_int8(wire_reader *r) { return (int8_t)read_number(r, 1); }
int16_t wire_int16(wire_reader *r) { return (int16_t)read_number(r, 2); }
int32_t wire_int32(wire_reader *r) { return (int32_t)read_number(r, 4); }
int64_t wire_int64(wire_reader *r) { return (int64_t)read_number(r, 8); }

const char *wire_bytes(wire_reader *r, int64_t len) {
    if (len < 0 || len > r->end - r->at) {
        r->is_short = true;
        r->at = r->end;
        return NULL;
    }
    const char *bytes = r->at;
    r->at += len;
    return bytes;
}

/* -- writing */

void wire_write_at(char *to, uint64_t number, int bytes) {
    for (int i = bytes - 1; i >= 0; i--, number >>= 8) to[i] = (char)(number & 255);
}

static void put_number(buf *out, uint64_t number, int bytes) {
    wire_write_at(buf_need(out, (size_t)bytes), number, bytes);
    out->len += (size_t)bytes;
}

void wire_put_int8(buf *out, int8_t number) { put_number(out, (uint8_t)number, 1); }
void wire_put_int16(buf *out, int16_t number) { put_number(out, (uint16_t)number, 2); }
void wire_put_int32(buf *out, int32_t number) { put_number(out, (uint32_t)number, 4); }
void wire_put_int64(buf *out, int64_t number) { put_number(out, (uint64_t)number, 8); }

void wire_put_text(buf *out, const char *text) {
    size_t len = strlen(text);
    wire_put_int16(out, (int16_t)len);
    buf_put(out, text, len);
}

void wire_put_head(buf *out, int16_t api, int16_t version, int32_t id, const char *client) {
    buf_reset(out);
    wire_put_int32(out, 0); /* the length: wire_end_frame */
    wire_put_int16(out, api);
    wire_put_int16(out, version);
    wire_put_int32(out, id);
    wire_put_text(out, client);
}

void wire_end_frame(buf *out) { wire_write_at(out->data, out->len - 4, 4); }

void wire_put_api_versions(buf *out, int32_t id, const char *client) {
    wire_put_head(out, WIRE_API_VERSIONS, 0, id, client);
    wire_end_frame(out);
}

bool wire_has(wire_reader *r, int16_t wanted, int16_t version, int16_t *most) {
    *most = -1;
    if (wire_int16(r)) return false;
    int32_t count = wire_int32(r);
    for (int32_t i = 0; i < count && !r->is_short; i++) {
        int16_t api = wire_int16(r), least = wire_int16(r), highest = wire_int16(r);
        if (r->is_short || api != wanted) continue;
        *most = highest;
        return least <= version && highest >= version;
    }
    return false;
}

/* -- Fetch */

wire_fetch_writer wire_fetch_begin(buf *out, const wire_fetch *head) {
    enum { NO_REPLICA = -1,
           NO_SESSION = 0,
           NO_EPOCH = -1 };
    wire_put_head(out, WIRE_FETCH, WIRE_FETCH_VERSION, head->id, head->client);
    wire_put_int32(out, NO_REPLICA);
    wire_put_int32(out, head->wait_ms);
    wire_put_int32(out, head->min_bytes);
    wire_put_int32(out, head->max_bytes);
    put_number(out, head->is_committed, 1);
    wire_put_int32(out, NO_SESSION);
    wire_put_int32(out, NO_EPOCH);
    wire_fetch_writer w = { .out = out, .topics_at = out->len };
    wire_put_int32(out, 0); /* topics: wire_fetch_end */
    return w;
}

static void end_topic(wire_fetch_writer *w) {
    if (w->topics) wire_write_at(w->out->data + w->partitions_at, (uint32_t)w->partitions, 4);
}

void wire_fetch_topic(wire_fetch_writer *w, const char *topic) {
    end_topic(w);
    w->topics++;
    wire_put_text(w->out, topic);
    w->partitions_at = w->out->len;
    w->partitions = 0;
    wire_put_int32(w->out, 0);
}

void wire_fetch_partition(wire_fetch_writer *w, int32_t number, int64_t offset, int32_t max_bytes) {
    enum { ANY_EPOCH = -1,
           NO_LOG_START = -1 };
    w->partitions++;
    wire_put_int32(w->out, number);
    wire_put_int32(w->out, ANY_EPOCH);
    wire_put_int64(w->out, offset);
    wire_put_int64(w->out, NO_LOG_START);
    wire_put_int32(w->out, max_bytes);
}

void wire_fetch_end(wire_fetch_writer *w) {
    end_topic(w);
    wire_write_at(w->out->data + w->topics_at, (uint32_t)w->topics, 4);
    wire_put_int32(w->out, 0); /* topics that a session forgets */
    wire_put_text(w->out, ""); /* rack */
    wire_end_frame(w->out);
}

wire_topics wire_topics_open(wire_reader in) {
    wire_topics t = { .in = in };
    t.topics = wire_int32(&t.in);
    return t;
}

bool wire_topics_next(wire_topics *t) {
    while (t->partitions <= 0) {
        if (t->topics <= 0 || t->in.is_short) return false;
        t->topics--;
        t->topic_len = wire_int16(&t->in);
        t->topic = wire_bytes(&t->in, t->topic_len);
        t->partitions = wire_int32(&t->in);
    }
    t->partitions--;
    return !t->in.is_short;
}

wire_fetch_reader wire_fetch_open(const char *answer, size_t len) {
    wire_reader in = { .at = answer, .end = answer + len };
    wire_fetch_reader r = { .throttle_ms = wire_int32(&in) };
    r.code = wire_int16(&in);
    wire_int32(&in); /* session */
    r.list = wire_topics_open(in);
    return r;
}

bool wire_fetch_next(wire_fetch_reader *r, wire_partition *p) {
    wire_reader *in = &r->list.in;
    if (!wire_topics_next(&r->list)) return false;
    *p = (wire_partition){ .topic = r->list.topic, .topic_len = r->list.topic_len };
    p->number = wire_int32(in);
    p->code = wire_int16(in);
    p->high = wire_int64(in);
    p->stable = wire_int64(in);
    wire_int64(in);                   /* where the log begins */
    int32_t aborted = wire_int32(in); /* -1: none, as 0 */
    p->aborted_count = aborted > 0 ? aborted : 0;
    p->aborted = wire_bytes(in, (int64_t)p->aborted_count * ABORTED_BYTES);
    wire_int32(in); /* a replica to be read instead */
    int32_t len = wire_int32(in);
    p->records_len = len > 0 ? len : 0;
    p->records = wire_bytes(in, p->records_len);
    return !in->is_short;
}

wire_aborted wire_aborted_at(const wire_partition *p, int32_t index) {
    wire_reader r = { .at = p->aborted + (size_t)index * ABORTED_BYTES };
    r.end = r.at + ABORTED_BYTES;
    wire_aborted a = { .producer = wire_int64(&r) };
    a.first = wire_int64(&r);
    return a;
}
