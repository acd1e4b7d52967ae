#include "runtime/connect/kafka_produce_state.h"

#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/connect/kafka_options.h"
#include "runtime/connect/kafka_question.h"
#include "runtime/connect/txn_wire.h"

enum {
    BATCH_BYTES = 1000000,  /* as librdkafka's batch.size */
    LEAST_BYTES = 16 << 10, /* of a batch, where there are many partitions */
    OPEN_BYTES = 16 << 20,  /* of all that are being filled, but for that */
    MOST_BYTES = 32 << 20,  /* packed batches that wait */
    IDLE_BYTES = 32 << 20,  /* buffers that are kept where nothing is written to */
    CONFIGS_MS = 1000,      /* a topic's configuration may take so long */
};

/* -- life */

/* Raw options of librdkafka that mean the same here, or nothing. */
/* clang-format off */
static const char *const served[] = {
    "batch.size", "message.max.bytes", "compression.level", "transaction.timeout.ms", "linger.ms",
    "queue.buffering.max.ms", "queue.buffering.max.kbytes", "queue.buffering.max.messages",
    "batch.num.messages", "max.in.flight.requests.per.connection", "max.in.flight",
    "message.send.max.retries", "retries", "retry.backoff.ms", "metadata.max.age.ms",
    "topic.metadata.refresh.interval.ms", "topic.metadata.refresh.sparse", "debug", "log_level",
    /* of reading: a cluster's options are both ends' */
    "fetch.wait.max.ms", "fetch.min.bytes", "fetch.max.bytes", "fetch.message.max.bytes",
    "max.partition.fetch.bytes", "receive.message.max.bytes", "queued.max.messages.kbytes",
    "check.crcs",
};
/* clang-format on */

static bool is_served(const sl_string *name) {
    for (size_t i = 0; i < sizeof served / sizeof *served; i++)
        if (kafka_is(name, served[i])) return true;
    return false;
}

const char *kafka_producer_refusal(const sl_value *options, const sl_system *system) {
    const sl_value *produce = kafka_option(options, "produce");
    const sl_value *sasl = kafka_option(options, "sasl");
    const sl_value *config = kafka_option(options, "config");
    if (produce && kafka_is(&produce->text, "librdkafka")) return "option produce";
    if (sasl && sasl->kind == SL_TABLE && !system->brokers) return "option sasl: it logs in";
    for (uint32_t i = 0; config && i < config->item_count; i++)
        if (!is_served(&config->items[i].name)) return "option config: it alone knows all of it";
    return NULL;
}

#define OLD ": it is older than Kafka 2.1 (write produce = \"librdkafka\")"
static const kafka_need needs[] = {
    { "Produce", WIRE_PRODUCE, WIRE_PRODUCE_VERSION, OLD },
    { "InitProducerId", WIRE_INIT_PRODUCER, WIRE_INIT_PRODUCER_VERSION, OLD },
    /* in a transaction */
    { "FindCoordinator", WIRE_FIND_COORDINATOR, WIRE_FIND_COORDINATOR_VERSION, OLD },
    { "AddPartitionsToTxn", WIRE_ADD_PARTITIONS, WIRE_ADD_PARTITIONS_VERSION, OLD },
    { "AddOffsetsToTxn", WIRE_ADD_OFFSETS, WIRE_ADD_OFFSETS_VERSION, OLD },
    { "TxnOffsetCommit", WIRE_TXN_OFFSETS, WIRE_TXN_OFFSETS_VERSION, OLD },
    { "EndTxn", WIRE_END_TXN, WIRE_END_TXN_VERSION, OLD },
};

char *kafka_producer_new(kafka_client *c, const sl_value *options, const sl_system *system,
                         const produce_transaction *transaction, kafka_producer **made) {
    const char *refusal = kafka_producer_refusal(options, system);
    if (refusal) return mem_copy_text(refusal, strlen(refusal));
    kafka_producer *p = mem_zalloc(1, sizeof *p);
    p->client = c;
    p->transaction = transaction;
    p->who = (batch_producer){ .id = -1, .epoch = -1, .is_transactional = transaction != NULL };
    p->batch_bytes = BATCH_BYTES;
    buf_init(&p->frame);
    buf_init(&p->answer);
    kafka_producer_fit(p, (size_t)kafka_dial_number(c, "batch.size"));
    kafka_producer_fit(p, (size_t)kafka_dial_number(c, "message.max.bytes"));
    err *e = kafka_dial_init(&p->dial, options, system);
    size_t count = transaction ? sizeof needs / sizeof *needs : 2;
    if (!e) e = kafka_dial_try(&p->dial, c, needs, count);
    if (!e) {
        *made = p;
        return NULL;
    }
    char *reason = mem_copy_text(e->message, strlen(e->message));
    err_free(e);
    kafka_producer_free(p);
    return reason;
}

static void free_partition(produce_partition *part) {
    if (!part) return;
    batch_writer_done(&part->writer);
    mem_free(part->messages);
    mem_free(part);
}

void kafka_producer_free(kafka_producer *p) {
    if (!p) return;
    kafka_producer_drop(p);
    produce_hang_up(p, true);
    for (uint32_t i = 0; i < p->topic_count; i++) {
        for (int32_t n = 0; n < p->topics[i]->count; n++)
            free_partition(p->topics[i]->partitions[n]);
        mem_free(p->topics[i]->partitions);
        mem_free(p->topics[i]->name);
        mem_free(p->topics[i]);
    }
    for (uint32_t i = 0; i < p->leader_count; i++) {
        for (int r = 0; r < PRODUCE_UNDERWAY; r++) mem_free(p->leaders[i]->requests[r].batches);
        mem_free(p->leaders[i]);
    }
    mem_free(p->topics);
    mem_free(p->leaders);
    mem_free(p->busy);
    mem_free(p->places);
    buf_done(&p->frame);
    buf_done(&p->answer);
    kafka_dial_done(&p->dial);
    mem_free(p);
}

const kafka_dial *kafka_producer_dial(const kafka_producer *p) { return &p->dial; }

void kafka_producer_reset(kafka_producer *p, int64_t id, int16_t epoch) {
    kafka_producer_drop(p);
    p->who.id = id;
    p->who.epoch = epoch;
    for (uint32_t i = 0; i < p->topic_count; i++)
        for (int32_t n = 0; n < p->topics[i]->count; n++)
            if (p->topics[i]->partitions[n]) p->topics[i]->partitions[n]->sequence = 0;
}

void kafka_producer_begin(kafka_producer *p, int64_t end_ms) {
    p->end_ms = end_ms;
    for (uint32_t i = 0; i < p->topic_count; i++)
        for (int32_t n = 0; n < p->topics[i]->count; n++)
            if (p->topics[i]->partitions[n]) p->topics[i]->partitions[n]->is_enlisted = false;
}

void kafka_producer_use(kafka_producer *p, const produce_user *user) {
    p->user = *user;
    p->is_over = false;
    for (uint32_t i = 0; i < p->topic_count; i++)
        p->topics[i]->refuses_time = p->topics[i]->wants_keys = p->topics[i]->was_asked = false;
}

void kafka_producer_fit(kafka_producer *p, size_t bytes) {
    if (bytes && bytes < p->batch_bytes) p->batch_bytes = bytes;
}

uint32_t kafka_producer_waiting(const kafka_producer *p) { return p->waiting; }

uint32_t kafka_producer_errors(const kafka_producer *p) { return p->errors; }

/* -- topics and partitions */

static produce_topic *find_topic(kafka_producer *p, const char *name) {
    for (uint32_t i = 0; i < p->topic_count; i++)
        if (!strcmp(p->topics[i]->name, name)) return p->topics[i];
    if (p->topic_count == p->topic_room) {
        p->topic_room = p->topic_room ? 2 * p->topic_room : 8;
        p->topics = mem_realloc(p->topics, p->topic_room * sizeof *p->topics);
    }
    produce_topic *t = p->topics[p->topic_count++] = mem_zalloc(1, sizeof *t);
    t->name = mem_copy_text(name, strlen(name));
    return t;
}

static produce_partition *add_partition(produce_topic *t, int32_t number) {
    if (number >= t->count) {
        t->partitions =
            mem_realloc(t->partitions, ((size_t)number + 1) * sizeof *t->partitions);
        for (int32_t i = t->count; i <= number; i++) t->partitions[i] = NULL;
        t->count = number + 1;
    }
    produce_partition *part = t->partitions[number] = mem_zalloc(1, sizeof *part);
    part->topic = t;
    part->number = number;
    batch_writer_init(&part->writer);
    t->is_stale = true; /* its leader is not known */
    return part;
}

static produce_partition *find_partition(kafka_producer *p, kafka_target *to, int32_t number) {
    if (!to->written) to->written = find_topic(p, to->name);
    produce_topic *t = to->written;
    bool is_there = number < t->count && t->partitions[number];
    return is_there ? t->partitions[number] : add_partition(t, number);
}

/* What a partition was filled with is kept for its next batch, but not by all that ever had one. */
static void rest(kafka_producer *p, produce_partition *part) {
    size_t bytes = part->writer.records.room + part->room * sizeof *part->messages;
    part->is_busy = false;
    batch_writer_reset(&part->writer);
    if (p->idle_bytes + bytes > IDLE_BYTES) {
        batch_writer_done(&part->writer);
        batch_writer_init(&part->writer);
        mem_free(part->messages);
        part->messages = NULL;
        part->room = 0;
        bytes = 0;
    }
    part->idle_bytes = bytes;
    p->idle_bytes += bytes;
}

/* Partitions of a topic stand side by side: requests list them so. */
static void list_busy(kafka_producer *p, produce_partition *part) {
    if (p->busy_count == p->busy_room) {
        p->busy_room = p->busy_room ? 2 * p->busy_room : 16;
        p->busy = mem_realloc(p->busy, p->busy_room * sizeof *p->busy);
    }
    uint32_t at = p->busy_count;
    while (at > 0 && p->busy[at - 1]->topic != part->topic) at--;
    if (at == 0) at = p->busy_count;
    memmove(p->busy + at + 1, p->busy + at, (p->busy_count - at) * sizeof *p->busy);
    p->busy[at] = part;
    p->busy_count++;
    part->is_busy = true;
    p->idle_bytes -= part->idle_bytes;
    part->is_proven = false;
    if (!part->leader) part->topic->is_stale = true;
}

/* -- batches */

/* Room was made for what does not pack. */
static void trim(buf *b) {
    if (!b->len || b->room - b->len < b->len / 4) return;
    b->data = mem_realloc(b->data, b->len);
    b->room = b->len;
}

static err *seal(kafka_producer *p, produce_partition *part, const batch_writer *w,
                 const sl_message **messages, produce_batch **made) {
    produce_batch *b = mem_zalloc(1, sizeof *b);
    buf_init(&b->bytes);
    b->partition = part;
    b->count = w->count;
    b->messages = mem_alloc(w->count * sizeof *b->messages);
    memcpy(b->messages, messages, w->count * sizeof *b->messages);
    err *e = batch_writer_seal(w, p->user.tools, p->user.codec, &b->bytes);
    trim(&b->bytes);
    p->bytes += b->bytes.room;
    *made = b;
    return e;
}

static void free_batch(produce_batch *b) {
    buf_done(&b->bytes);
    mem_free(b->messages);
    mem_free(b);
}

/* What was filled is a batch. */
static err *close_batch(kafka_producer *p, produce_partition *part) {
    produce_batch *b;
    if (!part->writer.count) return NULL;
    err *e = seal(p, part, &part->writer, part->messages, &b);
    batch_writer_reset(&part->writer);
    if (part->last)
        part->last->next = b;
    else
        part->first = b;
    part->last = b;
    return e;
}

void produce_remove(kafka_producer *p, produce_batch *b) {
    produce_partition *part = b->partition;
    produce_batch **at = &part->first, *before = NULL;
    for (; *at != b; at = &(*at)->next) before = *at;
    *at = b->next;
    if (part->last == b) part->last = before;
    p->bytes -= b->bytes.room;
    free_batch(b);
}

/* Make a batch of some messages of another. */
static err *put_some(kafka_producer *p, produce_partition *part, const sl_message **messages,
                     uint32_t count, produce_batch **made) {
    batch_writer w;
    batch_writer_init(&w);
    for (uint32_t i = 0; i < count; i++) batch_writer_put(&w, messages[i]);
    err *e = seal(p, part, &w, messages, made);
    batch_writer_done(&w);
    return e;
}

/* Sequences from `b` on are free again: what is under way behind it comes out of order. */
static void tear(produce_batch *b) {
    produce_partition *part = b->partition;
    if (b->is_stamped) part->sequence = b->sequence;
    part->is_torn = part->underway > 0;
    for (; b; b = b->next) b->is_stamped = false;
}

/* -- refusals */

/* A topic that is not compacted refuses a row for its content, of which nothing follows. */
static bool is_compacted(kafka_producer *p, const char *topic) {
    kafka_configs told =
        kafka_configs_ask(p->client, RD_KAFKA_RESOURCE_TOPIC, topic, CONFIGS_MS);
    const char *policy = kafka_configs_text(&told, "cleanup.policy");
    bool is = policy && strstr(policy, "compact");
    kafka_configs_done(&told);
    return is;
}

/* What a row was refused for holds for those of its topic that are alike. */
static void learn(kafka_producer *p, produce_topic *t, const sl_message *m,
                  rd_kafka_resp_err_t code) {
    if (code == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP) {
        t->refuses_time = true;
        t->refused_ms = m->time_ms;
    }
    if (code == RD_KAFKA_RESP_ERR_INVALID_RECORD && !m->key.data && !t->was_asked) {
        t->was_asked = true;
        t->wants_keys = is_compacted(p, t->name);
    }
}

static bool is_alike(const produce_topic *t, const sl_message *m, rd_kafka_resp_err_t code) {
    if (code == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP)
        return t->refuses_time && m->time_ms == t->refused_ms;
    return code == RD_KAFKA_RESP_ERR_INVALID_RECORD && t->wants_keys && !m->key.data;
}

static void refuse(kafka_producer *p, const produce_topic *t, const sl_message *m,
                   rd_kafka_resp_err_t code) {
    p->waiting--;
    p->user.failed(p->user.owner, m, t->name, code);
    if (p->user.ends_at_refusal) p->is_over = true;
}

/* Refuse the batch's rows that are like one that was; whether there are any. */
static bool refuse_alike(kafka_producer *p, produce_batch *b, rd_kafka_resp_err_t code) {
    const produce_topic *t = b->partition->topic;
    uint32_t all = b->count;
    b->count = 0;
    for (uint32_t i = 0; i < all; i++) {
        const sl_message *m = b->messages[i];
        if (is_alike(t, m, code))
            refuse(p, t, m, code);
        else
            b->messages[b->count++] = m;
    }
    return b->count < all;
}

/* Let some of the batch's messages stand behind it as a batch. */
static err *split_off(kafka_producer *p, produce_batch *b, uint32_t from, uint32_t to) {
    if (from == to) return NULL;
    produce_partition *part = b->partition;
    produce_batch *made;
    err *e = put_some(p, part, b->messages + from, to - from, &made);
    made->next = b->next;
    b->next = made;
    if (part->last == b) part->last = made;
    return e;
}

err *produce_refused(kafka_producer *p, produce_batch *b, rd_kafka_resp_err_t code) {
    produce_topic *t = b->partition->topic;
    err *e = NULL;
    tear(b);
    if (b->count == 1) {
        learn(p, t, b->messages[0], code);
        refuse(p, t, b->messages[0], code);
    } else {
        uint32_t middle = refuse_alike(p, b, code) ? b->count : b->count / 2;
        e = split_off(p, b, middle, b->count);
        if (!e) e = split_off(p, b, 0, middle);
    }
    produce_remove(p, b);
    return e;
}

void produce_fail(kafka_producer *p, const produce_batch *b, rd_kafka_resp_err_t code) {
    if (p->is_over) return;
    p->is_over = true;
    p->user.failed(p->user.owner, b->messages[0], b->partition->topic->name, code);
}

void kafka_producer_drop(kafka_producer *p) {
    produce_hang_up(p, false);
    for (uint32_t i = 0; i < p->busy_count; i++) {
        produce_partition *part = p->busy[i];
        while (part->first) produce_remove(p, part->first);
        rest(p, part);
        part->is_torn = false;
        part->underway = 0;
    }
    if (p->busy_count && !p->transaction) p->who.id = -1; /* sequences are missing */
    p->busy_count = 0;
    p->waiting = 0;
    err_free(p->end);
    p->end = NULL;
}

/* -- the way of a message */

static void note(produce_partition *part, const sl_message *m) {
    if (part->writer.count == part->room) {
        part->room = part->room ? 2 * part->room : 256;
        part->messages = mem_realloc(part->messages, part->room * sizeof *part->messages);
    }
    part->messages[part->writer.count] = m;
}

/* Most bytes of a batch, the less the more are being filled. */
static size_t batch_limit(const kafka_producer *p) {
    size_t share = OPEN_BYTES / p->busy_count;
    if (share < LEAST_BYTES) share = LEAST_BYTES;
    return share < p->batch_bytes ? share : p->batch_bytes;
}

err *kafka_producer_put(kafka_producer *p, kafka_target *to, int32_t number, const sl_message *m) {
    if (p->is_over) return NULL;
    produce_partition *part = find_partition(p, to, number);
    if (!part->is_busy) list_busy(p, part);
    err *e = NULL;
    if (part->writer.count &&
        part->writer.records.len + batch_record_bytes(m) > batch_limit(p)) {
        e = close_batch(p, part);
        if (!e) e = produce_pump(p);
        while (!e && !p->is_over && p->bytes > MOST_BYTES) {
            e = produce_wait(p);
            if (!e) e = produce_pump(p);
        }
    }
    if (e || p->is_over) return e;
    note(part, m);
    batch_writer_put(&part->writer, m);
    p->waiting++;
    return NULL;
}

err *kafka_producer_flush(kafka_producer *p) {
    err *e = NULL;
    for (uint32_t i = 0; !e && i < p->busy_count; i++) e = close_batch(p, p->busy[i]);
    if (!e && p->busy_count) e = produce_pump(p);
    while (!e && p->waiting && !p->is_over) {
        e = produce_wait(p);
        if (!e) e = produce_pump(p);
    }
    for (uint32_t i = 0; !e && !p->waiting && i < p->busy_count; i++) rest(p, p->busy[i]);
    if (!e && !p->waiting) p->busy_count = 0;
    return e;
}
