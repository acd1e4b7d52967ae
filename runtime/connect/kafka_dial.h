#pragma once
/* What connections of our own to a cluster need, beside librdkafka: the client's name, TLS, and
 * whether its brokers know the requests that are made. thread: the owner's. */
#include "runtime/connect/fetch_conn.h"
#include "runtime/connect/kafka_client.h"

/* A version of a request that brokers must know. */
typedef struct kafka_need {
    const char *name; /* as Kafka calls it */
    int16_t api, version;
    const char *since; /* said of who does not: what does, and the way out */
} kafka_need;

typedef struct kafka_dial {
    char *client;     /* owned; the name in requests */
    tls_context *tls; /* owned; NULL: in clear */
} kafka_dial;

/* Ready it by the options `tls`. ERR_PLAN: an option is wrong. `d` is to be done in any
 * case. */
err *kafka_dial_init(kafka_dial *d, const sl_value *options, const sl_system *system);
void kafka_dial_done(kafka_dial *d);

/* Ask the broker at the other end of `conn` whether it knows all of `needs`, by the two buffers.
 * ERR_BROKER: it does not. */
err *kafka_dial_greet(const kafka_dial *d, fetch_conn *conn, const char *address,
                      const kafka_need *needs, size_t count, buf *frame, buf *answer);

/* Whether the brokers that `c` knows can be reached so, and know all of `needs`: asked is the first
 * that answers. ERR_BROKER: they cannot, or do not. */
err *kafka_dial_try(const kafka_dial *d, kafka_client *c, const kafka_need *needs, size_t count);

/* A number that the client is configured with. */
int64_t kafka_dial_number(const kafka_client *c, const char *name);
