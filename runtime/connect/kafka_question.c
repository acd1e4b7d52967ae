#include "runtime/connect/kafka_question.h"

#include <stdlib.h>
#include <string.h>

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

kafka_configs kafka_configs_ask(kafka_client *c, rd_kafka_ResourceType_t type, const char *name,
                                int64_t timeout_ms) {
    kafka_configs told = { 0 };
    rd_kafka_ConfigResource_t *wish = rd_kafka_ConfigResource_new(type, name);
    kafka_question q =
        kafka_question_begin(c, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, timeout_ms);
    rd_kafka_DescribeConfigs(c->rk, &wish, 1, q.options, q.queue);
    told.event = kafka_question_end(c, &q);
    rd_kafka_ConfigResource_destroy(wish);
    size_t count = 0;
    rd_kafka_resp_err_t code =
        told.event ? rd_kafka_event_error(told.event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    const rd_kafka_ConfigResource_t **resources =
        code ? NULL
             : rd_kafka_DescribeConfigs_result_resources(
                   rd_kafka_event_DescribeConfigs_result(told.event), &count);
    if (!code)
        code = count ? rd_kafka_ConfigResource_error(resources[0]) : RD_KAFKA_RESP_ERR_UNKNOWN;
    if (code)
        told.error = told.event ? rd_kafka_err2name(code) : "no answer";
    else
        told.entries = rd_kafka_ConfigResource_configs(resources[0], &told.count);
    return told;
}

void kafka_configs_done(kafka_configs *c) {
    if (c->event) rd_kafka_event_destroy(c->event);
    *c = (kafka_configs){ 0 };
}

const char *kafka_configs_text(const kafka_configs *c, const char *name) {
    for (size_t i = 0; i < c->count; i++)
        if (!strcmp(rd_kafka_ConfigEntry_name(c->entries[i]), name))
            return rd_kafka_ConfigEntry_value(c->entries[i]);
    return NULL;
}

int64_t kafka_configs_number(const kafka_configs *c, const char *name, int64_t otherwise) {
    const char *value = kafka_configs_text(c, name);
    return value ? strtoll(value, NULL, 10) : otherwise;
}

bool kafka_is_passing(rd_kafka_resp_err_t code) {
    return code == RD_KAFKA_RESP_ERR_NOT_COORDINATOR ||
           code == RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS ||
           code == RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE;
}
