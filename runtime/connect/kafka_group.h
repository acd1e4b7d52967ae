#pragma once
/* The offsets of a consumer group: read with their metadata, and committed without a transaction.
 * A handle of its own, of the consumer kind, that joins nothing and reads nothing: it lives on when
 * a producer is lost. thread: the handle's owner. */
#include "runtime/connect/kafka_client.h"

typedef struct kafka_group {
    kafka_client client;
    char *name; /* owned */
    const sl_checkpoint *plan;
    sl_system system;
} kafka_group;

/* What a question for the offsets came to. */
typedef enum kafka_answer {
    KAFKA_TOLD,
    KAFKA_PENDING, /* a transaction that has offsets of them is open */
    KAFKA_NO_WORD, /* nobody answered in time */
} kafka_answer;

/* Options as of kafka_client_open. On error `g` is clean. */
err *kafka_group_open(kafka_group *g, const sl_checkpoint *plan, const sl_system *system);
void kafka_group_close(kafka_group *g);

/* Find the partitions that the group has an offset of; what stands in the list beside them is not
 * to be relied on: asked for all, a broker does not tell of open transactions. `*list`: sorted
 * (kafka_marks.h), owned by the caller. Only for a start, when brokers have just answered: a broker
 * that goes away within this question can end the process (librdkafka's issue 4605). ERR_BROKER,
 * ERR_AUTH, ERR_STOPPED. */
err *kafka_group_find(kafka_group *g, rd_kafka_topic_partition_list_t **list);

/* Ask for the offsets of `wanted` as they were committed last; those that an open transaction holds
 * are waited for, `timeout_ms` at most. `*list`: sorted, owned by the caller; NULL unless told.
 * ERR_AUTH, ERR_STOPPED. */
err *kafka_group_read(kafka_group *g, const rd_kafka_topic_partition_list_t *wanted,
                      int64_t timeout_ms, kafka_answer *answer,
                      rd_kafka_topic_partition_list_t **list);

/* ERR_FENCED: the group has live members, says who; NULL also when that is not told. */
err *kafka_group_alone(kafka_group *g);

/* Commit `list` as one that is no member; waits, with the broker away too, until stop is set.
 * ERR_FENCED: the group has members, says who. ERR_AUTH, ERR_BROKER: for good. */
err *kafka_group_commit(kafka_group *g, const rd_kafka_topic_partition_list_t *list);
