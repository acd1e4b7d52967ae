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

/* How what is committed differs from what was wanted. */
typedef enum kafka_difference {
    KAFKA_SAME = 0,
    KAFKA_GONE,    /* a partition has no offset: group or topic were deleted */
    KAFKA_FOREIGN, /* it has a text that does not begin as ours do: a tool's, another consumer's */
    KAFKA_MOVED,   /* it has another text of ours, or another offset: another process's */
} kafka_difference;

/* Compare: `committed` must have all that `wanted` has, the same offsets with the same texts, and
 * beside it nothing but partitions of `known`, which may have anything. The first that differs
 * counts, and is told in `seen`, if not NULL. */
kafka_difference kafka_marks_compare(const rd_kafka_topic_partition_list_t *committed,
                                     const rd_kafka_topic_partition_list_t *wanted,
                                     const rd_kafka_topic_partition_list_t *known, buf *seen);

/* `known` and the partitions of `more` that it has not. Takes `known`; owned by the caller. */
rd_kafka_topic_partition_list_t *kafka_marks_join(rd_kafka_topic_partition_list_t *known,
                                                  const rd_kafka_topic_partition_list_t *more);
