#pragma once
/* Rows to their leaders without librdkafka (decision 0059): each is encoded once, into the record
 * batch of its partition, which is packed, and sent by Produce 7 (Kafka 2.1) with acks=all over
 * connections of our own, several under way. Where leaders are is asked by librdkafka.
 *
 *     put ──▶ batch of the partition ──▶ packed ──▶ request of its leader ══▶ broker
 *                                          ▲  again: no leader, no answer       │
 *                                          └────────────────────────────────────┘
 *
 * Batches have an id and a sequence (KIP-98), so that what is sent again is there once, and a
 * partition keeps its order. A batch that is refused for its size or content is cut in halves until
 * the row is found whose fault it is; with it go those that are alike (of the same time; without a
 * key, the topic being compacted), the others come. Without a transaction a producer whose sequence
 * the broker does not know goes on under a new id: at least once.
 * One owner at a time; thread: the owner's. */
#include "runtime/connect/batch_writer.h"
#include "runtime/connect/kafka_client.h"
#include "runtime/connect/kafka_topics.h"
#include "runtime/connect/kafka_dial.h"

typedef struct kafka_producer kafka_producer;

/* A partition, by name. */
typedef struct produce_place {
    const char *topic; /* borrowed */
    int32_t number;
} produce_place;

/* The transaction that is written in. Borrowed as long as the producer lives. */
typedef struct produce_transaction {
    const char *id;
    /* Make partitions part of it; before the first row of each. `*code`: why one of them, `*bad`,
     * cannot be; 0: all are. */
    err *(*enlist)(void *owner, const produce_place *places, uint32_t count, uint32_t *bad,
                   rd_kafka_resp_err_t *code);
    void *owner;
} produce_transaction;

/* Whose messages come next. */
typedef struct produce_user {
    unpack_codec codec;
    pack_tools *tools; /* of the codec; borrowed */
    /* The message will not be delivered. A refusal (kafka_is_refusal) is of this one alone; another
     * code stands for all that wait. */
    void (*failed)(void *owner, const sl_message *m, const char *topic, rd_kafka_resp_err_t code);
    bool ends_at_refusal; /* of one message: the others are given up */
    /* Called while waiting; its error ends the wait. */
    err *(*watch)(void *owner);
    void *owner;
} produce_user;

/* Why these options want librdkafka; NULL: they do not. */
const char *kafka_producer_refusal(const sl_value *options, const sl_system *system);

/* NULL, and why not: an option, a login, an older broker. Owned: mem_free. `transaction` NULL: the
 * producer gets an id by itself. `c` is borrowed and open as long as the producer lives. */
char *kafka_producer_new(kafka_client *c, const sl_value *options, const sl_system *system,
                         const produce_transaction *transaction, kafka_producer **made);
void kafka_producer_free(kafka_producer *p); /* NULL is allowed */

/* How brokers are reached. Borrowed. */
const kafka_dial *kafka_producer_dial(const kafka_producer *p);

/* Forget what waits, and go on under this id, sequences from 0. */
void kafka_producer_reset(kafka_producer *p, int64_t id, int16_t epoch);

/* A transaction begins: no partition is part of it yet, and all must be there at `end_ms` (steady).
 */
void kafka_producer_begin(kafka_producer *p, int64_t end_ms);

/* Take messages of `user` (copied) from now on; nothing waits. */
void kafka_producer_use(kafka_producer *p, const produce_user *user);

/* Batches have at most so many bytes before they are packed, but for one row that has more. */
void kafka_producer_fit(kafka_producer *p, size_t bytes);

/* Take a message for a partition of `to`; it is borrowed until flush has returned. May wait. */
err *kafka_producer_put(kafka_producer *p, kafka_target *to, int32_t number, const sl_message *m);

/* Wait until every message has arrived or is refused, or all is given up. */
err *kafka_producer_flush(kafka_producer *p);

/* Give up what waits. */
void kafka_producer_drop(kafka_producer *p);

/* Messages that wait. */
uint32_t kafka_producer_waiting(const kafka_producer *p);

/* How many connections broke, so far. */
uint32_t kafka_producer_errors(const kafka_producer *p);

/* Whether the code says that a message itself is not taken. */
bool kafka_is_refusal(rd_kafka_resp_err_t code);
