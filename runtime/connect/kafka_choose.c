/* Which way the source reads: its own, where that can serve, else librdkafka's. */
#include <string.h>
#include <sys/eventfd.h>

#include "runtime/base/mem.h"
#include "runtime/connect/kafka_fetch_state.h"
#include "runtime/connect/kafka_options.h"

enum {
    ANSWER_BYTES = 4 << 20,      /* most of an answer, but for one batch that is larger */
    PARTITION_BYTES = 512 << 10, /* of a partition in it: producers' batches may be as large */
    LEAST_BYTES = 4 << 20,       /* of all queues, whatever a batch may be */
    LEAST_QUEUE = 64 << 10,      /* of one */
    MOST_WAIT_MS = 10000,        /* of a leader for bytes: well before it is taken for dead */
    MOST_RATIO = 16,             /* of packing: where it is more, a part of what came is dropped */
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

static int32_t least(int64_t a, int64_t b) { return (int32_t)(a < b ? a : b); }

static bool is_said(const sl_value *options, const char *name) {
    const sl_value *config = kafka_option(options, "config");
    for (uint32_t i = 0; config && i < config->item_count; i++)
        if (kafka_is(&config->items[i].name, name)) return true;
    return false;
}

static void read_settings(kafka_fetch *f, const kafka_client *c, const sl_value *options) {
    const sl_value *isolation = kafka_option(options, "isolation");
    f->is_committed = !isolation || kafka_is(&isolation->text, "read_committed");
    f->wait_ms = least(kafka_dial_number(c, "fetch.wait.max.ms"), MOST_WAIT_MS);
    f->min_bytes = (int32_t)kafka_dial_number(c, "fetch.min.bytes");
    f->max_bytes = least(kafka_dial_number(c, "fetch.max.bytes"), ANSWER_BYTES);
    f->is_part_said = is_said(options, "fetch.message.max.bytes") ||
                      is_said(options, "max.partition.fetch.bytes");
    f->partition_bytes = f->is_part_said ? (int32_t)kafka_dial_number(c, "fetch.message.max.bytes")
                                         : PARTITION_BYTES;
    f->block_bytes = (int64_t)MOST_RATIO * f->partition_bytes;
    f->frame_bytes = (size_t)kafka_dial_number(c, "receive.message.max.bytes");
    if (is_said(options, "queued.max.messages.kbytes"))
        f->queue_bytes = kafka_dial_number(c, "queued.max.messages.kbytes") * 1024;
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

/* Settings and, for reading over TLS, what it needs; no threads yet. ERR_PLAN: not with these
 * options; `*made` is set in any case. */
static err *make(const kafka_client *c, const sl_value *options, const sl_system *system,
                 kafka_fetch **made) {
    kafka_fetch *f = *made = mem_zalloc(1, sizeof *f);
    pthread_condattr_t steady;
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&f->room, &steady);
    pthread_condattr_destroy(&steady);
    f->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (f->stop_fd < 0) return err_new(ERR_IO, "eventfd: no descriptor left");
    read_settings(f, c, options);
    return kafka_dial_init(&f->dial, options, system);
}

/* -- whether brokers can */

static const kafka_need need = {
    "Fetch",
    WIRE_FETCH,
    WIRE_FETCH_VERSION,
    ": it is older than Kafka 2.3 (write fetch = \"librdkafka\")",
};

err *kafka_fetch_greet(fetch_leader *l) {
    return kafka_dial_greet(&l->f->dial, l->conn, l->address, &need, 1, &l->frame, &l->answer);
}

char *kafka_fetch_try(kafka_client *c, const sl_value *options, const sl_system *system,
                      kafka_fetch **made) {
    kafka_fetch *f = NULL;
    const char *refusal = refusal_of(options, system);
    if (refusal) return mem_copy_text(refusal, strlen(refusal));
    err *e = make(c, options, system, &f);
    if (!e) e = kafka_dial_try(&f->dial, c, &need, 1);
    if (!e) {
        *made = f;
        return NULL;
    }
    char *reason = mem_copy_text(e->message, strlen(e->message));
    err_free(e);
    kafka_fetch_close(f);
    return reason;
}
