#pragma once
/* Messages to a topic of Kafka by the sink of the runtime, without a pipeline: for programs of this
 * folder that want a producer which costs little. One a process; what is wrong ends it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/connect/connectors.h"

typedef struct kafka_rows {
    sl_value items[3], options;
    sl_sink plan; /* the sink borrows it: the struct stays where it is until it is closed */
    logger log;
    const sl_sink_ops *ops;
    void *sink;
    uint64_t batch;
} kafka_rows;

static inline void kafka_rows_check(err *e) {
    if (!e) return;
    fprintf(stderr, "kafka_rows: %s\n", e->message);
    exit(1);
}

static inline sl_string kafka_rows_text(const char *text) {
    return (sl_string){ .data = text, .len = (uint32_t)strlen(text) };
}

static inline sl_value kafka_rows_option(const char *name, const char *text) {
    return (sl_value){
        .name = kafka_rows_text(name),
        .kind = SL_TEXT,
        .text = kafka_rows_text(text),
    };
}

static inline void kafka_rows_open(kafka_rows *k, const char *brokers, const char *topic,
                                   const char *compression) {
    static const volatile int stop = 0;
    static const clock_source clock = { 0 };
    k->items[0] = kafka_rows_option("brokers", brokers);
    k->items[1] = kafka_rows_option("topic", topic);
    k->items[2] = kafka_rows_option("compression", compression);
    k->options = (sl_value){ .kind = SL_TABLE, .items = k->items, .item_count = 3 };
    k->plan = (sl_sink){
        .name = kafka_rows_text(topic),
        .connector = kafka_rows_text("kafka"),
        .options = &k->options,
        .on_error = SL_ON_ERROR_FAIL,
    };
    log_init(&k->log, 2, LOG_LOGFMT, LOG_INFO); /* it says so when librdkafka writes */
    const sl_system system = { .pipeline = "bench",
                               .log = &k->log,
                               .clock = &clock,
                               .stop = &stop };
    k->ops = connector_sink(&k->plan.connector);
    k->batch = 0;
    kafka_rows_check(k->ops->open(&k->plan, &system, &k->sink));
}

/* A batch begins; its time in Unix ms. */
static inline int64_t kafka_rows_begin(kafka_rows *k) {
    int64_t now_ms = clock_now_ms(&(clock_source){ 0 });
    kafka_rows_check(k->ops->begin(k->sink, k->batch++, now_ms));
    return now_ms;
}

static inline void kafka_rows_write(kafka_rows *k, const sl_message *messages, uint32_t count) {
    kafka_rows_check(k->ops->write(k->sink, messages, count));
}

/* Wait until the batch has arrived, and all of it. */
static inline void kafka_rows_end(kafka_rows *k) {
    const sl_rejection *rejections;
    uint32_t refused;
    kafka_rows_check(k->ops->flush(k->sink, &rejections, &refused));
    if (!refused) return;
    fprintf(stderr, "kafka_rows: %s\n", rejections->reason);
    exit(1);
}

static inline void kafka_rows_close(kafka_rows *k) { k->ops->close(k->sink); }
