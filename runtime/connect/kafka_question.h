#pragma once
/* One question to a cluster by librdkafka's admin calls: begin makes options and queue for the
 * call, end waits for its answer. thread: the handle's owner. */
#include "runtime/connect/kafka_client.h"

typedef struct kafka_question {
    rd_kafka_AdminOptions_t *options; /* owned */
    rd_kafka_queue_t *queue;          /* owned; where the answer comes */
    int64_t timeout_ms;
} kafka_question;

kafka_question kafka_question_begin(kafka_client *c, rd_kafka_admin_op_t op, int64_t timeout_ms);

/* Wait for the answer; NULL: it did not come in time, or the client's work is at an end
 * (kafka_client_check). What was asked may be destroyed before. Owned: rd_kafka_event_destroy. */
rd_kafka_event_t *kafka_question_end(kafka_client *c, kafka_question *q);

/* An error of a coordinator that is just being found or loaded. */
bool kafka_is_passing(rd_kafka_resp_err_t code);
