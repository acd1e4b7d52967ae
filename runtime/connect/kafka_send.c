/* Messages to partitions: which one each goes to, and producing them sorted by it. */
#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/connect/kafka_partitioner.h"
#include "runtime/connect/kafka_sink_state.h"

enum { MAX_PARTS = 9 }; /* of a message, for rd_kafka_produceva */

static int32_t partition_of(const kafka_target *to, const sl_message *m) {
    const sl_string *by = m->place.data ? &m->place : &m->key;
    if (m->partition >= 0) return m->partition;
    if (by->data) return kafka_partition_of(by->data, by->len, to->partition_count);
    /* even, and the same when done again */
    return (int32_t)(m->row % (uint32_t)to->partition_count);
}

/* Why an attempt before this one found the row refused; NULL: it did not. */
static const char *known_reason(const kafka_sink *s, uint32_t row) {
    uint32_t from = 0, to = s->known.count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (s->known.items[middle].row == row) return s->known.items[middle].reason;
        if (s->known.items[middle].row < row)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

/* Where a message goes; `*partition` -1: nowhere, it is rejected. */
static err *locate(kafka_sink *s, const sl_message *m, kafka_target **to, int32_t *partition) {
    const char *name = m->topic.data ? m->topic.data : s->name;
    size_t len = m->topic.data ? m->topic.len : s->name ? strlen(s->name)
                                                        : 0;
    const char *known = s->known.count ? known_reason(s, m->row) : NULL;
    *partition = -1;
    if (known) {
        kafka_reject(&s->rejections, m, known);
        return NULL;
    }
    if (!m->topic.data && kafka_message_bytes(m) > s->most_bytes) {
        kafka_reject(&s->rejections, m, "it is larger than the topic's max.message.bytes");
        return NULL;
    }
    if (!name) {
        kafka_reject(&s->rejections, m, "its topic is nil");
        return NULL;
    }
    err *e = kafka_topics_find(&s->topics, s->client, name, len, to);
    if (e && s->txn && e->code == ERR_BROKER) e->retriable = true; /* it answered at the start */
    if (e) return e;
    if ((*to)->reason) {
        kafka_reject(&s->rejections, m, (*to)->reason);
        return NULL;
    }
    int32_t number = partition_of(*to, m);
    if (number < (*to)->partition_count)
        *partition = number;
    else
        kafka_reject(&s->rejections, m, "the topic has no such partition");
    return NULL;
}

static rd_kafka_headers_t *headers_of(const sl_message *m) {
    rd_kafka_headers_t *headers = rd_kafka_headers_new(m->header_count);
    for (uint32_t i = 0; i < m->header_count; i++) {
        const sl_header *h = &m->headers[i];
        rd_kafka_header_add(headers, h->name.data, (ssize_t)h->name.len, h->value.data,
                            (ssize_t)h->value.len);
    }
    return headers;
}

static rd_kafka_resp_err_t try_produce(kafka_sink *s, const sl_message *m,
                                       const kafka_target *to, int32_t partition) {
    /* the casts: librdkafka copies, but takes pointers to what is not const */
    rd_kafka_vu_t parts[MAX_PARTS] = {
        { .vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = to->handle },
        { .vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition },
        { .vtype = RD_KAFKA_VTYPE_VALUE,
          .u.mem = { (void *)(uintptr_t)m->value.data, m->value.len } },
        { .vtype = RD_KAFKA_VTYPE_KEY, .u.mem = { (void *)(uintptr_t)m->key.data, m->key.len } },
        { .vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = m->time_ms },
        { .vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = (void *)(uintptr_t)m },
        { .vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY },
    };
    size_t count = 7;
    rd_kafka_headers_t *headers = m->header_count ? headers_of(m) : NULL;
    if (headers)
        parts[count++] = (rd_kafka_vu_t){ .vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers };
    rd_kafka_error_t *error = rd_kafka_produceva(s->client->rk, parts, count);
    if (!error) return RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    if (headers) rd_kafka_headers_destroy(headers);
    return code;
}

/* What a failed call means; NULL: it is to be done again, to `*to`. */
static err *settle(kafka_sink *s, rd_kafka_resp_err_t code, kafka_target **to) {
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        rd_kafka_poll(s->client->rk, KAFKA_SLICE_MS);
        return kafka_sink_watch(s);
    }
    if (s->txn) return kafka_txn_error(s->txn, "writing", code, NULL);
    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        err *e = kafka_sink_replace(s);
        size_t len = strlen((*to)->name);
        return e ? e : kafka_topics_find(&s->topics, s->client, (*to)->name, len, to);
    }
    err *e = kafka_sink_judge(s, (*to)->name, code);
    if (e) return e;
    return err_new(ERR_BROKER, "writing to topic %s: %s", (*to)->name, rd_kafka_err2str(code));
}

/* The transaction is lost: what is still to come need not be sent. */
static bool has_failed(const kafka_sink *s) {
    return s->txn && (s->refused.count || s->again.count);
}

static err *produce(kafka_sink *s, const sl_message *m, kafka_target *to, int32_t partition) {
    while (!has_failed(s)) {
        rd_kafka_resp_err_t code = try_produce(s, m, to, partition);
        if (!code) return NULL;
        if (kafka_is_refusal(code)) {
            kafka_reject(&s->rejections, m, rd_kafka_err2str(code));
            return NULL;
        }
        err *e = settle(s, code, &to);
        if (e) return e;
    }
    return NULL;
}

static void make_scratch(kafka_sink *s, uint32_t count) {
    if (s->scratch_room >= count) return;
    s->scratch_room = count;
    s->order = mem_realloc(s->order, count * sizeof *s->order);
    s->partitions = mem_realloc(s->partitions, count * sizeof *s->partitions);
    s->to = mem_realloc(s->to, count * sizeof *s->to);
}

/* Number the partitions of all topics from 0; `first` gets a zero for each, and one more. */
static uint32_t number_places(kafka_sink *s) {
    uint32_t places = 0;
    for (uint32_t i = 0; i < s->topics.count; i++) {
        s->topics.items[i]->place = places;
        places += (uint32_t)s->topics.items[i]->partition_count;
    }
    if (s->first_room <= places) {
        s->first_room = 2 * (places + 1);
        s->first = mem_realloc(s->first, s->first_room * sizeof *s->first);
    }
    memset(s->first, 0, (places + 1) * sizeof *s->first);
    return places;
}

/* Sort by topic and partition, stable: fills `order` with the numbers of those that can be sent. */
static err *sort(kafka_sink *s, const sl_message *messages, uint32_t count, uint32_t *sendable) {
    make_scratch(s, count);
    for (uint32_t i = 0; i < count; i++) {
        err *e = locate(s, &messages[i], &s->to[i], &s->partitions[i]);
        if (e) return e;
    }
    uint32_t places = number_places(s);
    for (uint32_t i = 0; i < count; i++)
        if (s->partitions[i] >= 0) s->first[s->to[i]->place + (uint32_t)s->partitions[i] + 1]++;
    for (uint32_t p = 0; p < places; p++) s->first[p + 1] += s->first[p];
    *sendable = s->first[places];
    for (uint32_t i = 0; i < count; i++)
        if (s->partitions[i] >= 0)
            s->order[s->first[s->to[i]->place + (uint32_t)s->partitions[i]]++] = i;
    return NULL;
}

/* To the batch of our own producer. A broker hangs up on a request that is too large for it. */
static err *put_one(kafka_sink *s, const sl_message *m) {
    kafka_target *to;
    int32_t partition;
    err *e = locate(s, m, &to, &partition);
    if (e || partition < 0) return e;
    if (batch_record_bytes(m) <= s->sent_bytes)
        return kafka_producer_put(s->producer, to, partition, m);
    kafka_reject(&s->rejections, m, rd_kafka_err2str(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE));
    return NULL;
}

/* They need no sorting. */
static err *put(kafka_sink *s, const sl_message *messages, uint32_t count) {
    err *e = NULL;
    for (uint32_t i = 0; !e && i < count; i++) e = put_one(s, &messages[i]);
    return e;
}

err *kafka_send(kafka_sink *s, const sl_message *messages, uint32_t count) {
    uint32_t sendable = 0;
    if (s->producer) return put(s, messages, count);
    if (s->txn) kafka_txn_lend(s->txn, s->party, messages, count);
    err *e = sort(s, messages, count, &sendable);
    for (uint32_t i = 0; !e && i < sendable; i++) {
        uint32_t at = s->order[i];
        e = produce(s, &messages[at], s->to[at], s->partitions[at]);
    }
    if (!e) rd_kafka_poll(s->client->rk, 0);
    return e;
}

err *kafka_send_one(kafka_sink *s, const sl_message *m) {
    kafka_target *to;
    int32_t partition;
    if (s->producer) return put(s, m, 1);
    if (s->txn) kafka_txn_lend(s->txn, s->party, m, 1);
    err *e = locate(s, m, &to, &partition);
    return e || partition < 0 ? e : produce(s, m, to, partition);
}

void kafka_send_done(kafka_sink *s) {
    mem_free(s->order);
    mem_free(s->partitions);
    mem_free(s->first);
    mem_free(s->to);
}
