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

/* What a topic or a broker is configured with. */
typedef struct kafka_configs {
    rd_kafka_event_t *event; /* owned; NULL: nobody answered */
    const char *error;       /* why nothing was told; NULL: it was */
    const rd_kafka_ConfigEntry_t **entries;
    size_t count;
} kafka_configs;

/* Ask for the configuration of `name` (a topic, or a broker's id). To be done with
 * kafka_configs_done. */
kafka_configs kafka_configs_ask(kafka_client *c, rd_kafka_ResourceType_t type, const char *name,
                                int64_t timeout_ms);
void kafka_configs_done(kafka_configs *c);

/* What `name` is set to, borrowed; NULL when it was not told. */
const char *kafka_configs_text(const kafka_configs *c, const char *name);

/* The number that `name` has; `otherwise` when it was not told. */
int64_t kafka_configs_number(const kafka_configs *c, const char *name, int64_t otherwise);

/* An error of a coordinator that is just being found or loaded. */
bool kafka_is_passing(rd_kafka_resp_err_t code);
