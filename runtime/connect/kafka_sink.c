#include "runtime/connect/kafka_sink.h"

/* DESIGN. Messages are sorted by partition before they are produced: runs for one partition cost
 * half of messages that jump (facts: 6, produce). Each goes by producev, because the record time is
 * the batch's processing time and rd_kafka_produce_batch takes no times. Only failures are
 * reported. The broker refuses a whole request for one message in it, so what was refused is sent
 * again one by one: only what fails alone is a rejection. What failed for another reason
 * (librdkafka lost count of its sequence numbers: its issue 4438) is sent again by a new handle: at
 * least once. */

#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/mem.h"
#include "runtime/connect/kafka_client.h"
#include "runtime/connect/kafka_options.h"
#include "runtime/connect/kafka_partitioner.h"
#include "runtime/connect/kafka_topics.h"
#include "runtime/connect/options.h"

enum {
    SILENT_MS = 2000, /* nothing acknowledged for so long: the broker is lost */
    GRACE_MS = 1000,  /* asked to stop, a flush goes on while reports come within this time */
    MAX_PARTS = 9,    /* of a message, for rd_kafka_produceva */
};

/* Messages that failed, in the order of the reports. */
typedef struct message_list {
    const sl_message **items; /* owned; the messages are borrowed until flush has returned */
    uint32_t count, room;
} message_list;

typedef struct kafka_sink {
    kafka_client client;      /* first: reports come with a pointer to it */
    const sl_sink *plan;      /* borrowed */
    sl_system system;         /* its members are borrowed */
    char *title;              /* owned; as the plan calls it */
    char *name;               /* owned; its own topic; NULL: each row names one */
    kafka_topics topics;      /* written so far; its own is the first */
    message_list refused;     /* for themselves, maybe: to be sent alone */
    message_list again;       /* to be sent again */
    err *trouble;             /* owned; a report says that nothing can be delivered */
    bool is_dropping;         /* reports are of messages that were given up */
    sl_rejection *rejections; /* owned */
    uint32_t rejection_count, rejection_room;
    uint32_t *order;     /* owned; scratch: messages sorted by partition */
    int32_t *partitions; /* owned; scratch: partition of each message; -1: it is refused */
    kafka_target **to;   /* owned; scratch: topic of each message */
    uint32_t *first;     /* owned; scratch: one a partition of all topics, and one */
    uint32_t scratch_room, first_room;
    int waiting;      /* messages without a report at the last look */
    int64_t moved_ms; /* steady time at which their number last fell */
} kafka_sink;

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

static void list_put(message_list *list, const sl_message *m) {
    if (list->count == list->room) {
        list->room = list->room ? 2 * list->room : 64;
        list->items = mem_realloc(list->items, list->room * sizeof *list->items);
    }
    list->items[list->count++] = m;
}

static void reject(kafka_sink *s, const sl_message *m, const char *reason) {
    if (s->rejection_count == s->rejection_room) {
        s->rejection_room = s->rejection_room ? 2 * s->rejection_room : 16;
        s->rejections = mem_realloc(s->rejections, s->rejection_room * sizeof *s->rejections);
    }
    s->rejections[s->rejection_count++] =
        (sl_rejection){ .row = m->row, .reason = mem_copy_text(reason, strlen(reason)) };
}

/* -- outcomes */

static bool is_refusal(rd_kafka_resp_err_t code) {
    return code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
           code == RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE ||
           code == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP ||
           code == RD_KAFKA_RESP_ERR_INVALID_RECORD || code == RD_KAFKA_RESP_ERR_POLICY_VIOLATION;
}

/* The error that ends the sink, or NULL when sending again may help. */
static err *judge(const kafka_sink *s, const char *topic, rd_kafka_resp_err_t code) {
    switch (code) {
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        return err_new(ERR_AUTH,
                       "writing to topic %s on %s: %s (check the account's rights: Write)", topic,
                       s->client.brokers, rd_kafka_err2str(code));
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        return err_new(ERR_BROKER, "writing to topic %s: it is gone from %s", topic,
                       s->client.brokers);
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
        return err_new(ERR_BROKER, "writing to topic %s on %s: %s", topic, s->client.brokers,
                       rd_kafka_err2str(code));
    default: return NULL;
    }
}

static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque) {
    kafka_sink *s = opaque;
    (void)rk;
    if (!message->err || s->is_dropping) return;
    if (is_refusal(message->err)) {
        list_put(&s->refused, message->_private);
        return;
    }
    if (!s->trouble)
        s->trouble = judge(s, rd_kafka_topic_name(message->rkt), message->err);
    list_put(&s->again, message->_private);
}

/* -- the handle */

static err *open_handle(kafka_sink *s) {
    enum { OWN = sizeof sink_settings / sizeof *sink_settings };
    kafka_setting settings[OWN + 1];
    memcpy(settings, sink_settings, sizeof sink_settings);
    char *compression = option_copy(s->plan->options, "compression", "lz4");
    settings[OWN] =
        (kafka_setting){ "compression.type", compression, "use the option `compression`" };
    err *e = kafka_client_open(&s->client, RD_KAFKA_PRODUCER, s->plan->options, &s->system,
                               settings, OWN + 1, on_report);
    mem_free(compression);
    return e;
}

/* Give up what has no report yet: nothing of it is read any more. */
static void close_handle(kafka_sink *s) {
    if (!s->client.rk) return;
    rd_kafka_purge(s->client.rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    while (rd_kafka_outq_len(s->client.rk) > 0) rd_kafka_poll(s->client.rk, KAFKA_SLICE_MS);
    kafka_topics_drop(&s->topics);
    kafka_client_close(&s->client);
}

/* A producer that lost count is of no more use; what it had not delivered comes into `again`. */
static err *replace_handle(kafka_sink *s) {
    char text[256];
    rd_kafka_fatal_error(s->client.rk, text, sizeof text);
    log_warn(s->client.log, "producer replaced", log_text("sink", s->title),
             log_text("reason", text));
    close_handle(s);
    return open_handle(s);
}

/* Look after the connection while waiting; ERR_STOPPED once stop is set and no reports come. */
static err *watch(kafka_sink *s) {
    int waiting = rd_kafka_outq_len(s->client.rk);
    int64_t now_ms = kafka_now_ms();
    if (waiting < s->waiting) kafka_client_back(&s->client);
    if (waiting != s->waiting) s->moved_ms = now_ms;
    s->waiting = waiting;
    if (waiting && now_ms - s->moved_ms > SILENT_MS)
        kafka_client_lost(&s->client, s->client.brokers);
    if (s->trouble) {
        err *trouble = s->trouble;
        s->trouble = NULL;
        return trouble;
    }
    err *e = kafka_client_check(&s->client);
    if (!e || e->code != ERR_STOPPED || now_ms - s->moved_ms > GRACE_MS) return e;
    err_free(e);
    return NULL;
}

/* -- writing */

static int32_t partition_of(const kafka_target *to, const sl_message *m) {
    const sl_string *by = m->place.data ? &m->place : &m->key;
    if (m->partition >= 0) return m->partition;
    if (by->data) return kafka_partition_of(by->data, by->len, to->partition_count);
    /* even, and the same when done again */
    return (int32_t)(m->row % (uint32_t)to->partition_count);
}

/* Where a message goes; `*partition` -1: nowhere, it is rejected. */
static err *locate(kafka_sink *s, const sl_message *m, kafka_target **to, int32_t *partition) {
    const char *name = m->topic.data ? m->topic.data : s->name;
    size_t len = m->topic.data ? m->topic.len : s->name ? strlen(s->name)
                                                        : 0;
    *partition = -1;
    if (!name) {
        reject(s, m, "its topic is nil");
        return NULL;
    }
    err *e = kafka_topics_find(&s->topics, &s->client, name, len, to);
    if (e) return e;
    if ((*to)->reason) {
        reject(s, m, (*to)->reason);
        return NULL;
    }
    int32_t number = partition_of(*to, m);
    if (number < (*to)->partition_count)
        *partition = number;
    else
        reject(s, m, "the topic has no such partition");
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
    rd_kafka_error_t *error = rd_kafka_produceva(s->client.rk, parts, count);
    if (!error) return RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    if (headers) rd_kafka_headers_destroy(headers);
    return code;
}

static err *produce(kafka_sink *s, const sl_message *m, kafka_target *to, int32_t partition) {
    for (;;) {
        rd_kafka_resp_err_t code = try_produce(s, m, to, partition);
        if (!code) return NULL;
        if (is_refusal(code)) {
            reject(s, m, rd_kafka_err2str(code));
            return NULL;
        }
        err *e = NULL;
        if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            rd_kafka_poll(s->client.rk, KAFKA_SLICE_MS);
            e = watch(s);
        } else if (code == RD_KAFKA_RESP_ERR__FATAL) {
            e = replace_handle(s);
            if (!e) e = kafka_topics_find(&s->topics, &s->client, to->name, strlen(to->name), &to);
        } else {
            e = judge(s, to->name, code);
            if (!e)
                e = err_new(ERR_BROKER, "writing to topic %s: %s", to->name,
                            rd_kafka_err2str(code));
        }
        if (e) return e;
    }
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

static err *sink_write(void *sink, const sl_message *messages, uint32_t count) {
    kafka_sink *s = sink;
    uint32_t sendable = 0;
    err *e = sort(s, messages, count, &sendable);
    for (uint32_t i = 0; !e && i < sendable; i++) {
        uint32_t at = s->order[i];
        e = produce(s, &messages[at], s->to[at], s->partitions[at]);
    }
    if (!e) rd_kafka_poll(s->client.rk, 0);
    return e;
}

/* Send one message where it belongs. */
static err *send_message(kafka_sink *s, const sl_message *m) {
    kafka_target *to;
    int32_t partition;
    err *e = locate(s, m, &to, &partition);
    return e || partition < 0 ? e : produce(s, m, to, partition);
}

/* Wait until every message has its report. */
static err *drain(kafka_sink *s) {
    char text[128];
    s->moved_ms = kafka_now_ms();
    s->waiting = rd_kafka_outq_len(s->client.rk);
    for (;;) {
        rd_kafka_flush(s->client.rk, KAFKA_SLICE_MS);
        err *e = watch(s);
        if (e) return e;
        if (rd_kafka_fatal_error(s->client.rk, text, sizeof text)) return replace_handle(s);
        if (rd_kafka_outq_len(s->client.rk) == 0) return NULL;
    }
}

/* Send again what failed for no fault of its own, in its order. */
static err *send_again(kafka_sink *s) {
    message_list list = s->again;
    s->again = (message_list){ 0 };
    err *e = NULL;
    for (uint32_t i = 0; !e && i < list.count; i++) e = send_message(s, list.items[i]);
    mem_free(list.items);
    return e;
}

/* Send alone what was refused, maybe for a neighbour's fault. */
static err *send_alone(kafka_sink *s) {
    message_list list = s->refused;
    s->refused = (message_list){ 0 };
    err *e = NULL;
    for (uint32_t i = 0; !e && i < list.count; i++) {
        const sl_message *m = list.items[i];
        e = send_message(s, m);
        if (!e) e = drain(s);
        if (e || !s->refused.count) continue;
        s->refused.count = 0;
        reject(s, m, "the broker refuses it: too large, or its time or content is not allowed");
    }
    mem_free(list.items);
    return e;
}

/* The process ends, or the sink does: reports of this batch must not come later. */
static void drop(kafka_sink *s) {
    s->is_dropping = true;
    rd_kafka_purge(s->client.rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    while (rd_kafka_outq_len(s->client.rk) > 0) rd_kafka_poll(s->client.rk, KAFKA_SLICE_MS);
    s->is_dropping = false;
}

static err *sink_flush(void *sink, const sl_rejection **rejections, uint32_t *count) {
    kafka_sink *s = sink;
    err *e = drain(s);
    while (!e && (s->again.count || s->refused.count)) {
        e = s->again.count ? send_again(s) : send_alone(s);
        if (!e) e = drain(s);
    }
    if (e && s->client.rk) drop(s);
    *rejections = s->rejections;
    *count = s->rejection_count;
    return e;
}

static err *sink_begin(void *sink, uint64_t batch, int64_t now_ms) {
    kafka_sink *s = sink;
    (void)batch;
    (void)now_ms;
    for (uint32_t i = 0; i < s->rejection_count; i++)
        mem_free((void *)(uintptr_t)s->rejections[i].reason);
    s->rejection_count = s->refused.count = s->again.count = 0;
    return kafka_client_check(&s->client);
}

static void sink_close(void *sink) {
    kafka_sink *s = sink;
    s->is_dropping = true;
    close_handle(s);
    for (uint32_t i = 0; i < s->rejection_count; i++)
        mem_free((void *)(uintptr_t)s->rejections[i].reason);
    mem_free(s->rejections);
    mem_free(s->refused.items);
    mem_free(s->again.items);
    mem_free(s->order);
    mem_free(s->partitions);
    mem_free(s->first);
    mem_free(s->to);
    kafka_topics_done(&s->topics);
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
    if (!s->name) return kafka_client_await(&s->client);
    err *e = kafka_topics_find(&s->topics, &s->client, s->name, strlen(s->name), &own);
    if (e || !own->reason) return e;
    e = kafka_client_partitions(&s->client, own->handle, &own->partition_count, NULL);
    if (!e) {
        mem_free(own->reason);
        own->reason = NULL;
    }
    return e;
}

static err *sink_open(const sl_sink *plan, const sl_system *system, void **sink) {
    kafka_sink *s = mem_zalloc(1, sizeof *s);
    s->plan = plan;
    s->system = *system;
    s->title = mem_copy_text(plan->name.data, plan->name.len);
    s->name = option_copy(plan->options, "topic", NULL);
    err *e = open_handle(s);
    if (!e) e = find_topic(s);
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
