/* Which rows a broker refuses. It refuses a whole request for one message in it, and with that the
 * transaction is lost; so each message that was refused is sent once more, alone, in a transaction
 * that is aborted. What it comes to holds for those that are alike: by the reason, all of the same
 * time, all without a key, or all that are at least as large. */
#include <stdlib.h>
#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/connect/kafka_ledger.h"
#include "runtime/connect/kafka_sink_state.h"

static int by_size(const void *a, const void *b) {
    size_t x = kafka_message_bytes(((const kafka_failure *)a)->message);
    size_t y = kafka_message_bytes(((const kafka_failure *)b)->message);
    return (x < y) - (x > y);
}

static bool is_same_topic(const sl_message *a, const sl_message *b) {
    return a->topic.len == b->topic.len &&
           (!a->topic.len || memcmp(a->topic.data, b->topic.data, a->topic.len) == 0);
}

/* Whether what holds for `a` holds for `b`, which is not larger. */
static bool is_alike(const kafka_failure *a, const kafka_failure *b, bool is_guilty) {
    if (a->code != b->code || !is_same_topic(a->message, b->message)) return false;
    switch (a->code) {
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP: return a->message->time_ms == b->message->time_ms;
    case RD_KAFKA_RESP_ERR_INVALID_RECORD: return !a->message->key.data == !b->message->key.data;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE: return !is_guilty;
    default: return false;
    }
}

/* A transaction to fail in; what was open is given up. */
static err *start_over(kafka_sink *s, bool begin) {
    s->is_dropping = true;
    err *e = kafka_ledger_ops.abort(s->system.ledger);
    s->is_dropping = false;
    s->refused.count = s->again.count = 0;
    s->txn->failures = 0; /* they are meant */
    return e || !begin ? e : kafka_ledger_ops.begin(s->system.ledger);
}

static err *try_one(kafka_sink *s, const sl_message *m, bool *is_guilty) {
    err *e = kafka_send_one(s, m);
    if (!e) e = kafka_sink_drain(s);
    if (e) return e;
    *is_guilty = s->refused.count > 0;
    if (s->again.count)
        return kafka_txn_error(s->txn, "writing", s->again.items[0].code, NULL);
    return *is_guilty ? start_over(s, true) : NULL;
}

static void convict(kafka_sink *s, const kafka_failure *one) {
    kafka_reject(&s->known, one->message, KAFKA_REFUSED);
}

/* Judge all of `list`, the largest first; `*guilty` is how many. */
static err *judge_all(kafka_sink *s, kafka_failures *list, uint32_t *guilty) {
    *guilty = 0;
    while (list->count) {
        kafka_failure one = list->items[0];
        bool is_guilty = false;
        err *e = try_one(s, one.message, &is_guilty);
        if (e) return e;
        uint32_t kept = 0;
        for (uint32_t i = 0; i < list->count; i++) {
            bool is_judged = i == 0 || is_alike(&one, &list->items[i], is_guilty);
            if (!is_judged) list->items[kept++] = list->items[i];
            if (!is_judged || !is_guilty) continue;
            convict(s, &list->items[i]);
            ++*guilty;
        }
        list->count = kept;
    }
    return NULL;
}

/* Each is taken alone: their batch was too large. */
static err *take_smaller(kafka_sink *s) {
    int32_t before = s->txn->batch_bytes;
    kafka_txn_fit(s->txn, before / 2);
    if (s->txn->batch_bytes < before) return NULL;
    return err_new(ERR_BROKER,
                   "writing to topic %s on %s: it refuses %d bytes of rows together, though it "
                   "takes each alone (raise max.message.bytes of the topic)",
                   s->title, s->client->brokers, (int)before);
}

err *kafka_probe(kafka_sink *s) {
    kafka_failures list = s->refused;
    uint32_t guilty = 0;
    s->refused = (kafka_failures){ 0 };
    qsort(list.items, list.count, sizeof *list.items, by_size);
    rd_kafka_resp_err_t code = list.items[0].code;
    err *e = start_over(s, true);
    if (!e) e = judge_all(s, &list, &guilty);
    if (!e) e = start_over(s, false);
    if (!e && !guilty) e = take_smaller(s);
    kafka_rejections_sort(&s->known);
    mem_free(list.items);
    if (e) return e;
    e = kafka_txn_error(s->txn, "writing", code, NULL);
    e->retriable = true;
    return e;
}
