#pragma once
/* What connections of our own to a cluster need, beside librdkafka: the client's name, TLS, and
 * whether its brokers know the requests that are made. thread: the owner's. */
#include "runtime/connect/fetch_conn.h"
#include "runtime/connect/kafka_client.h"

/* A version of a request that brokers must know. */
typedef struct kafka_need {
    const char *name; /* as Kafka calls it */
    int16_t api, version;
} kafka_need;

typedef struct kafka_way {
    char *client;     /* owned; the name in requests */
    tls_context *tls; /* owned; NULL: in clear */
} kafka_way;

/* Ready the way by the options `tls`. ERR_PLAN: an option is wrong. `w` is to be done in any
 * case. */
err *kafka_way_init(kafka_way *w, const sl_value *options, const sl_system *system);
void kafka_way_done(kafka_way *w);

/* Whether the brokers that `c` knows can be reached so, and know all of `needs`: asked is the first
 * that answers. ERR_BROKER: they cannot, or do not. */
err *kafka_way_try(const kafka_way *w, kafka_client *c, const kafka_need *needs, size_t count);

/* A number that the client is configured with. */
int64_t kafka_way_number(const kafka_client *c, const char *name);
