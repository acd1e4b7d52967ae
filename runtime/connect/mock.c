#include "runtime/connect/mock.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <signal.h>

#include "runtime/base/mem.h"

struct mock {
    rd_kafka_t *rk;                   /* owned; the mock lives in its threads */
    rd_kafka_mock_cluster_t *cluster; /* owned */
};

/* Its thread must get no signals: it ends for good at a poll that one has interrupted. */
static rd_kafka_mock_cluster_t *new_cluster(rd_kafka_t *rk, int brokers) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(rk, brokers);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return cluster;
}

err *mock_new(int brokers, mock **made, const char **addresses) {
    char text[256];
    mock *m = mem_zalloc(1, sizeof *m);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, NULL);
    m->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (!m->rk) rd_kafka_conf_destroy(conf);
    if (m->rk) m->cluster = new_cluster(m->rk, brokers);
    if (!m->cluster) {
        mock_free(m);
        return err_new(ERR_IO, "the embedded Kafka did not start");
    }
    *made = m;
    *addresses = rd_kafka_mock_cluster_bootstraps(m->cluster);
    return NULL;
}

static err *outcome(rd_kafka_resp_err_t code, const char *what) {
    return code ? err_new(ERR_IO, "embedded Kafka: %s: %s", what, rd_kafka_err2str(code)) : NULL;
}

err *mock_create_topic(mock *m, const char *topic, int32_t partitions) {
    return outcome(rd_kafka_mock_topic_create(m->cluster, topic, partitions, 1), topic);
}

void mock_fail(mock *m, int16_t api_key, const int32_t *codes, uint32_t count) {
    rd_kafka_resp_err_t *errors = mem_alloc(count * sizeof *errors);
    for (uint32_t i = 0; i < count; i++) errors[i] = (rd_kafka_resp_err_t)codes[i];
    rd_kafka_mock_push_request_errors_array(m->cluster, api_key, count, errors);
    mem_free(errors);
}

err *mock_stop_broker(mock *m, int32_t id) {
    return outcome(rd_kafka_mock_broker_set_down(m->cluster, id), "stopping a broker");
}

err *mock_start_broker(mock *m, int32_t id) {
    return outcome(rd_kafka_mock_broker_set_up(m->cluster, id), "starting a broker");
}

void mock_free(mock *m) {
    if (m->cluster) rd_kafka_mock_cluster_destroy(m->cluster);
    if (m->rk) rd_kafka_destroy(m->rk);
    mem_free(m);
}
