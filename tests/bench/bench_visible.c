/* How long a record takes from being produced until its result can be read.
 *
 *     bench_visible BROKERS IN OUT RATE SECONDS
 *
 * Produces RATE records a second into topic IN for SECONDS, evenly, each
 * {"id":N,"at":MICROSECONDS}, reads OUT with read_committed from its end, where each comes back,
 * and prints as JSON how many came, how many of them twice, and percentiles of the time between,
 * in ms. The first second does not count: it warms up. */
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TICK_US = 1000,
       PATIENCE_S = 30 };

typedef struct visible {
    const char *brokers, *in, *out;
    int64_t rate, seconds, total;
    uint32_t *waits_us; /* by id; 0: not back yet */
    _Atomic int64_t back, doubled;
    atomic_bool is_ready;
} visible;

static void fail(const char *what) {
    fprintf(stderr, "bench_visible: %s\n", what);
    exit(1);
}

static int64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static rd_kafka_t *client(const visible *v, rd_kafka_type_t type, const char *const *settings) {
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", v->brokers, text, sizeof text);
    for (; *settings; settings += 2)
        if (rd_kafka_conf_set(conf, settings[0], settings[1], text, sizeof text)) fail(text);
    rd_kafka_t *rk = rd_kafka_new(type, conf, text, sizeof text);
    if (!rk) fail(text);
    return rk;
}

static int64_t member(const char *value, size_t len, const char *name) {
    const char *found = memmem(value, len, name, strlen(name));
    if (!found) fail("a row without id or at");
    return atoll(found + strlen(name));
}

static void take(visible *v, const rd_kafka_message_t *m, int64_t at_us) {
    int64_t id = member(m->payload, m->len, "\"id\":");
    int64_t wait = at_us - member(m->payload, m->len, "\"at\":");
    if (id < 0 || id >= v->total) fail("an id that was not produced");
    if (v->waits_us[id]) {
        v->doubled++;
        return;
    }
    v->waits_us[id] = wait > 0 ? (uint32_t)wait : 1;
    v->back++;
}

static rd_kafka_topic_partition_list_t *ends(rd_kafka_t *rk, const char *topic) {
    rd_kafka_topic_t *handle = rd_kafka_topic_new(rk, topic, NULL);
    const struct rd_kafka_metadata *about;
    if (rd_kafka_metadata(rk, 0, handle, &about, 10000)) fail("no metadata of the output topic");
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
    for (int p = 0; p < about->topics[0].partition_cnt; p++) {
        int64_t low, high;
        if (rd_kafka_query_watermark_offsets(rk, topic, p, &low, &high, 10000)) fail("no offsets");
        rd_kafka_topic_partition_list_add(list, topic, p)->offset = high;
    }
    rd_kafka_metadata_destroy(about);
    rd_kafka_topic_destroy(handle);
    return list;
}

static void *reader(void *arg) {
    visible *v = arg;
    static const char *const settings[] = { "group.id", "bench-visible", "isolation.level",
                                            "read_committed", "fetch.wait.max.ms", "5",
                                            "enable.auto.commit", "false", NULL };
    rd_kafka_t *rk = client(v, RD_KAFKA_CONSUMER, settings);
    rd_kafka_poll_set_consumer(rk);
    rd_kafka_topic_partition_list_t *list = ends(rk, v->out);
    if (rd_kafka_assign(rk, list)) fail("cannot read the output topic");
    rd_kafka_topic_partition_list_destroy(list);
    atomic_store(&v->is_ready, true);
    int64_t until_us = now_us() + (v->seconds + PATIENCE_S) * 1000000;
    while (v->back < v->total && now_us() < until_us) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, 100);
        if (!m) continue;
        if (!m->err) take(v, m, now_us());
        rd_kafka_message_destroy(m);
    }
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    return NULL;
}

static void produce(visible *v) {
    static const char *const settings[] = { "linger.ms", "1", "acks", "all",
                                            "socket.nagle.disable", "true", NULL };
    rd_kafka_t *rk = client(v, RD_KAFKA_PRODUCER, settings);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, v->in, NULL);
    int64_t began_us = now_us();
    for (int64_t id = 0; id < v->total;) {
        int64_t due = (now_us() - began_us) * v->rate / 1000000 + 1;
        for (; id < due && id < v->total; id++) {
            char value[96];
            int len = snprintf(value, sizeof value, "{\"id\":%lld,\"at\":%lld}", (long long)id,
                               (long long)now_us());
            while (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, value,
                                    (size_t)len, NULL, 0, NULL))
                rd_kafka_poll(rk, 10);
        }
        rd_kafka_poll(rk, 0);
        usleep(TICK_US);
    }
    if (rd_kafka_flush(rk, PATIENCE_S * 1000)) fail("not everything was produced");
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(rk);
}

static int by_size(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void print(const visible *v) {
    uint32_t *waits = v->waits_us + (v->total > v->rate ? v->rate : 0);
    size_t count = 0;
    for (uint32_t *w = waits; w < v->waits_us + v->total; w++)
        if (*w) waits[count++] = *w;
    if (!count) fail("nothing came back");
    qsort(waits, count, sizeof *waits, by_size);
    double share[] = { 0.5, 0.99, 0.999 }, ms[3];
    for (int i = 0; i < 3; i++) ms[i] = waits[(size_t)(share[i] * (double)(count - 1))] / 1000.0;
    printf("{\"sent\": %lld, \"back\": %lld, \"doubled\": %lld, \"p50_ms\": %.2f, "
           "\"p99_ms\": %.2f, \"p999_ms\": %.2f, \"max_ms\": %.2f}\n",
           (long long)v->total, (long long)v->back, (long long)v->doubled, ms[0], ms[1], ms[2],
           waits[count - 1] / 1000.0);
}

int main(int argc, char **argv) {
    if (argc != 6)
        return fprintf(stderr, "bench_visible BROKERS IN OUT RATE SECONDS\n"), 2;
    visible v = {
        .brokers = argv[1],
        .in = argv[2],
        .out = argv[3],
        .rate = atoll(argv[4]),
        .seconds = atoll(argv[5]),
    };
    v.total = v.rate * v.seconds;
    v.waits_us = calloc((size_t)v.total, sizeof *v.waits_us);
    if (v.total <= 0 || !v.waits_us) fail("RATE and SECONDS: numbers above 0");
    pthread_t thread;
    if (pthread_create(&thread, NULL, reader, &v)) fail("no thread");
    while (!atomic_load(&v.is_ready)) usleep(TICK_US);
    produce(&v);
    pthread_join(thread, NULL);
    print(&v);
    free(v.waits_us);
    return 0;
}
