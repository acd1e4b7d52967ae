#pragma once
/* Which partition a key goes to, as Kafka's Java clients have it, so that topics are co-partitioned
 * with everybody else's. Source: org.apache.kafka.common.utils.Utils.murmur2 and
 * BuiltInPartitioner. */
#include <stddef.h>
#include <stdint.h>

/* MurmurHash2 with Kafka's seed. */
uint32_t kafka_murmur2(const void *data, size_t len);

/* The partition of a key among `count` > 0. */
static inline int32_t kafka_partition_of(const void *key, size_t len, int32_t count) {
    return (int32_t)((kafka_murmur2(key, len) & 0x7fffffff) % (uint32_t)count);
}
