#pragma once
/* One librdkafka handle with what both ends share: options to configuration, log lines, and which
 * troubles are for good. A connection that is refused for good (authentication, TLS, at start also
 * nobody there) is an error within KAFKA_START_MS; one that is lost later is tried for ever.
 *
 * librdkafka's own chatter goes to the log at debug. "broker lost" and "broker back" are written
 * once each, by whoever has evidence: kafka_watch.c by leaders that do not answer, kafka_sink.c by
 * delivery reports that do not come. Does not read or write records. */
#include <librdkafka/rdkafka.h>
#include <pthread.h>

#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/connect/outage.h"
#include "runtime/shared/connect.h"

enum {
    KAFKA_START_MS = 9000,   /* how long a start waits for a broker */
    KAFKA_UNKNOWN_MS = 2000, /* a topic may be unknown so long at start: it may be new */
    KAFKA_SLICE_MS = 50,     /* longest wait without a look at `stop` */
};

/* A librdkafka option that the connector sets. */
typedef struct kafka_setting {
    const char *name;
    const char *value; /* NULL: not set, only refused in `config` */
    const char *why;   /* `config` must not set it: what to do instead; NULL: a default, it may */
} kafka_setting;

typedef struct kafka_client {
    rd_kafka_t *rk;           /* owned; NULL until opened */
    char *brokers;            /* owned; the addresses a start connects to */
    struct logger *log;       /* borrowed */
    const volatile int *stop; /* borrowed from sl_system */
    pthread_mutex_t lock;     /* guards what follows */
    err_code trouble;         /* what is wrong for good; 0: nothing */
    char *reason;             /* owned; what was last said to be wrong; may be NULL */
    uint32_t errors;          /* of connections and requests, told so far */
    int64_t tls_ms;           /* steady time since which TLS is refused; 0: it is not */
    outages *outages;         /* shared by the pipeline's clients, or NULL; borrowed */
    int64_t lost_ms;          /* steady time at which "broker lost" was written; 0: not lost */
    bool started;             /* a broker has answered */
} kafka_client;

/* Told of each message that was not delivered; `opaque` is the kafka_client. From rd_kafka_poll. */
typedef void (*kafka_report)(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque);

/* Make a handle of `type` from `options` (brokers, config, tls, sasl) and `settings` (`count`,
 * later ones win); `report` is for producers, else NULL. ERR_PLAN: an option is wrong, the message
 * names it. Does not wait for the network. On error `c` is clean, too. */
err *kafka_client_open(kafka_client *c, rd_kafka_type_t type, const sl_value *options,
                       const sl_system *system, const kafka_setting *settings, size_t count,
                       kafka_report report);

/* Destroy the handle; topics and queues of it must be gone. */
void kafka_client_close(kafka_client *c);

/* Serve callbacks and tell what ends the work: ERR_STOPPED, ERR_AUTH, ERR_BROKER (TLS). Cheap.
 * thread: the one that owns the handle. */
err *kafka_client_check(kafka_client *c);

/* How many errors of connections and requests the handle has told so far. Cheap. */
uint32_t kafka_client_errors(kafka_client *c);

/* Ask for the partitions of `topic`, waiting for a first broker up to KAFKA_START_MS. ERR_BROKER:
 * nobody there; ERR_MISSING: no such topic (with the command to make it); ERR_AUTH: refused.
 * `missing`, if not NULL, is set instead of the error when the topic does not exist. */
err *kafka_client_partitions(kafka_client *c, rd_kafka_topic_t *topic, int32_t *count,
                             bool *missing);

/* Wait for a first broker up to KAFKA_START_MS. ERR_BROKER: nobody there. */
err *kafka_client_await(kafka_client *c);

/* A broker does not answer: write "broker lost", once; called again for as long as it does not.
 * thread: any. */
void kafka_client_lost(kafka_client *c, const char *broker);

/* Everything answers: write "broker back" if one was lost. thread: any. */
void kafka_client_back(kafka_client *c);

/* Steady time, ms; real also when the pipeline runs on a manual clock. */
int64_t kafka_now_ms(void);

/* What to type to make `topic`. Owned by the caller: mem_free. */
char *kafka_create_command(const kafka_client *c, const char *topic, int32_t partitions);
