#pragma once
/* Lists of offsets with the pointer's text: what is to be committed, and what is. All are sorted by
 * topic and partition. thread: any. */
#include <librdkafka/rdkafka.h>
#include <stdbool.h>

#include "runtime/base/buf.h"
#include "runtime/shared/ledger.h"

/* A list of `marks`, each with `pointer`. Owned: rd_kafka_topic_partition_list_destroy. */
rd_kafka_topic_partition_list_t *kafka_marks_list(const char *pointer, const sl_mark *marks,
                                                  uint32_t count);

/* Destroy; NULL is allowed. */
void kafka_marks_free(rd_kafka_topic_partition_list_t *list);

/* Whether `committed` holds all that `wanted` has, the same offsets with the same texts, and beside
 * it nothing but partitions of `known`, which may have anything. The first that differs is told in
 * `seen`, if not NULL. */
bool kafka_marks_match(const rd_kafka_topic_partition_list_t *committed,
                       const rd_kafka_topic_partition_list_t *wanted,
                       const rd_kafka_topic_partition_list_t *known, buf *seen);

/* `known` and the partitions of `more` that it has not. Takes `known`; owned by the caller. */
rd_kafka_topic_partition_list_t *kafka_marks_join(rd_kafka_topic_partition_list_t *known,
                                                  const rd_kafka_topic_partition_list_t *more);

/* Whether `committed` has nothing of the partitions of `wanted`, and those are not none. */
bool kafka_marks_gone(const rd_kafka_topic_partition_list_t *committed,
                      const rd_kafka_topic_partition_list_t *wanted);
