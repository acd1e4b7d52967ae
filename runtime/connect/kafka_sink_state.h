#pragma once
/* What the parts of the Kafka sink share: kafka_sink.c (ops, and the sink's own producer),
 * kafka_send.c (messages to partitions), kafka_probe.c (which rows the broker refuses, within a
 * transaction). thread: flow's main. */
#include "runtime/connect/kafka_produce.h"
#include "runtime/connect/kafka_topics.h"
#include "runtime/connect/kafka_txn.h"

#define KAFKA_REFUSED                                                                             \
    "the broker refuses it: too large, or its content is not allowed, or its time (is the clock " \
    "of this host right?)"

/* A message that was not delivered. */
typedef struct kafka_failure {
    const sl_message *message; /* borrowed until flush has returned */
    rd_kafka_resp_err_t code;
} kafka_failure;

/* In the order of the reports. */
typedef struct kafka_failures {
    kafka_failure *items; /* owned */
    uint32_t count, room;
} kafka_failures;

typedef struct kafka_rejections {
    sl_rejection *items; /* owned, with their texts */
    uint32_t count, room;
} kafka_rejections;

typedef struct kafka_sink {
    kafka_client own;         /* first: reports come with a pointer to it. Not open when in a
                                 transaction */
    kafka_client *client;     /* `own`, or the transaction's */
    kafka_txn *txn;           /* borrowed from the ledger; NULL: the sink writes for itself */
    uint32_t party;           /* its number there */
    kafka_producer *producer; /* the sink's own, or borrowed from `txn`; NULL: librdkafka writes */
    produce_user user;        /* how it is used; the tools are owned */
    uint64_t batch;           /* of the last begin */
    size_t most_bytes;        /* of a row for its own topic, which is not compressed; SIZE_MAX: not
                                 known, the broker judges */
    size_t sent_bytes;        /* of a row, by `config`: our own producer sends no larger one */
    const sl_sink *plan;      /* borrowed */
    sl_system system;         /* its members are borrowed */
    char *title;              /* owned; as the plan calls it */
    char *name;               /* owned; its own topic; NULL: each row names one */
    char *compression;        /* owned */
    kafka_topics topics;      /* written so far; its own is the first */
    kafka_failures refused;   /* for themselves, maybe */
    kafka_failures again;     /* to be sent again */
    err *trouble;             /* owned; a report says that nothing can be delivered */
    bool is_dropping;         /* reports are of messages that were given up */
    kafka_rejections rejections;
    kafka_rejections known; /* in a transaction: rows of `batch` that an attempt before this one
                               found to be refused; by row */
    uint32_t *order;        /* owned; scratch: messages sorted by partition */
    int32_t *partitions;    /* owned; scratch: partition of each message; -1: it is refused */
    kafka_target **to;      /* owned; scratch: topic of each message */
    uint32_t *first;        /* owned; scratch: one a partition of all topics, and one */
    uint32_t scratch_room, first_room;
    int waiting;      /* messages without a report at the last look */
    int64_t moved_ms; /* steady time at which their number last fell */
} kafka_sink;

/* -- kafka_sink.c */

void kafka_failures_put(kafka_failures *list, const sl_message *m, rd_kafka_resp_err_t code);

/* Say that the row of `m` is not taken. */
void kafka_reject(kafka_rejections *list, const sl_message *m, const char *reason);
void kafka_rejections_sort(kafka_rejections *list); /* by row */
void kafka_rejections_clear(kafka_rejections *list);

/* Bytes of a message's parts. */
size_t kafka_message_bytes(const sl_message *m);

/* The error that ends the sink, or NULL when sending again may help. */
err *kafka_sink_judge(const kafka_sink *s, const char *topic, rd_kafka_resp_err_t code);

/* A producer of the sink's own that lost count is of no more use; what it had not delivered comes
 * into `again`. */
err *kafka_sink_replace(kafka_sink *s);

/* Look after the connection while waiting; ERR_STOPPED once stop is set and no reports come. */
err *kafka_sink_watch(kafka_sink *s);

/* Wait until every message has its report; in a transaction, or one of them failed. */
err *kafka_sink_drain(kafka_sink *s);

/* -- kafka_send.c */

/* Send messages, sorted by topic and partition. */
err *kafka_send(kafka_sink *s, const sl_message *messages, uint32_t count);

/* Send one message where it belongs. */
err *kafka_send_one(kafka_sink *s, const sl_message *m);

void kafka_send_done(kafka_sink *s);

/* -- kafka_probe.c */

/* Rows were refused in a transaction: give it up, find out which of `refused` they are, in
 * transactions that are aborted, and keep those in `known`. Always an error: retriable, the batch
 * is to begin again; or what ends the sink. */
err *kafka_probe(kafka_sink *s);
