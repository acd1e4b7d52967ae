#pragma once
/* Requests to the coordinators of a transaction and of a group, in versions of before flexible
 * fields (Kafka 2.1 and later). Frames are whole; answers are read behind the request's id, and
 * give the error of Kafka; 0: none. thread: any. */
#include <librdkafka/rdkafka.h>

#include "runtime/connect/batch_writer.h"
#include "runtime/connect/fetch_wire.h"
#include "runtime/connect/kafka_produce.h"

enum {
    WIRE_FIND_COORDINATOR = 10,
    WIRE_INIT_PRODUCER = 22,
    WIRE_ADD_PARTITIONS = 24,
    WIRE_ADD_OFFSETS = 25,
    WIRE_END_TXN = 26,
    WIRE_TXN_OFFSETS = 28,
    /* versions */
    WIRE_FIND_COORDINATOR_VERSION = 1,
    WIRE_INIT_PRODUCER_VERSION = 1,
    WIRE_ADD_PARTITIONS_VERSION = 1,
    WIRE_ADD_OFFSETS_VERSION = 1,
    WIRE_END_TXN_VERSION = 1,
    WIRE_TXN_OFFSETS_VERSION = 2,
};

typedef enum coordinator_kind {
    COORDINATES_GROUP = 0,
    COORDINATES_TXN = 1,
} coordinator_kind;

/* Where a request goes back to. */
typedef struct txn_head {
    int32_t request;
    const char *client;
} txn_head;

/* Who asks. */
typedef struct txn_who {
    const char *id; /* transactional.id; NULL: none */
    batch_producer producer;
    int64_t timeout_ms;
} txn_who;

void txn_put_find(buf *out, txn_head head, coordinator_kind kind, const char *key);
int16_t txn_read_find(wire_reader *r, char *address, size_t room);

void txn_put_init(buf *out, txn_head head, const txn_who *who);
int16_t txn_read_init(wire_reader *r, batch_producer *producer);

/* Those of a topic stand side by side. `*bad`: which of them has the error. */
void txn_put_partitions(buf *out, txn_head head, const txn_who *who, const produce_place *places,
                        uint32_t count);
int16_t txn_read_partitions(wire_reader *r, const produce_place *places, uint32_t count,
                            uint32_t *bad);

void txn_put_group(buf *out, txn_head head, const txn_who *who, const char *group);
void txn_put_end(buf *out, txn_head head, const txn_who *who, bool commits);
int16_t txn_read_code(wire_reader *r); /* of both */

/* `list`: sorted by topic. */
void txn_put_offsets(buf *out, txn_head head, const txn_who *who, const char *group,
                     const rd_kafka_topic_partition_list_t *list);
int16_t txn_read_offsets(wire_reader *r);
