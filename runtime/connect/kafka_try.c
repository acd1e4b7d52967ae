#include "runtime/connect/kafka_try.h"

#include <stdio.h>

#include "runtime/base/mem.h"

enum {
    TRY_MS = 4000,
    MOST_BYTES = 16 << 20, /* no larger record is sent to be refused */
    ROOM_BYTES = 1 << 16,  /* of the request around it */
};

static bool is_denied(rd_kafka_resp_err_t code) {
    return code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
}

rd_kafka_resp_err_t kafka_try_read(kafka_client *c, const char *topic, int32_t partition,
                                   int64_t offset, buf *value) {
    rd_kafka_topic_t *handle = rd_kafka_topic_new(c->rk, topic, NULL);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    int64_t end_ms = kafka_now_ms() + TRY_MS;
    bool is_open = rd_kafka_consume_start(handle, partition, offset) == 0;
    bool has_answer = !is_open;
    while (!has_answer && kafka_now_ms() < end_ms) {
        rd_kafka_message_t *message = rd_kafka_consume(handle, partition, KAFKA_SLICE_MS);
        if (!message) continue;
        has_answer = true;
        if (is_denied(message->err)) code = message->err;
        if (!message->err && message->payload) buf_put(value, message->payload, message->len);
        rd_kafka_message_destroy(message);
    }
    if (is_open) rd_kafka_consume_stop(handle, partition);
    rd_kafka_topic_destroy(handle);
    return code;
}

/* The outcome goes where the message says. */
static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque) {
    (void)rk;
    (void)opaque;
    *(rd_kafka_resp_err_t *)message->_private = message->err;
}

/* Send a record of `bytes` zeros and wait for what the broker says. */
static rd_kafka_resp_err_t send_zeros(kafka_client *c, const char *topic, size_t bytes) {
    rd_kafka_resp_err_t outcome = RD_KAFKA_RESP_ERR__IN_PROGRESS;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(c->rk, topic, NULL);
    char *zeros = mem_zalloc(1, bytes);
    if (rd_kafka_produce(handle, 0, RD_KAFKA_MSG_F_COPY, zeros, bytes, "", 0, &outcome) != 0)
        outcome = rd_kafka_last_error();
    int64_t end_ms = kafka_now_ms() + TRY_MS;
    while (outcome == RD_KAFKA_RESP_ERR__IN_PROGRESS && kafka_now_ms() < end_ms)
        rd_kafka_poll(c->rk, KAFKA_SLICE_MS);
    rd_kafka_purge(c->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(c->rk, KAFKA_SLICE_MS); /* no report comes after this function */
    mem_free(zeros);
    rd_kafka_topic_destroy(handle);
    return outcome;
}

rd_kafka_resp_err_t kafka_try_write(const sl_value *options, const sl_system *system,
                                    const char *topic, int64_t limit_bytes, bool *tried) {
    *tried = false;
    if (limit_bytes <= 0 || limit_bytes > MOST_BYTES) return RD_KAFKA_RESP_ERR_NO_ERROR;
    char most[24];
    snprintf(most, sizeof most, "%lld", (long long)limit_bytes + 2 * ROOM_BYTES);
    const kafka_setting settings[] = {
        { "message.max.bytes", most, NULL },
        { "compression.type", "none", NULL },
        { "message.timeout.ms", "4000", NULL },
        { "retries", "0", NULL },
        { "linger.ms", "0", NULL },
        { "enable.idempotence", "false", NULL },
    };
    kafka_client c;
    err *e = kafka_client_open(&c, RD_KAFKA_PRODUCER, options, system, settings,
                               sizeof settings / sizeof *settings, on_report);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (!e) {
        code = send_zeros(&c, topic, (size_t)limit_bytes + ROOM_BYTES);
        *tried = is_denied(code) || code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
        kafka_client_close(&c);
    }
    err_free(e);
    return is_denied(code) ? code : RD_KAFKA_RESP_ERR_NO_ERROR;
}
