/* Reading by librdkafka's consumer: a queue a partition, of which messages are taken and copied.
 * Messages that belong to a later range stay in `held`. */
#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/connect/kafka_read.h"

enum { MOST_HELD = 1024 }; /* messages taken from a queue at once */

static void drop(kafka_partition *p) {
    while (p->held_at < p->held_count) rd_kafka_message_destroy(p->held[p->held_at++]);
}

static err *start(const kafka_source *s, const kafka_partition *p, int64_t offset) {
    if (rd_kafka_consume_start(p->topic->handle, p->number, offset) == 0) return NULL;
    return err_new(ERR_BROKER, "reading topic %s partition %d from offset %lld on %s: %s",
                   p->topic->name, (int)p->number, (long long)offset, s->client.brokers,
                   rd_kafka_err2str(rd_kafka_last_error()));
}

static err *way_open(kafka_source *s, kafka_partition *p) {
    static const uint64_t one = 1;
    p->held = mem_alloc(MOST_HELD * sizeof *p->held);
    p->queue = rd_kafka_queue_get_partition(s->client.rk, p->topic->name, p->number);
    if (p->queue) rd_kafka_queue_io_event_enable(p->queue, s->wake_fd, &one, sizeof one);
    return start(s, p, p->next);
}

static err *way_restart(kafka_source *s, kafka_partition *p, int64_t offset) {
    rd_kafka_consume_stop(p->topic->handle, p->number);
    drop(p);
    return start(s, p, offset);
}

static void way_close(kafka_partition *p) {
    rd_kafka_consume_stop(p->topic->handle, p->number);
    drop(p);
    if (p->queue) {
        rd_kafka_queue_io_event_enable(p->queue, -1, NULL, 0);
        rd_kafka_queue_destroy(p->queue);
    }
    mem_free(p->held);
}

/* -- events among the messages */

static void note_event(kafka_source *s, kafka_partition *p, const rd_kafka_message_t *m) {
    err_code code = ERR_BROKER;
    switch (m->err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        if (m->offset > p->next) p->next = m->offset;
        return;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE: p->is_lost = true; return;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED: code = ERR_AUTH; break;
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
    case RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED:
    case RD_KAFKA_RESP_ERR_INVALID_MSG: break;
    default: return; /* connection, leader, unknown topic: the watchers judge these */
    }
    kafka_trouble(s, p, code, m->len ? (const char *)m->payload : rd_kafka_err2str(m->err));
}

/* Take more messages from the queue, behind those that are held. */
static bool take_more(kafka_partition *p, int64_t want) {
    uint32_t left = p->held_count - p->held_at;
    if (p->held_at) memmove(p->held, p->held + p->held_at, left * sizeof *p->held);
    p->held_at = 0;
    p->held_count = left;
    size_t room = want < MOST_HELD - left ? (size_t)want : MOST_HELD - left;
    ssize_t got =
        room ? rd_kafka_consume_batch(p->topic->handle, p->number, 0, p->held + left, room) : 0;
    if (got > 0) p->held_count += (uint32_t)got;
    return got > 0;
}

/* Have a record held, if there is one; take in what events before it say. */
static bool pull(kafka_source *s, kafka_partition *p, int64_t want) {
    for (;;) {
        while (p->held_at < p->held_count && p->held[p->held_at]->err) {
            note_event(s, p, p->held[p->held_at]);
            rd_kafka_message_destroy(p->held[p->held_at++]);
        }
        if (p->held_at < p->held_count) return true;
        if (!take_more(p, want)) return false;
    }
}

/* With those that came since the last look: leaders are asked too seldom for a batch that has
 * waited for its time. */
static int64_t way_peek(kafka_source *s, kafka_partition *p) {
    if (pull(s, p, MOST_HELD)) take_more(p, MOST_HELD);
    if (p->held_count == MOST_HELD) { /* there may be more: the leader is to tell */
        pthread_mutex_lock(&s->lock);
        s->busy_until_ms = kafka_now_ms() + KAFKA_ANSWER_MS;
        pthread_cond_broadcast(&s->moved);
        pthread_mutex_unlock(&s->lock);
    }
    if (p->held_at == p->held_count) return -1;
    const rd_kafka_message_t *last = p->held[p->held_count - 1];
    return last->offset + !last->err;
}

/* -- records */

static void copy_headers(const rd_kafka_message_t *m, arena *bytes, sl_record *r) {
    rd_kafka_headers_t *headers;
    if (rd_kafka_message_headers(m, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
    size_t count = rd_kafka_header_cnt(headers);
    sl_header *items = arena_take(bytes, count * sizeof *items, 8);
    memset(items, 0, count * sizeof *items);
    for (size_t i = 0; i < count; i++) {
        const char *name;
        const void *value;
        size_t len;
        rd_kafka_header_get_all(headers, i, &name, &value, &len);
        items[i].name.len = (uint32_t)strlen(name);
        items[i].name.data = arena_copy(bytes, name, items[i].name.len);
        if (!value) continue;
        items[i].value.len = (uint32_t)len;
        items[i].value.data = arena_copy(bytes, value, len);
    }
    r->headers = items;
    r->header_count = (uint32_t)count;
}

static int32_t time_kind(rd_kafka_timestamp_type_t kind) {
    if (kind == RD_KAFKA_TIMESTAMP_CREATE_TIME) return 1;
    return kind == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME ? 2 : 0;
}

static void take(reading *d, const rd_kafka_message_t *m, arena *bytes) {
    rd_kafka_timestamp_type_t kind;
    int64_t time_ms = rd_kafka_message_timestamp(m, &kind);
    char *to = arena_take(bytes, m->key_len + m->len, 1);
    if (m->key) memcpy(to, m->key, m->key_len);
    if (m->payload) memcpy(to + m->key_len, m->payload, m->len);
    sl_record *r = kafka_stage(d->p, 1);
    d->p->staged.count++;
    *r = (sl_record){
        .offset = m->offset,
        .time_ms = time_ms,
        .time_kind = time_kind(kind),
        .partition = d->index,
        .key = { m->key ? to : NULL, (uint32_t)m->key_len, 0 },
        .value = { m->payload ? to + m->key_len : NULL, (uint32_t)m->len, 0 },
    };
    copy_headers(m, bytes, r);
}

/* Messages were written by another core: ask for the next ones while this one is copied. */
static inline void prefetch(const kafka_partition *p) {
    if (p->held_at + 6 >= p->held_count) return;
    __builtin_prefetch(p->held[p->held_at + 6]);
    __builtin_prefetch((const char *)p->held[p->held_at + 6] + 64);
    __builtin_prefetch(p->held[p->held_at + 2]->payload);
}

/* Take a run of messages; true: something moved. */
static bool way_run(fetching *f, reading *d) {
    kafka_partition *p = d->p;
    if (p->next < d->to && !pull(f->s, p, d->to - p->next) && p->next < d->to) return false;
    while (p->next < d->to && p->held_at < p->held_count) {
        rd_kafka_message_t *m = p->held[p->held_at];
        prefetch(p);
        if (m->err) break; /* the next pull hears it */
        int64_t len = (int64_t)(m->len + m->key_len + sizeof(sl_record));
        if (m->offset >= d->to) {
            p->next = d->to;
            break;
        }
        if (m->offset >= p->next && !kafka_fits(f, d, len)) {
            d->is_done = true;
            return true;
        }
        if (m->offset >= p->next) {
            take(d, m, f->memory);
            d->records++;
            d->bytes += len;
            f->bytes += len;
            p->next = m->offset + 1;
        }
        rd_kafka_message_destroy(m);
        p->held_at++;
    }
    if (p->next >= d->to) d->is_done = true;
    return true;
}

const kafka_way kafka_queue_way = {
    .open = way_open,
    .restart = way_restart,
    .peek = way_peek,
    .run = way_run,
    .close = way_close,
};
