/* Which way the source reads: its own, where that can serve, else librdkafka's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "runtime/base/mem.h"
#include "runtime/connect/kafka_fetch_state.h"
#include "runtime/connect/kafka_options.h"
#include "runtime/connect/options.h"

enum {
    ANSWER_BYTES = 4 << 20,      /* most of an answer, but for one batch that is larger */
    PARTITION_BYTES = 512 << 10, /* of a partition in it: producers' batches may be as large */
    LEAST_BYTES = 4 << 20,       /* of all queues, whatever a batch may be */
    LEAST_QUEUE = 64 << 10,      /* of one */
    MOST_WAIT_MS = 10000,        /* of a leader for bytes: well before it is taken for dead */
    MOST_RATIO = 16,             /* of packing: where it is more, a part of what came is dropped */
    TRY_S = 5,                   /* how long a broker may take to say what it knows, at the start */
};

/* -- what the options say */

/* Raw options of librdkafka that mean the same here, or nothing for reading. */
static const char *const served[] = {
    "fetch.wait.max.ms",
    "fetch.min.bytes",
    "fetch.max.bytes",
    "fetch.message.max.bytes",
    "max.partition.fetch.bytes",
    "receive.message.max.bytes",
    "queued.max.messages.kbytes",
    "check.crcs",
    "metadata.max.age.ms",
    "topic.metadata.refresh.interval.ms",
    "topic.metadata.refresh.sparse",
    "debug",
    "log_level",
};

static bool is_served(const sl_string *name) {
    for (size_t i = 0; i < sizeof served / sizeof *served; i++)
        if (kafka_is(name, served[i])) return true;
    return false;
}

static const char *refusal_of(const sl_value *options, const sl_system *system) {
    const sl_value *fetch = kafka_option(options, "fetch"), *sasl = kafka_option(options, "sasl");
    const sl_value *config = kafka_option(options, "config");
    if (fetch && kafka_is(&fetch->text, "librdkafka")) return "option fetch";
    if (sasl && sasl->kind == SL_TABLE && !system->brokers) return "option sasl: it logs in";
    for (uint32_t i = 0; config && i < config->item_count; i++)
        if (!is_served(&config->items[i].name)) return "option config: it alone knows all of it";
    return NULL;
}

/* -- settings */

static int64_t number_of(rd_kafka_t *rk, const char *name) {
    char text[64] = "";
    size_t len = sizeof text;
    rd_kafka_conf_get(rd_kafka_conf(rk), name, text, &len);
    return strtoll(text, NULL, 10);
}

static int32_t least(int64_t a, int64_t b) { return (int32_t)(a < b ? a : b); }

static bool is_said(const sl_value *options, const char *name) {
    const sl_value *config = kafka_option(options, "config");
    for (uint32_t i = 0; config && i < config->item_count; i++)
        if (kafka_is(&config->items[i].name, name)) return true;
    return false;
}

static void read_settings(kafka_fetch *f, rd_kafka_t *rk, const sl_value *options) {
    const sl_value *isolation = kafka_option(options, "isolation");
    f->is_committed = !isolation || kafka_is(&isolation->text, "read_committed");
    f->wait_ms = least(number_of(rk, "fetch.wait.max.ms"), MOST_WAIT_MS);
    f->min_bytes = (int32_t)number_of(rk, "fetch.min.bytes");
    f->max_bytes = least(number_of(rk, "fetch.max.bytes"), ANSWER_BYTES);
    f->is_part_said = is_said(options, "fetch.message.max.bytes") ||
                      is_said(options, "max.partition.fetch.bytes");
    f->partition_bytes = f->is_part_said ? (int32_t)number_of(rk, "fetch.message.max.bytes")
                                         : PARTITION_BYTES;
    f->block_bytes = (int64_t)MOST_RATIO * f->partition_bytes;
    f->frame_bytes = (size_t)number_of(rk, "receive.message.max.bytes");
    if (is_said(options, "queued.max.messages.kbytes"))
        f->queue_bytes = number_of(rk, "queued.max.messages.kbytes") * 1024;
}

void kafka_fetch_size(kafka_fetch *f, int64_t batch_bytes) {
    int64_t most = batch_bytes - batch_bytes / 4;
    if (!f->queue_bytes) f->queue_bytes = most > LEAST_BYTES ? most : LEAST_BYTES;
}

int64_t kafka_fetch_limit(const kafka_fetch *f) {
    int64_t share = f->queue_bytes / (f->s->count ? f->s->count : 1);
    return share > LEAST_QUEUE ? share : LEAST_QUEUE;
}

int32_t kafka_fetch_share(const kafka_fetch *f) {
    int64_t half = kafka_fetch_limit(f) / 2;
    return half < f->partition_bytes && !f->is_part_said ? (int32_t)half : f->partition_bytes;
}

static err *open_tls(kafka_fetch *f, const sl_value *options) {
    const sl_value *tls = kafka_option(options, "tls");
    char *ca = option_copy(tls, "ca", NULL), *cert = option_copy(tls, "cert", NULL);
    char *key = option_copy(tls, "key", NULL), *password = option_copy(tls, "key_password", NULL);
    tls_options wanted = { .ca = ca,
                           .cert = cert,
                           .key = key,
                           .password = password,
                           .ignores_hostname = !option_flag(tls, "verify_hostname", true) };
    const char *wrong = tls_context_new(&wanted, &f->tls);
    mem_free(ca);
    mem_free(cert);
    mem_free(key);
    mem_free(password);
    return wrong ? err_new(ERR_PLAN, "option tls: %s", wrong) : NULL;
}

/* Settings and, for reading over TLS, what it needs; no threads yet. ERR_PLAN: not with these
 * options; `*made` is set in any case. */
static err *make(rd_kafka_t *rk, const sl_value *options, const sl_system *system,
                 kafka_fetch **made) {
    kafka_fetch *f = *made = mem_zalloc(1, sizeof *f);
    const char *client = system->pipeline && *system->pipeline ? system->pipeline : "sluice";
    f->client = mem_copy_text(client, strlen(client));
    pthread_condattr_t steady;
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&f->room, &steady);
    pthread_condattr_destroy(&steady);
    f->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (f->stop_fd < 0) return err_new(ERR_IO, "eventfd: no descriptor left");
    read_settings(f, rk, options);
    const sl_value *tls = kafka_option(options, "tls");
    bool is_tls = tls && (tls->kind == SL_TABLE || (tls->kind == SL_FLAG && tls->number != 0));
    /* brokers in place of the script's own are in this process: in clear, as kafka_client.c has it
     * */
    return is_tls && !system->brokers ? open_tls(f, options) : NULL;
}

/* -- whether brokers can */

err *kafka_fetch_greet(const kafka_fetch *f, fetch_conn *conn, const char *address, buf *frame,
                       buf *answer) {
    enum { ID_BYTES = 4 };
    int16_t most = -1;
    bool is_long;
    wire_put_api_versions(frame, 0, f->client);
    err *e = fetch_conn_send(conn, frame);
    if (!e) e = fetch_conn_receive(conn, answer, f->frame_bytes, &is_long);
    if (e) return e;
    wire_reader r = { .at = answer->data, .end = answer->data + answer->len };
    wire_int32(&r); /* the request's id */
    if (wire_has_fetch(&r, &most)) return NULL;
    return err_new(ERR_BROKER,
                   "broker %s does not know version %d of Fetch, its highest is %d: it is older "
                   "than Kafka 2.3 (write fetch = \"librdkafka\")",
                   address, WIRE_FETCH_VERSION, (int)most);
}

/* Greet one broker. Who hangs must not hold up the start: a timer stops it. */
static err *try_broker(const kafka_fetch *f, const char *address) {
    const struct itimerspec limit = { .it_value.tv_sec = TRY_S };
    buf frame, answer;
    fetch_conn *conn = NULL;
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (timer < 0) return err_new(ERR_IO, "timerfd: no descriptor left");
    timerfd_settime(timer, 0, &limit, NULL);
    buf_init(&frame);
    buf_init(&answer);
    err *e = fetch_conn_open(address, f->tls, timer, &conn);
    if (!e) e = kafka_fetch_greet(f, conn, address, &frame, &answer);
    fetch_conn_close(conn);
    buf_done(&frame);
    buf_done(&answer);
    close(timer);
    if (!e || e->code != ERR_STOPPED) return e;
    err_free(e);
    e = err_new(ERR_BROKER, "connection to %s: no answer for %d s", address, TRY_S);
    e->retriable = true;
    return e;
}

/* Try the brokers up to the first that answers. */
static err *try_brokers(const kafka_fetch *f, const rd_kafka_metadata_t *told) {
    err *e = err_new(ERR_BROKER, "no broker is known yet");
    bool has_answer = false;
    for (int i = 0; i < told->broker_cnt && !has_answer; i++) {
        char address[272];
        err_free(e);
        snprintf(address, sizeof address, "%s:%d", told->brokers[i].host, told->brokers[i].port);
        e = try_broker(f, address);
        has_answer = !e || !e->retriable;
    }
    return e;
}

static err *try_cluster(const kafka_fetch *f, rd_kafka_t *rk) {
    const rd_kafka_metadata_t *told = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(rk, 0, NULL, &told, KAFKA_ANSWER_MS);
    err *e = code ? err_new(ERR_BROKER, "the brokers are not told: %s", rd_kafka_err2str(code))
                  : try_brokers(f, told);
    if (told) rd_kafka_metadata_destroy(told);
    return e;
}

char *kafka_fetch_try(kafka_client *c, const sl_value *options, const sl_system *system,
                      kafka_fetch **made) {
    kafka_fetch *f = NULL;
    const char *refusal = refusal_of(options, system);
    if (refusal) return mem_copy_text(refusal, strlen(refusal));
    err *e = make(c->rk, options, system, &f);
    if (!e) e = try_cluster(f, c->rk);
    if (!e) {
        *made = f;
        return NULL;
    }
    char *reason = mem_copy_text(e->message, strlen(e->message));
    err_free(e);
    kafka_fetch_close(f);
    return reason;
}
