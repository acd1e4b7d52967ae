#include "runtime/connect/kafka_admin.h"

#include "runtime/base/mem.h"

enum { BROKER_DEFAULT = -1 }; /* replication factor: KIP-464 */

static err *failed(kafka_client *c, const char *topic, int32_t partitions, rd_kafka_resp_err_t code,
                   const char *said) {
    char *command = kafka_create_command(c, topic, partitions);
    bool is_denied = code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
                     code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
    err *e = err_new(is_denied ? ERR_AUTH : ERR_BROKER,
                     "topic %s does not exist on %s and cannot be made: %s (make it: %s)", topic,
                     c->brokers, said ? said : rd_kafka_err2str(code), command);
    mem_free(command);
    return e;
}

static err *read_result(kafka_client *c, const char *topic, int32_t partitions,
                        rd_kafka_event_t *event) {
    if (!event) return failed(c, topic, partitions, RD_KAFKA_RESP_ERR__TIMED_OUT, NULL);
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    if (code) return failed(c, topic, partitions, code, rd_kafka_event_error_string(event));
    size_t count = 0;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    code = count ? rd_kafka_topic_result_error(results[0]) : RD_KAFKA_RESP_ERR_UNKNOWN;
    if (!code || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) return NULL;
    return failed(c, topic, partitions, code,
                  count ? rd_kafka_topic_result_error_string(results[0]) : NULL);
}

err *kafka_topic_create(kafka_client *c, const char *topic, int32_t partitions) {
    char text[256];
    rd_kafka_NewTopic_t *wish =
        rd_kafka_NewTopic_new(topic, partitions, BROKER_DEFAULT, text, sizeof text);
    if (!wish) return err_new(ERR_PLAN, "topic %s: %s", topic, text);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(c->rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_AdminOptions_set_request_timeout(options, KAFKA_START_MS / 2, text, sizeof text);
    rd_kafka_AdminOptions_set_operation_timeout(options, KAFKA_START_MS / 2, text, sizeof text);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(c->rk);
    rd_kafka_CreateTopics(c->rk, &wish, 1, options, queue);
    rd_kafka_event_t *event = NULL;
    err *e = NULL;
    int64_t end_ms = kafka_now_ms() + KAFKA_START_MS;
    while (!event && !e && kafka_now_ms() < end_ms) {
        event = rd_kafka_queue_poll(queue, KAFKA_SLICE_MS);
        e = kafka_client_check(c);
    }
    if (!e) e = read_result(c, topic, partitions, event);
    if (event) rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_NewTopic_destroy(wish);
    return e;
}
