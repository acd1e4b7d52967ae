/* DESIGN. One request of a connection is answered behind the other, so what is under way stands in
 * a ring. What has no good answer waits in its partition, in its order, until the next pump: the
 * broker tells by the sequences what it has already, and takes nothing out of order (KIP-98), but
 * for the first batch of a producer that it does not know, or no more: it may have any sequence. So
 * of each flush the first batch of a partition goes alone. A partition is written to by one
 * connection at a time: another leader gets its batches once the last answer of the one before is
 * there, or its connection gone. */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/connect/kafka_produce_state.h"
#include "runtime/connect/txn_wire.h"

enum {
    SLICE_MS = 20,        /* longest wait without a look, and nap when nothing is under way */
    ASK_MS = 1000,        /* for leaders */
    RETRY_MS = 100,       /* before a partition is tried again, or asked for */
    LEAST_PAUSE_MS = 100, /* before a broker is connected to again; doubles */
    MOST_PAUSE_MS = 2000,
    MISSING_MS = 2000, /* brokers may not know a topic for so long: word travels */
    REQUEST_BYTES = 8 << 20,
    ANSWER_BYTES = 64 << 20,
};

/* -- the watch */

static produce_batch *any_batch(const kafka_producer *p) {
    for (uint32_t i = 0; i < p->busy_count; i++)
        if (p->busy[i]->first) return p->busy[i]->first;
    return NULL;
}

/* For connections: the error itself stays in `end`. */
static err *look(void *owner) {
    kafka_producer *p = owner;
    const produce_batch *b = p->end_ms && kafka_now_ms() > p->end_ms ? any_batch(p) : NULL;
    if (!p->end) p->end = p->user.watch(p->user.owner);
    if (b) produce_fail(p, b, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT);
    return p->end || b ? err_new(ERR_STOPPED, "given up") : NULL;
}

/* The same, for us. */
static err *watch(kafka_producer *p) {
    err_free(look(p));
    err *e = p->end;
    p->end = NULL;
    return e;
}

/* -- connections */

static void unsend(produce_batch *b) {
    b->is_sent = false;
    if (--b->partition->underway == 0) b->partition->is_torn = false;
}

static void hang_up(produce_leader *l) {
    for (; l->underway; l->underway--, l->first = (l->first + 1) % PRODUCE_UNDERWAY) {
        const produce_request *r = &l->requests[l->first];
        for (uint32_t i = 0; i < r->count; i++) unsend(r->batches[i]);
    }
    fetch_conn_close(l->conn);
    l->conn = NULL;
}

void produce_hang_up(kafka_producer *p, bool all) {
    for (uint32_t i = 0; i < p->leader_count; i++)
        if (all || p->leaders[i]->underway) hang_up(p->leaders[i]);
}

/* The connection is gone: where its partitions are is asked anew. Takes `e`. */
static void break_off(kafka_producer *p, produce_leader *l, err *e) {
    log_write(p->client->log, LOG_DEBUG, "produce", LOG_FIELDS(log_text("error", e->message)));
    err_free(e);
    hang_up(l);
    p->errors++;
    l->retry_ms = kafka_now_ms() + l->pause_ms;
    l->pause_ms = l->pause_ms ? 2 * l->pause_ms : LEAST_PAUSE_MS;
    if (l->pause_ms > MOST_PAUSE_MS) l->pause_ms = MOST_PAUSE_MS;
    for (uint32_t i = 0; i < p->busy_count; i++)
        if (p->busy[i]->leader == l) p->busy[i]->topic->is_stale = true;
}

/* What something over a connection came to; takes `e`. Only what the watch says is an error. */
static err *settle(kafka_producer *p, produce_leader *l, err *e) {
    if (!e) return NULL;
    break_off(p, l, e);
    e = p->end;
    p->end = NULL;
    return e;
}

static err *strange(const produce_leader *l) {
    return err_new(ERR_BROKER, "%s: its answers make no sense", l->address);
}

/* -- leaders */

static produce_leader *leader_of(kafka_producer *p, int32_t id) {
    for (uint32_t i = 0; i < p->leader_count; i++)
        if (p->leaders[i]->id == id) return p->leaders[i];
    if (p->leader_count == p->leader_room) {
        p->leader_room = p->leader_room ? 2 * p->leader_room : 4;
        p->leaders = mem_realloc(p->leaders, p->leader_room * sizeof *p->leaders);
    }
    produce_leader *l = p->leaders[p->leader_count++] = mem_zalloc(1, sizeof *l);
    l->id = id;
    return l;
}

/* The leader as the cluster tells it; NULL: it does not. */
static produce_leader *told_leader(kafka_producer *p, const rd_kafka_metadata_t *told, int32_t id) {
    for (int i = 0; i < told->broker_cnt; i++) {
        char address[sizeof((produce_leader *)0)->address];
        if (told->brokers[i].id != id) continue;
        produce_leader *l = leader_of(p, id);
        snprintf(address, sizeof address, "%s:%d", told->brokers[i].host, told->brokers[i].port);
        if (strcmp(address, l->address) != 0) hang_up(l);
        memcpy(l->address, address, sizeof address);
        return l;
    }
    return NULL;
}

static const produce_batch *batch_of(const kafka_producer *p, const produce_topic *t) {
    for (uint32_t i = 0; i < p->busy_count; i++)
        if (p->busy[i]->topic == t && p->busy[i]->first) return p->busy[i]->first;
    return NULL;
}

/* The topic, or a partition, is not told of; whether that is for good. */
static bool is_gone(produce_topic *t) {
    int64_t now_ms = kafka_now_ms();
    if (!t->missing_ms) t->missing_ms = now_ms;
    return now_ms - t->missing_ms > MISSING_MS;
}

static bool is_told(const rd_kafka_metadata_topic_t *topic, int32_t number) {
    for (int i = 0; i < topic->partition_cnt; i++)
        if (topic->partitions[i].id == number) return true;
    return false;
}

/* A partition that something waits for and that is not told of: the topic has been made anew with
 * fewer, or the broker does not know yet that it has more. */
static void judge_untold(kafka_producer *p, produce_topic *t,
                         const rd_kafka_metadata_topic_t *topic) {
    const produce_batch *untold = NULL;
    for (uint32_t i = 0; i < p->busy_count; i++) {
        produce_partition *part = p->busy[i];
        if (part->topic != t || is_told(topic, part->number)) continue;
        part->leader = NULL;
        if (part->first) untold = part->first;
        t->is_stale = true;
    }
    if (!untold)
        t->missing_ms = 0;
    else if (is_gone(t))
        produce_fail(p, untold, RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION);
}

static void take_leaders(kafka_producer *p, produce_topic *t, const rd_kafka_metadata_t *told) {
    const rd_kafka_metadata_topic_t *topic = &told->topics[0];
    t->is_stale = false;
    for (int i = 0; i < topic->partition_cnt; i++) {
        int32_t number = topic->partitions[i].id;
        produce_partition *part =
            number >= 0 && number < t->count ? t->partitions[number] : NULL;
        if (!part) continue;
        part->leader = told_leader(p, told, topic->partitions[i].leader);
        if (!part->leader && part->is_busy) t->is_stale = true;
    }
    judge_untold(p, t, topic);
}

/* The topic is not there, or not for us: for good, if it stays so. */
static void judge_topic(kafka_producer *p, produce_topic *t, rd_kafka_resp_err_t code) {
    const produce_batch *b = batch_of(p, t);
    bool is_final = code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
                        ? is_gone(t)
                        : code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
                              code == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION;
    if (is_final && b) produce_fail(p, b, code);
}

/* One that is not answered lets the others be asked first. */
static void ask(kafka_producer *p, produce_topic *t) {
    const rd_kafka_metadata_t *told = NULL;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(p->client->rk, t->name, NULL);
    if (!handle) return;
    rd_kafka_resp_err_t code = rd_kafka_metadata(p->client->rk, 0, handle, &told, ASK_MS);
    rd_kafka_topic_destroy(handle);
    t->ask_ms = kafka_now_ms() + (code ? ASK_MS : RETRY_MS);
    if (code) t->missing_ms = 0;
    if (!code && told->topic_cnt == 1 && !told->topics[0].err)
        take_leaders(p, t, told);
    else if (!code && told->topic_cnt == 1)
        judge_topic(p, t, told->topics[0].err);
    if (told) rd_kafka_metadata_destroy(told);
}

/* Each question may take its time: between two of them we look whether to go on at all. */
static err *ask_leaders(kafka_producer *p) {
    err *e = NULL;
    int64_t now_ms = kafka_now_ms();
    for (uint32_t i = 0; !e && !p->is_over && i < p->busy_count; i++) {
        produce_topic *t = p->busy[i]->topic;
        if (!t->is_stale || !p->busy[i]->first || now_ms < t->ask_ms) continue;
        ask(p, t);
        e = watch(p);
    }
    return e;
}

/* -- sending */

static const produce_batch *batch_at(const kafka_producer *p, const produce_place *place) {
    for (uint32_t i = 0; i < p->busy_count; i++)
        if (!strcmp(p->busy[i]->topic->name, place->topic) && p->busy[i]->first)
            return p->busy[i]->first;
    return any_batch(p);
}

/* All partitions that have something become part of the transaction. */
static err *enlist(kafka_producer *p) {
    uint32_t count = 0, bad = 0;
    rd_kafka_resp_err_t code = 0;
    if (!p->transaction) return NULL;
    if (p->place_room < p->busy_count) {
        p->place_room = p->busy_room;
        p->places = mem_realloc(p->places, p->place_room * sizeof *p->places);
    }
    for (uint32_t i = 0; i < p->busy_count; i++)
        if (!p->busy[i]->is_enlisted)
            p->places[count++] = (produce_place){ .topic = p->busy[i]->topic->name,
                                                  .number = p->busy[i]->number };
    if (!count) return NULL;
    err *e = p->transaction->enlist(p->transaction->owner, p->places, count, &bad, &code);
    if (!e && code) produce_fail(p, batch_at(p, &p->places[bad]), code);
    for (uint32_t i = 0; !e && !code && i < p->busy_count; i++) p->busy[i]->is_enlisted = true;
    return e;
}

/* The partition's next batch for this leader, now; NULL: there is none. */
static produce_batch *next_batch(const produce_partition *part, const produce_leader *l,
                                 int64_t now_ms) {
    uint32_t most = part->is_proven ? PRODUCE_UNDERWAY : 1;
    if (part->leader != l || part->retry_ms > now_ms || part->underway >= most) return NULL;
    if (part->underway && (part->via != l || part->is_torn)) return NULL;
    produce_batch *b = part->first;
    while (b && b->is_sent) b = b->next;
    return b;
}

static void add_batch(produce_request *r, produce_batch *b) {
    if (r->count == r->room) {
        r->room = r->room ? 2 * r->room : 8;
        r->batches = mem_realloc(r->batches, r->room * sizeof *r->batches);
    }
    r->batches[r->count++] = b;
}

/* Fill the request with one batch a partition. */
static void fill(kafka_producer *p, const produce_leader *l, produce_request *r) {
    size_t bytes = 0;
    int64_t now_ms = kafka_now_ms();
    r->count = 0;
    for (uint32_t i = 0; i < p->busy_count; i++) {
        produce_batch *b = next_batch(p->busy[i], l, now_ms);
        if (!b || (r->count && bytes + b->bytes.len > REQUEST_BYTES)) continue;
        bytes += b->bytes.len;
        add_batch(r, b);
    }
}

static void stamp(const kafka_producer *p, produce_batch *b) {
    produce_partition *part = b->partition;
    if (b->is_stamped) return;
    b->is_stamped = true;
    b->sequence = part->sequence;
    part->sequence = (part->sequence + b->count) & INT32_MAX;
    batch_producer who = p->who;
    who.sequence = (int32_t)b->sequence;
    batch_stamp(b->bytes.data, b->bytes.len, &who);
}

/* Send what there is for the leader; `*sent` false: nothing. */
static err *send_next(kafka_producer *p, produce_leader *l, bool *sent) {
    uint32_t at = (l->first + l->underway) % PRODUCE_UNDERWAY;
    produce_request *r = &l->requests[at];
    fill(p, l, r);
    *sent = r->count > 0;
    if (!*sent) return NULL;
    r->id = ++p->request_id & INT32_MAX;
    for (uint32_t i = 0; i < r->count; i++) {
        produce_batch *b = r->batches[i];
        stamp(p, b);
        b->is_sent = true;
        b->partition->underway++;
        b->partition->via = l;
    }
    l->underway++;
    produce_put_request(p, r);
    return fetch_conn_send(l->conn, &p->frame);
}

/* -- answers */

/* The broker has lost our sequence: who writes in no transaction begins another one. */
static void lose(kafka_producer *p, const produce_batch *b, rd_kafka_resp_err_t code) {
    if (p->transaction) {
        produce_fail(p, b, code);
        return;
    }
    if (p->who.id >= 0)
        log_warn(p->client->log, "producer replaced", log_text("sink", b->partition->topic->name),
                 log_text("reason", rd_kafka_err2str(code)));
    p->who.id = -1;
    p->is_lost = true;
}

static bool is_final(rd_kafka_resp_err_t code) {
    return code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION ||
           code == RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE ||
           code == RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT;
}

static bool is_lost(const produce_batch *b, rd_kafka_resp_err_t code, bool was_torn) {
    switch (code) {
    case RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER:
        return b == b->partition->first && !was_torn;
    case RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING:
    case RD_KAFKA_RESP_ERR_INVALID_TXN_STATE:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED: return true;
    default: return (int)code == 120; /* TRANSACTION_ABORTABLE (KIP-890) */
    }
}

static void arrived(kafka_producer *p, produce_batch *b) {
    b->partition->is_proven = true;
    p->waiting -= b->count;
    produce_remove(p, b);
}

/* Again, later; behind one that failed at once, in order. */
static void put_off(produce_batch *b, rd_kafka_resp_err_t code) {
    if (code == RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER) return;
    b->partition->retry_ms = kafka_now_ms() + RETRY_MS;
    b->partition->topic->is_stale = true;
}

static err *judge(kafka_producer *p, produce_batch *b, rd_kafka_resp_err_t code) {
    bool was_torn = b->partition->is_torn;
    unsend(b);
    if (!code || code == RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER)
        arrived(p, b);
    else if (kafka_is_refusal(code))
        return produce_refused(p, b, code);
    else if (is_final(code))
        produce_fail(p, b, code);
    else if (is_lost(b, code, was_torn))
        lose(p, b, code);
    else
        put_off(b, code);
    return NULL;
}

static err *take_answer(kafka_producer *p, produce_leader *l) {
    bool is_long;
    produce_request *r = &l->requests[l->first];
    err *e = fetch_conn_receive(l->conn, &p->answer, ANSWER_BYTES, &is_long);
    if (!e && !produce_is_sound(r, p->answer.data, p->answer.len)) e = strange(l);
    if (e) return settle(p, l, e);
    l->pause_ms = 0;
    l->first = (l->first + 1) % PRODUCE_UNDERWAY;
    l->underway--;
    produce_reader in = produce_open(p->answer.data, p->answer.len);
    produce_answer a;
    uint32_t at = 0;
    while (!e && produce_next(&in, &a)) {
        produce_batch *b = produce_find(r, &a, &at);
        r->batches[at - 1] = NULL; /* judged; it may be gone */
        e = judge(p, b, a.code);
    }
    return e;
}

/* -- who writes */

/* Ask the leader for an id, nothing being under way. */
static err *identify(kafka_producer *p, produce_leader *l) {
    bool is_long;
    batch_producer who = p->who;
    int32_t id = ++p->request_id & INT32_MAX;
    txn_put_init(&p->frame, (txn_head){ .request = id, .client = p->dial.client }, &(txn_who){ 0 });
    err *e = fetch_conn_send(l->conn, &p->frame);
    if (!e) e = fetch_conn_receive(l->conn, &p->answer, ANSWER_BYTES, &is_long);
    if (e) return e;
    wire_reader r = { .at = p->answer.data, .end = p->answer.data + p->answer.len };
    bool is_ours = wire_int32(&r) == id;
    int16_t code = txn_read_init(&r, &who);
    if (!is_ours || r.is_short) return strange(l);
    if (is_final(code)) produce_fail(p, any_batch(p), code);
    if (code) {
        l->retry_ms = kafka_now_ms() + RETRY_MS;
        return NULL;
    }
    p->who = who;
    return NULL;
}

/* Without an id nothing is stamped, or under way: all begins at sequence 0. */
static void unstamp(kafka_producer *p) {
    p->is_lost = false;
    produce_hang_up(p, false);
    for (uint32_t i = 0; i < p->topic_count; i++)
        for (int32_t n = 0; n < p->topics[i]->count; n++) {
            produce_partition *part = p->topics[i]->partitions[n];
            if (!part) continue;
            part->sequence = 0;
            part->is_proven = false;
            for (produce_batch *b = part->first; b; b = b->next) b->is_stamped = false;
        }
}

/* -- the pump */

static bool has_work(const kafka_producer *p, const produce_leader *l) {
    int64_t now_ms = kafka_now_ms();
    for (uint32_t i = 0; i < p->busy_count; i++)
        if (next_batch(p->busy[i], l, now_ms)) return true;
    return false;
}

static err *reach(kafka_producer *p, produce_leader *l) {
    const fetch_watch all = { .look = look, .owner = p, .slice_ms = SLICE_MS };
    err *e = NULL;
    if (!l->conn) e = fetch_conn_open_watched(l->address, p->dial.tls, &all, &l->conn);
    if (!e && p->who.id < 0) e = identify(p, l);
    return e;
}

static err *serve(kafka_producer *p, produce_leader *l) {
    err *e = NULL;
    bool sent = has_work(p, l) && l->retry_ms <= kafka_now_ms();
    if (sent) e = reach(p, l);
    while (!e && sent && p->who.id >= 0 && l->underway < PRODUCE_UNDERWAY)
        e = send_next(p, l, &sent);
    if (e) return settle(p, l, e);
    while (!e && l->underway && fetch_conn_has_input(l->conn)) e = take_answer(p, l);
    return e;
}

err *produce_pump(kafka_producer *p) {
    err *e = watch(p);
    if (p->who.id < 0 && !p->transaction) unstamp(p);
    if (!e && !p->is_over) e = ask_leaders(p);
    if (!e && !p->is_over) e = enlist(p);
    /* an id that is lost on the way is replaced behind `unstamp` only: no batch goes by two */
    for (uint32_t i = 0; !e && !p->is_over && !p->is_lost && i < p->leader_count; i++)
        e = serve(p, p->leaders[i]);
    return e;
}

/* The leader whose answer has been waited for longest. */
static produce_leader *oldest(const kafka_producer *p) {
    produce_leader *found = NULL;
    for (uint32_t i = 0; i < p->leader_count; i++) {
        produce_leader *l = p->leaders[i];
        if (!l->underway) continue;
        if (!found || l->requests[l->first].id < found->requests[found->first].id) found = l;
    }
    return found;
}

err *produce_wait(kafka_producer *p) {
    produce_leader *l = oldest(p);
    if (l) return take_answer(p, l);
    poll(NULL, 0, SLICE_MS);
    return watch(p);
}
