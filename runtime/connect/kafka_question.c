#include "runtime/connect/kafka_question.h"

kafka_question kafka_question_begin(kafka_client *c, rd_kafka_admin_op_t op, int64_t timeout_ms) {
    char text[256];
    kafka_question q = { .options = rd_kafka_AdminOptions_new(c->rk, op),
                         .queue = rd_kafka_queue_new(c->rk),
                         .timeout_ms = timeout_ms };
    rd_kafka_AdminOptions_set_request_timeout(q.options, (int)timeout_ms, text, sizeof text);
    return q;
}

rd_kafka_event_t *kafka_question_end(kafka_client *c, kafka_question *q) {
    rd_kafka_event_t *event = NULL;
    err *e = NULL;
    int64_t end_ms = kafka_now_ms() + q->timeout_ms + KAFKA_SLICE_MS;
    while (!event && !e && kafka_now_ms() < end_ms) {
        event = rd_kafka_queue_poll(q->queue, KAFKA_SLICE_MS);
        e = kafka_client_check(c);
    }
    err_free(e);
    rd_kafka_queue_destroy(q->queue);
    rd_kafka_AdminOptions_destroy(q->options);
    return event;
}

bool kafka_is_passing(rd_kafka_resp_err_t code) {
    return code == RD_KAFKA_RESP_ERR_NOT_COORDINATOR ||
           code == RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS ||
           code == RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE;
}
