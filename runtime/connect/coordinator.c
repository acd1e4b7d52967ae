#include "runtime/connect/coordinator.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/mem.h"

enum {
    SLICE_MS = 20,      /* longest wait without a look */
    SILENT_MS = 5000,   /* no answer for so long: the broker is lost */
    ASK_MS = 1000,      /* for the brokers */
    LEAST_PAUSE_MS = 2, /* before the next try; doubles. Markers of a transaction take about that */
    MOST_PAUSE_MS = 100,
    BUSY_PAUSE_MS = 16, /* the same where it only has to finish something */
    ANSWER_BYTES = 16 << 20,
};

void coordinator_init(coordinator *c, kafka_client *client, const kafka_dial *dial,
                      coordinator_kind kind, const char *key) {
    *c = (coordinator){ .client = client, .dial = dial, .kind = kind, .key = key };
    buf_init(&c->frame);
    buf_init(&c->answer);
}

void coordinator_hang_up(coordinator *c) {
    fetch_conn_close(c->conn);
    c->conn = NULL;
}

void coordinator_done(coordinator *c) {
    coordinator_hang_up(c);
    err_free(c->end);
    buf_done(&c->frame);
    buf_done(&c->answer);
    *c = (coordinator){ 0 };
}

/* -- waiting */

/* What ends the question stays in `end`. */
static err *look(void *owner) {
    coordinator *c = owner;
    int64_t passed_ms = kafka_now_ms() - c->start_ms;
    if (passed_ms > SILENT_MS) kafka_client_lost(c->client, c->client->brokers);
    err *e = c->end ? NULL : kafka_client_check(c->client);
    if (e && e->code == ERR_STOPPED && passed_ms < c->patience_ms) {
        err_free(e);
        e = NULL;
    }
    if (e) c->end = e;
    c->is_late = c->end_ms && kafka_now_ms() >= c->end_ms;
    return c->end || c->is_late ? err_new(ERR_STOPPED, "given up") : NULL;
}

static bool is_over(coordinator *c) {
    err *e = look(c);
    err_free(e);
    return e != NULL;
}

/* Wait before the next try; false: no more. */
static bool pause(coordinator *c, int *pause_ms, int most_ms) {
    for (int left_ms = *pause_ms; left_ms > 0; left_ms -= SLICE_MS) {
        if (is_over(c)) return false;
        poll(NULL, 0, left_ms < SLICE_MS ? left_ms : SLICE_MS);
    }
    *pause_ms = 2 * *pause_ms < most_ms ? 2 * *pause_ms : most_ms;
    return !is_over(c);
}

/* -- requests */

static err *strange(const coordinator *c) {
    return err_new(ERR_BROKER, "the answer of %s makes no sense", c->address);
}

/* Send the frame and take its answer; `r` stands behind the id. */
static err *exchange(coordinator *c, fetch_conn *conn, wire_reader *r) {
    bool is_long;
    err *e = fetch_conn_send(conn, &c->frame);
    if (!e) e = fetch_conn_receive(conn, &c->answer, ANSWER_BYTES, &is_long);
    if (e) return e;
    *r = (wire_reader){ .at = c->answer.data, .end = c->answer.data + c->answer.len };
    return wire_int32(r) == c->request ? NULL : strange(c);
}

static err *connect_to(coordinator *c, const char *address, fetch_conn **conn) {
    const fetch_watch all = { .look = look, .owner = c, .slice_ms = SLICE_MS };
    return fetch_conn_open_watched(address, c->dial->tls, &all, conn);
}

static txn_head next_head(coordinator *c) {
    return (txn_head){ .request = ++c->request, .client = c->dial->client };
}

/* What is said instead of an address, over a connection that is whole. */
static bool is_word(int16_t code) {
    return code == RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE ||
           code == RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
}

/* Ask this broker where the coordinator is; `*instead`: what it says in place of that, or 0. */
static err *ask_where(coordinator *c, const char *address, int16_t *instead) {
    fetch_conn *conn = NULL;
    wire_reader r;
    txn_put_find(&c->frame, next_head(c), c->kind, c->key);
    err *e = connect_to(c, address, &conn);
    if (!e) e = exchange(c, conn, &r);
    fetch_conn_close(conn);
    if (e) return e;
    char found[sizeof c->address] = "";
    int16_t code = txn_read_find(&r, found, sizeof found);
    if (r.is_short) return strange(c);
    *instead = is_word(code) ? code : 0;
    if (*instead) return NULL;
    if (code) return err_new(ERR_BROKER, "the coordinator: %s", rd_kafka_err2str(code));
    memcpy(c->address, found, sizeof found);
    return NULL;
}

static err *find(coordinator *c, int16_t *instead) {
    const rd_kafka_metadata_t *told = NULL;
    char address[sizeof c->address] = "";
    rd_kafka_resp_err_t code = rd_kafka_metadata(c->client->rk, 0, NULL, &told, ASK_MS);
    if (!code && told->broker_cnt) {
        const rd_kafka_metadata_broker_t *b =
            &told->brokers[c->turn++ % (uint32_t)told->broker_cnt];
        snprintf(address, sizeof address, "%s:%d", b->host, b->port);
    }
    if (told) rd_kafka_metadata_destroy(told);
    if (!*address) return err_new(ERR_BROKER, "no broker tells of others");
    return ask_where(c, address, instead);
}

static err *try_once(coordinator *c, const question *q, int16_t *code) {
    wire_reader r;
    err *e = *c->address ? NULL : find(c, code);
    if (!e && *code) return NULL;
    if (!e && !c->conn) e = connect_to(c, c->address, &c->conn);
    if (e) return e;
    q->put(&c->frame, next_head(c), q->arg);
    e = exchange(c, c->conn, &r);
    if (e) return e;
    *code = q->read(&r, q->arg);
    return r.is_short ? strange(c) : NULL;
}

/* Whether the same question is to be put again. */
static bool passes(coordinator *c, const question *q, int16_t code) {
    switch (code) {
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
        coordinator_hang_up(c);
        *c->address = '\0';
        return true;
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION: return true;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        return kafka_now_ms() - c->start_ms < q->missing_ms;
    default: return false;
    }
}

/* The connection is gone: who coordinates is asked anew. Takes `e`. */
static void break_off(coordinator *c, err *e) {
    log_write(c->client->log, LOG_DEBUG, "coordinator", LOG_FIELDS(log_text("error", e->message)));
    snprintf(c->said, sizeof c->said, "%s", e->message);
    err_free(e);
    coordinator_hang_up(c);
    *c->address = '\0';
    c->errors++;
}

err *coordinator_ask(coordinator *c, const question *q, rd_kafka_resp_err_t *code) {
    int pause_ms = LEAST_PAUSE_MS, most_ms;
    c->start_ms = kafka_now_ms();
    c->patience_ms = q->patience_ms;
    c->end_ms = q->limit_ms ? c->start_ms + q->limit_ms : 0;
    c->is_late = false;
    *code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    do {
        int16_t said = 0;
        err *e = try_once(c, q, &said);
        if (!e && !passes(c, q, said)) {
            kafka_client_back(c->client);
            *code = said;
            return NULL;
        }
        most_ms = e ? MOST_PAUSE_MS : BUSY_PAUSE_MS;
        if (e)
            break_off(c, e);
        else
            snprintf(c->said, sizeof c->said, "%s", rd_kafka_err2str(said));
    } while (pause(c, &pause_ms, most_ms));
    err *e = c->end;
    c->end = NULL;
    return e;
}
