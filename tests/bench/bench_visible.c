/* How long a record takes from when it is to be produced until its result can be read.
 *
 *     bench_visible BROKERS IN OUT RATE SECONDS [KEYS]
 *
 * Produces RATE records a second into topic IN for SECONDS, evenly, each
 * {"id":N,"key":N % KEYS,"at":MICROSECONDS}, reads OUT with read_committed from its end and prints
 * as JSON how many came, how many of them twice, and percentiles of the time between, in ms. `at`
 * is when the record was due: a producer that is held up does not make the result look better
 * (coordinated omission). Every ms what is due is sent by the sink of the runtime, not packed,
 * once what went before is acknowledged: a client that queues record by record takes a quarter of a
 * core more, which the others lack on a small machine. librdkafka reads. The first second does not
 * count: it warms up.
 *
 * Without KEYS each record comes back, with its id (visible.lua). With KEYS a row
 * {"key":K,"n":N} shows that the first N records of the key have been counted (latency.lua): a key
 * has one partition, so these are known. A count that is too high fails here. */
#include <librdkafka/rdkafka.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/kafka_rows.h"

enum { TICK_US = 1000,
       MOST_AT_ONCE = 20000,
       PATIENCE_S = 30,
       PER_OCTAVE = 64, /* buckets, as in HdrHistogram: an error of 1.6 % at most */
       BUCKETS = 32 * PER_OCTAVE };

typedef struct visible {
    const char *brokers, *in, *out;
    int64_t rate, seconds, total, keys, began_us;
    int32_t partitions;
    uint32_t *waits_us; /* by id; 0: not back yet */
    int64_t *seen;      /* by key: records that have been counted */
    int64_t rows;
    uint64_t at_most[BUCKETS];
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

static int64_t due_us(const visible *v, int64_t id) {
    return v->began_us + id * 1000000 / v->rate;
}

static void note(visible *v, int64_t id, int64_t at_us) {
    if (id < 0 || id >= v->total) fail("an id that was not produced");
    int64_t wait = at_us - due_us(v, id);
    if (v->waits_us[id]) {
        v->doubled++;
        return;
    }
    v->waits_us[id] = wait > 0 ? (uint32_t)wait : 1;
    v->back++;
}

static void take(visible *v, const rd_kafka_message_t *m, int64_t at_us) {
    v->rows++;
    if (!v->keys) {
        note(v, member(m->payload, m->len, "\"id\":"), at_us);
        return;
    }
    int64_t key = member(m->payload, m->len, "\"key\":"), n = member(m->payload, m->len, "\"n\":");
    if (key < 0 || key >= v->keys) fail("a key that was not produced");
    if (n <= v->seen[key]) v->doubled++;
    for (; v->seen[key] < n; v->seen[key]++) note(v, key + v->seen[key] * v->keys, at_us);
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

static int32_t partition_count(const visible *v) {
    const struct rd_kafka_metadata *about;
    rd_kafka_t *rk = client(v, RD_KAFKA_PRODUCER, (const char *const[]){ NULL });
    rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, v->in, NULL);
    if (rd_kafka_metadata(rk, 0, topic, &about, 10000)) fail("no metadata of the input topic");
    int32_t count = about->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(about);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(rk);
    if (count <= 0) fail("no input topic");
    return count;
}

static int make(const visible *v, int64_t id, int64_t key, char *to, size_t size) {
    long long at = due_us(v, id);
    if (!v->keys) return snprintf(to, size, "{\"id\":%lld,\"at\":%lld}", (long long)id, at);
    return snprintf(to, size, "{\"id\":%lld,\"key\":%lld,\"at\":%lld}", (long long)id,
                    (long long)key, at);
}

/* Records [id, due), at most MOST_AT_ONCE, until they are acknowledged; where they end. */
static int64_t send_due(const visible *v, kafka_rows *to, int64_t id, int64_t due) {
    static sl_message messages[MOST_AT_ONCE];
    static char values[MOST_AT_ONCE][96];
    int64_t now_ms = kafka_rows_begin(to);
    uint32_t count = 0;
    for (; id < due && count < MOST_AT_ONCE; id++, count++) {
        int64_t key = v->keys ? id % v->keys : id;
        int len = make(v, id, key, values[count], sizeof *values);
        messages[count] = (sl_message){
            .value = { .data = values[count], .len = (uint32_t)len },
            .partition = (int32_t)(key % v->partitions),
            .time_ms = now_ms,
            .row = count,
        };
    }
    kafka_rows_write(to, messages, count);
    kafka_rows_end(to);
    return id;
}

static void produce(visible *v) {
    kafka_rows to;
    kafka_rows_open(&to, v->brokers, v->in, "none");
    v->began_us = now_us() + TICK_US;
    for (int64_t id = 0; id < v->total;) {
        int64_t now = now_us(), since = now - v->began_us;
        int64_t due = since < 0 ? 0 : since * v->rate / 1000000 + 1;
        if (due > v->total) due = v->total;
        if (id < due) id = send_due(v, &to, id, due);
        int64_t left = now + TICK_US - now_us();
        if (left > 0) usleep((useconds_t)left);
    }
    kafka_rows_close(&to);
}

/* Log-linear: the buckets of an octave have one width. */
static uint32_t bucket(uint32_t us) {
    if (us < PER_OCTAVE * 2) return us;
    uint32_t octave = 31 - (uint32_t)__builtin_clz(us), shift = octave - 6;
    return (shift + 1) * PER_OCTAVE + (us >> shift) - PER_OCTAVE;
}

static double bucket_end_ms(uint32_t index) {
    if (index < PER_OCTAVE * 2) return index / 1000.0;
    uint32_t shift = index / PER_OCTAVE - 1;
    return (double)(((index % PER_OCTAVE + PER_OCTAVE + 1ull) << shift) - 1) / 1000.0;
}

/* The end of the bucket in which it lies. */
static double percentile_ms(const visible *v, double share, uint64_t count, double most_ms) {
    uint64_t rank = (uint64_t)(share * (double)count), below = 0;
    for (uint32_t i = 0; i < BUCKETS; i++)
        if ((below += v->at_most[i]) > rank) return fmin(bucket_end_ms(i), most_ms);
    return most_ms;
}

static void print(visible *v) {
    uint64_t count = 0;
    uint32_t most = 0;
    for (int64_t id = v->total > v->rate ? v->rate : 0; id < v->total; id++) {
        uint32_t wait = v->waits_us[id];
        if (!wait) continue;
        v->at_most[bucket(wait)]++;
        if (wait > most) most = wait;
        count++;
    }
    if (!count) fail("nothing came back");
    double most_ms = most / 1000.0;
    printf("{\"sent\": %lld, \"back\": %lld, \"doubled\": %lld, \"rows\": %lld, \"p50_ms\": %.2f, "
           "\"p99_ms\": %.2f, \"p999_ms\": %.2f, \"max_ms\": %.2f}\n",
           (long long)v->total, (long long)v->back, (long long)v->doubled, (long long)v->rows,
           percentile_ms(v, 0.5, count, most_ms), percentile_ms(v, 0.99, count, most_ms),
           percentile_ms(v, 0.999, count, most_ms), most_ms);
}

int main(int argc, char **argv) {
    if (argc != 6 && argc != 7)
        return fprintf(stderr, "bench_visible BROKERS IN OUT RATE SECONDS [KEYS]\n"), 2;
    visible v = {
        .brokers = argv[1],
        .in = argv[2],
        .out = argv[3],
        .rate = atoll(argv[4]),
        .seconds = atoll(argv[5]),
        .keys = argc > 6 ? atoll(argv[6]) : 0,
    };
    v.total = v.rate * v.seconds;
    v.waits_us = calloc((size_t)v.total, sizeof *v.waits_us);
    v.seen = calloc((size_t)v.keys + 1, sizeof *v.seen);
    if (v.total <= 0 || v.keys < 0 || !v.waits_us || !v.seen)
        fail("RATE and SECONDS: numbers above 0");
    v.partitions = partition_count(&v);
    pthread_t thread;
    if (pthread_create(&thread, NULL, reader, &v)) fail("no thread");
    while (!atomic_load(&v.is_ready)) usleep(TICK_US);
    produce(&v);
    pthread_join(thread, NULL);
    print(&v);
    free(v.waits_us);
    free(v.seen);
    return 0;
}
