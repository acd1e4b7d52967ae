#include "runtime/connect/kafka_sink.h"

/* DESIGN. Messages are sorted by partition before they are produced: runs for one partition cost
 * half of messages that jump (facts: 6, produce). Each goes by producev, because the record time is
 * the batch's processing time and rd_kafka_produce_batch takes no times. Only failures are
 * reported. The broker refuses a whole request for one message in it, so what was refused is sent
 * again one by one: only what fails alone is a rejection. What failed for another reason
 * (librdkafka lost count of its sequence numbers: its issue 4438) is sent again by a new handle: at
 * least once. */

#include <stdlib.h>
#include <string.h>

#include "runtime/base/crash.h"
#include "runtime/base/mem.h"
#include "runtime/connect/kafka_ledger.h"
#include "runtime/connect/kafka_question.h"
#include "runtime/connect/kafka_sink_state.h"
#include "runtime/connect/options.h"

enum {
    SILENT_MS = 2000, /* nothing acknowledged for so long: the broker is lost */
    GRACE_MS = 1000,  /* asked to stop, a flush goes on while reports come within this time */
};

static const kafka_setting sink_settings[] = {
    { "enable.idempotence", "true", "without it retries make doubles and change the order" },
    { "acks", NULL, "idempotence needs all" },
    { "request.required.acks", NULL, "idempotence needs all" },
    { "transactional.id", NULL, "it belongs to the pipeline" },
    { "message.timeout.ms", "0", "the sink waits for the broker until the pipeline stops" },
    { "delivery.timeout.ms", NULL, "the sink waits for the broker until the pipeline stops" },
    { "delivery.report.only.error", "true", "the sink counts by it" },
    { "partitioner", NULL, "keys go where Java's murmur2 puts them" },
    { "linger.ms", "5", NULL },
    { "message.max.bytes", "33554432", NULL }, /* the broker judges */
    { "queue.buffering.max.kbytes", "65536", NULL },
    { "queue.buffering.max.messages", "200000", NULL },
    { "reconnect.backoff.max.ms", "2000", NULL },
};

/* -- lists */

void kafka_failures_put(kafka_failures *list, const sl_message *m, rd_kafka_resp_err_t code) {
    if (list->count == list->room) {
        list->room = list->room ? 2 * list->room : 64;
        list->items = mem_realloc(list->items, list->room * sizeof *list->items);
    }
    list->items[list->count++] = (kafka_failure){ .message = m, .code = code };
}

void kafka_reject(kafka_rejections *list, const sl_message *m, const char *reason) {
    if (list->count == list->room) {
        list->room = list->room ? 2 * list->room : 16;
        list->items = mem_realloc(list->items, list->room * sizeof *list->items);
    }
    list->items[list->count++] =
        (sl_rejection){ .row = m->row, .reason = mem_copy_text(reason, strlen(reason)) };
}

static int by_row(const void *a, const void *b) {
    uint32_t x = ((const sl_rejection *)a)->row, y = ((const sl_rejection *)b)->row;
    return (x > y) - (x < y);
}

void kafka_rejections_sort(kafka_rejections *list) {
    if (list->count) qsort(list->items, list->count, sizeof *list->items, by_row);
}

void kafka_rejections_clear(kafka_rejections *list) {
    for (uint32_t i = 0; i < list->count; i++)
        mem_free((void *)(uintptr_t)list->items[i].reason);
    list->count = 0;
}

/* -- outcomes */

size_t kafka_message_bytes(const sl_message *m) {
    size_t bytes = m->key.len + m->value.len;
    for (uint32_t i = 0; i < m->header_count; i++)
        bytes += m->headers[i].name.len + m->headers[i].value.len;
    return bytes;
}

bool kafka_is_refusal(rd_kafka_resp_err_t code) {
    return code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
           code == RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE ||
           code == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE ||
           code == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP ||
           code == RD_KAFKA_RESP_ERR_INVALID_RECORD || code == RD_KAFKA_RESP_ERR_POLICY_VIOLATION;
}

err *kafka_sink_judge(const kafka_sink *s, const char *topic, rd_kafka_resp_err_t code) {
    switch (code) {
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        return err_new(ERR_AUTH,
                       "writing to topic %s on %s: %s (check the account's rights: Write)", topic,
                       s->client->brokers, rd_kafka_err2str(code));
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        return err_new(ERR_BROKER, "writing to topic %s: it is gone from %s", topic,
                       s->client->brokers);
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
        return err_new(ERR_BROKER, "writing to topic %s on %s: %s", topic, s->client->brokers,
                       rd_kafka_err2str(code));
    default: return NULL;
    }
}

static void take_failure(void *owner, const sl_message *m, const char *topic,
                         rd_kafka_resp_err_t code) {
    kafka_sink *s = owner;
    if (s->is_dropping) return;
    if (kafka_is_refusal(code)) {
        kafka_failures_put(&s->refused, m, code);
        /* to find it out has cost time: an attempt that comes behind this one has less to find */
        if (s->producer && s->txn) kafka_reject(&s->known, m, KAFKA_REFUSED);
        return;
    }
    if (!s->trouble) s->trouble = kafka_sink_judge(s, topic, code);
    kafka_failures_put(&s->again, m, code);
}

static void on_failed(void *owner, const rd_kafka_message_t *message) {
    take_failure(owner, message->_private, rd_kafka_topic_name(message->rkt), message->err);
}

static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque) {
    (void)rk;
    if (message->err) on_failed(opaque, message);
}

/* -- the handle */

static err *open_handle(kafka_sink *s) {
    enum { OWN = sizeof sink_settings / sizeof *sink_settings };
    kafka_setting settings[OWN + 1];
    memcpy(settings, sink_settings, sizeof sink_settings);
    settings[OWN] =
        (kafka_setting){ "compression.type", s->compression, "use the option `compression`" };
    s->client = &s->own;
    return kafka_client_open(&s->own, RD_KAFKA_PRODUCER, s->plan->options, &s->system, settings,
                             OWN + 1, on_report);
}

/* Give up what has no report yet: nothing of it is read any more. */
static void close_handle(kafka_sink *s) {
    if (!s->own.rk) return;
    kafka_producer_free(s->producer);
    s->producer = NULL;
    rd_kafka_purge(s->own.rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    while (rd_kafka_outq_len(s->own.rk) > 0) rd_kafka_poll(s->own.rk, KAFKA_SLICE_MS);
    kafka_topics_drop(&s->topics);
    kafka_client_close(&s->own);
}

err *kafka_sink_replace(kafka_sink *s) {
    char text[256];
    rd_kafka_fatal_error(s->own.rk, text, sizeof text);
    log_warn(s->own.log, "producer replaced", log_text("sink", s->title),
             log_text("reason", text));
    close_handle(s);
    return open_handle(s);
}

static void on_gone(void *owner) {
    kafka_sink *s = owner;
    kafka_topics_drop(&s->topics);
}

/* Write in the transaction of the ledger. */
static void join(kafka_sink *s, kafka_txn *txn) {
    s->txn = txn;
    s->client = &txn->client;
    s->topics.compression = s->compression;
    s->party = kafka_txn_join(
        txn, &(kafka_party){ .owner = s, .failed = on_failed, .gone = on_gone });
}

/* -- waiting */

/* Messages that have not arrived. */
static int waiting_count(const kafka_sink *s) {
    return s->producer ? (int)kafka_producer_waiting(s->producer)
                       : rd_kafka_outq_len(s->client->rk);
}

err *kafka_sink_watch(kafka_sink *s) {
    int waiting = waiting_count(s);
    int64_t now_ms = kafka_now_ms();
    if (waiting < s->waiting) kafka_client_back(s->client);
    if (waiting != s->waiting) s->moved_ms = now_ms;
    s->waiting = waiting;
    if (waiting && now_ms - s->moved_ms > SILENT_MS)
        kafka_client_lost(s->client, s->client->brokers);
    if (s->trouble) {
        err *trouble = s->trouble;
        s->trouble = NULL;
        return trouble;
    }
    err *e = kafka_client_check(s->client);
    if (!e || e->code != ERR_STOPPED || now_ms - s->moved_ms > GRACE_MS) return e;
    err_free(e);
    return NULL;
}

/* Once one has failed, librdkafka sends no more of the transaction. */
static bool is_over(const kafka_sink *s) {
    return s->txn && (s->refused.count || s->again.count);
}

err *kafka_sink_drain(kafka_sink *s) {
    char text[128];
    s->moved_ms = kafka_now_ms();
    s->waiting = waiting_count(s);
    if (s->producer) return kafka_producer_flush(s->producer);
    while (!is_over(s)) {
        /* short: successes are not reported, so nothing ends the wait early */
        rd_kafka_flush(s->client->rk, 1);
        err *e = kafka_sink_watch(s);
        if (e) return e;
        bool is_lost = rd_kafka_fatal_error(s->client->rk, text, sizeof text) != 0;
        if (is_lost && s->txn)
            return kafka_txn_error(s->txn, "writing", RD_KAFKA_RESP_ERR__FATAL, text);
        if (is_lost) return kafka_sink_replace(s);
        if (rd_kafka_outq_len(s->client->rk) == 0) return NULL;
    }
    return NULL;
}

/* -- ops */

/* Send again what failed for no fault of its own, in its order. */
static err *send_again(kafka_sink *s) {
    kafka_failures list = s->again;
    s->again = (kafka_failures){ 0 };
    err *e = NULL;
    for (uint32_t i = 0; !e && i < list.count; i++) e = kafka_send_one(s, list.items[i].message);
    mem_free(list.items);
    return e;
}

/* Send alone what was refused, maybe for a neighbour's fault. */
static err *send_alone(kafka_sink *s) {
    kafka_failures list = s->refused;
    s->refused = (kafka_failures){ 0 };
    err *e = NULL;
    for (uint32_t i = 0; !e && i < list.count; i++) {
        const sl_message *m = list.items[i].message;
        e = kafka_send_one(s, m);
        if (!e) e = kafka_sink_drain(s);
        if (e || !s->refused.count) continue;
        s->refused.count = 0;
        kafka_reject(&s->rejections, m, KAFKA_REFUSED);
    }
    mem_free(list.items);
    return e;
}

/* The process ends, or the sink does: reports of this batch must not come later. */
static void drop(kafka_sink *s) {
    if (s->producer) {
        kafka_producer_drop(s->producer);
        return;
    }
    if (s->txn || !s->own.rk) return;
    s->is_dropping = true;
    rd_kafka_purge(s->own.rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    while (rd_kafka_outq_len(s->own.rk) > 0) rd_kafka_poll(s->own.rk, KAFKA_SLICE_MS);
    s->is_dropping = false;
}

static err *sink_write(void *sink, const sl_message *messages, uint32_t count) {
    return kafka_send(sink, messages, count);
}

/* Messages were not delivered in time: for good, if their topic is gone. */
static err *judge_silence(kafka_sink *s, const kafka_failure *one) {
    enum { ANSWER_MS = 1000 };
    const sl_message *m = one->message;
    const rd_kafka_metadata_t *answer = NULL;
    kafka_target *to;
    const char *name = m->topic.data ? m->topic.data : s->name;
    size_t len = m->topic.data ? m->topic.len : strlen(s->name);
    err *e = kafka_topics_find(&s->topics, s->client, name, len, &to);
    if (e || !to->handle) return e;
    rd_kafka_resp_err_t code =
        rd_kafka_metadata(s->client->rk, 0, to->handle, &answer, ANSWER_MS);
    if (!code && answer->topic_cnt) code = answer->topics[0].err;
    if (answer) rd_kafka_metadata_destroy(answer);
    return code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ? kafka_sink_judge(s, to->name, code)
                                                           : NULL;
}

/* Our own producer has found them out, one by one. */
static void reject_refused(kafka_sink *s) {
    for (uint32_t i = 0; i < s->refused.count; i++)
        kafka_reject(&s->rejections, s->refused.items[i].message, KAFKA_REFUSED);
    s->refused.count = 0;
    kafka_rejections_sort(&s->rejections);
}

/* All of the transaction's messages have arrived, or it is lost. */
static err *flush_txn(kafka_sink *s) {
    err *e = kafka_sink_drain(s);
    bool is_late = s->again.count && s->again.items[0].code == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT;
    if (!e && is_late) e = judge_silence(s, &s->again.items[0]);
    if (!e && s->producer) {
        reject_refused(s);
        e = s->trouble;
        s->trouble = NULL;
    }
    /* first: newer librdkafkas tell those apart that were only beside a refused one */
    if (!e && s->refused.count)
        e = kafka_probe(s);
    else if (!e && s->again.count)
        e = kafka_txn_error(s->txn, "writing", s->again.items[0].code, NULL);
    kafka_txn_forget(s->txn, s->party);
    if (!e) crash_point("outputs_flushed");
    return e;
}

/* Outside of a transaction our own producer gives up only what is hopeless. */
static err *flush_ours(kafka_sink *s) {
    err *e = kafka_sink_drain(s);
    reject_refused(s);
    if (e || !s->again.count) return e;
    e = s->trouble;
    s->trouble = NULL;
    if (e) return e;
    return err_new(ERR_BROKER, "writing to topic %s on %s: %s", s->title, s->client->brokers,
                   rd_kafka_err2str(s->again.items[0].code));
}

static err *flush_own(kafka_sink *s) {
    if (s->producer) return flush_ours(s);
    err *e = kafka_sink_drain(s);
    while (!e && (s->again.count || s->refused.count)) {
        e = s->again.count ? send_again(s) : send_alone(s);
        if (!e) e = kafka_sink_drain(s);
    }
    return e;
}

static err *sink_flush(void *sink, const sl_rejection **rejections, uint32_t *count) {
    kafka_sink *s = sink;
    err *e = s->txn ? flush_txn(s) : flush_own(s);
    if (e || (s->producer && kafka_producer_waiting(s->producer))) drop(s);
    *rejections = s->rejections.items;
    *count = s->rejections.count;
    return e;
}

static err *sink_begin(void *sink, uint64_t batch, int64_t now_ms) {
    kafka_sink *s = sink;
    (void)now_ms;
    if (s->txn) kafka_txn_forget(s->txn, s->party);
    if (batch != s->batch) kafka_rejections_clear(&s->known);
    kafka_rejections_sort(&s->known);
    s->batch = batch;
    kafka_rejections_clear(&s->rejections);
    s->refused.count = s->again.count = 0;
    err_free(s->trouble);
    s->trouble = NULL;
    s->waiting = 0;
    s->moved_ms = kafka_now_ms();
    if (s->producer) kafka_producer_use(s->producer, &s->user);
    return kafka_client_check(s->client);
}

static void sink_close(void *sink) {
    kafka_sink *s = sink;
    s->is_dropping = true;
    close_handle(s);
    kafka_topics_done(&s->topics);
    if (s->txn) kafka_txn_leave(s->txn, s->party);
    kafka_rejections_clear(&s->rejections);
    kafka_rejections_clear(&s->known);
    mem_free(s->rejections.items);
    mem_free(s->known.items);
    mem_free(s->refused.items);
    mem_free(s->again.items);
    kafka_send_done(s);
    pack_tools_free(s->user.tools);
    mem_free(s->compression);
    mem_free(s->name);
    mem_free(s->title);
    err_free(s->trouble);
    mem_free(s);
}

/* Know the sink's own topic, and make it if the plan says so. */
static err *find_topic(kafka_sink *s) {
    kafka_target *own;
    s->topics.may_create = option_flag(s->plan->options, "create", false);
    s->topics.partitions = (int32_t)option_number(s->plan->options, "partitions", 1);
    if (!s->name) return kafka_client_await(s->client);
    err *e = kafka_topics_find(&s->topics, s->client, s->name, strlen(s->name), &own);
    if (e || !own->reason) return e;
    e = kafka_client_partitions(s->client, own->handle, &own->partition_count, NULL);
    if (!e) {
        mem_free(own->reason);
        own->reason = NULL;
    }
    return e;
}

/* In a transaction it costs a transaction to find out that rows are too large: batches are kept
 * within what the topic takes, and rows are measured beforehand where compression cannot help. */
static void ask_limit(kafka_sink *s) {
    enum { LIMIT_MS = 1000 };
    if (!s->txn || !s->name) return;
    kafka_configs told =
        kafka_configs_ask(s->client, RD_KAFKA_RESOURCE_TOPIC, s->name, LIMIT_MS);
    int64_t most = kafka_configs_number(&told, "max.message.bytes", 0);
    kafka_configs_done(&told);
    if (most <= 0) return;
    kafka_txn_fit(s->txn, most);
    if (!strcmp(s->compression, "none")) s->most_bytes = (size_t)most;
}

static err *watch_producer(void *owner) { return kafka_sink_watch(owner); }

static err *ready_user(kafka_sink *s) {
    unpack_codec codec = UNPACK_NONE;
    s->sent_bytes = (size_t)kafka_dial_number(s->client, "message.max.bytes");
    while (strcmp(unpack_codec_name(codec), s->compression) != 0) codec++;
    s->user = (produce_user){ .codec = codec,
                              .tools = pack_tools_new(
                                  codec, (int)kafka_dial_number(s->client, "compression.level")),
                              .failed = take_failure,
                              .ends_at_refusal = s->plan->on_error == SL_ON_ERROR_FAIL,
                              .watch = watch_producer,
                              .owner = s };
    return s->user.tools ? NULL
                         : err_new(ERR_PLAN, "option compression: %s cannot begin", s->compression);
}

/* Write by ourselves where that works, else by librdkafka. */
static err *choose_way(kafka_sink *s) {
    if (s->txn) {
        s->producer = s->txn->producer;
    } else {
        char *reason =
            kafka_producer_new(s->client, s->plan->options, &s->system, NULL, &s->producer);
        if (reason)
            log_info(s->client->log, "writing by librdkafka",
                     log_text("brokers", s->client->brokers), log_text("reason", reason));
        mem_free(reason);
    }
    return s->producer ? ready_user(s) : NULL;
}

static err *sink_open(const sl_sink *plan, const sl_system *system, void **sink) {
    kafka_sink *s = mem_zalloc(1, sizeof *s);
    s->plan = plan;
    s->system = *system;
    s->title = mem_copy_text(plan->name.data, plan->name.len);
    s->name = option_copy(plan->options, "topic", NULL);
    s->compression = option_copy(plan->options, "compression", "lz4");
    s->most_bytes = SIZE_MAX;
    bool takes_part = plan->kind == SL_SINK_TRANSACTIONAL && system->ledger;
    kafka_txn *txn = takes_part ? kafka_ledger_txn(system->ledger) : NULL;
    err *e = NULL;
    if (txn)
        join(s, txn);
    else
        e = open_handle(s);
    if (!e) e = find_topic(s);
    if (!e) e = choose_way(s);
    if (!e) ask_limit(s);
    if (e) {
        sink_close(s);
        return e;
    }
    *sink = s;
    return NULL;
}

const sl_sink_ops kafka_sink_ops = {
    .name = "kafka",
    .open = sink_open,
    .begin = sink_begin,
    .write = sink_write,
    .flush = sink_flush,
    .close = sink_close,
};
