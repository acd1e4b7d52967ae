#pragma once
/* The topics that a sink writes: its own, or those that rows name. A topic is asked for when it is
 * first written to, and kept: keys keep their partitions while the process lives. One that is
 * missing is made where the plan says so, else asked for again now and then. One owner (the sink).
 */
#include "runtime/connect/kafka_client.h"

typedef struct kafka_target {
    char *name; /* owned */
    size_t name_len;
    rd_kafka_topic_t *handle;      /* owned; NULL: of a handle that is gone */
    int32_t partition_count;       /* 0: it is missing, `reason` says it */
    char *reason;                  /* owned; why rows for it are refused; NULL: they are not */
    int64_t asked_ms;              /* missing: steady time of the last question */
    struct produce_topic *written; /* as our own producer has it; it lives longer. NULL: not yet */
    uint32_t place;                /* scratch of the sink: number of its first partition of all */
} kafka_target;

typedef struct kafka_topics {
    kafka_target **items; /* owned, in the order of first use */
    uint32_t count, room;
    uint32_t *slots; /* owned; hash of the name → index + 1; 0: free */
    uint32_t slot_count;
    kafka_target *last;      /* found last */
    const char *compression; /* of the topics' own; NULL: as the handle has it. Borrowed */
    bool may_create;
    int32_t partitions; /* of a topic that is made; -1: as the broker has it */
    int64_t near_ms;    /* steady time when a name was looked for that is near; 0: never */
} kafka_topics;

void kafka_topics_done(kafka_topics *t);

/* The topic `name`, made known to `c` on first use. ERR_AUTH, ERR_BROKER: not allowed, nobody
 * there. A topic that is not there, or cannot be, is no error: its `reason` is set. */
err *kafka_topics_find(kafka_topics *t, kafka_client *c, const char *name, size_t len,
                       kafka_target **found);

/* The client's handle is about to go, and with it all handles of topics. */
void kafka_topics_drop(kafka_topics *t);
