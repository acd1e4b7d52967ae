#pragma once
/* What the parts of the Kafka source share: kafka_source.c (ops),
 * kafka_discover.c (which topics), kafka_start.c (where to begin),
 * kafka_watch.c (background questions to the leaders), kafka_read.c (records of a range, by one of
 * two ways).
 *
 * One consumer handle of the simple kind: no group, no commits, a queue a partition. So a range is
 * read partition by partition, and what lies beyond it stays in a bounded queue, librdkafka's or
 * our own.
 *
 * Threads: flow's main thread reads; the watchers ask. Fields say who touches them: "main" needs no
 * lock, "lock" is guarded by kafka_source.lock, "fixed" never changes once it can be seen. */
#include <librdkafka/rdkafka.h>
#include <pthread.h>

#include "runtime/connect/kafka_client.h"
#include "runtime/connect/kafka_fetch.h"
#include "runtime/connect/kafka_pattern.h"
#include "runtime/shared/connect.h"

enum {
    KAFKA_ASK_END = -1, /* ListOffsets: what a time below zero asks for */
    KAFKA_ASK_BEGIN = -2,
    KAFKA_ASKERS = 8,       /* most watcher threads */
    KAFKA_ANSWER_MS = 1000, /* a leader that does not answer for so long is silent */
    KAFKA_GONE_MS = 10000,  /* a topic unknown for so long is gone */
};

typedef struct kafka_topic {
    char *name;               /* owned; fixed */
    rd_kafka_topic_t *handle; /* owned; fixed */
    int32_t partition_count;  /* that have a kafka_partition; the watcher that asks for metadata */
    int64_t missing_ms;       /* lock: steady time since which it is unknown; 0: it is there */
} kafka_topic;

/* A broker that leads partitions. */
typedef struct kafka_leader {
    int32_t id;        /* -1: partitions without a leader */
    bool is_busy;      /* a watcher waits for its answer */
    bool is_silent;    /* it did not give the last one */
    int64_t asked_ms;  /* steady time of the last question */
    int64_t retry_ms;  /* silent: not before */
    int64_t begun_ms;  /* steady time of the last question for the earliest offsets */
    char address[272]; /* "host:port", for the log; a host name has up to 255 bytes */
} kafka_leader;

typedef struct kafka_partition {
    kafka_topic *topic; /* borrowed; fixed */
    int32_t number;     /* fixed */
    bool is_new;        /* fixed */

    int64_t next;         /* main: offsets below are taken, or hold nothing */
    bool is_lost;         /* main: `next` is not in the log */
    err *trouble;         /* main: owned; what is wrong for good */
    sl_records staged;    /* main: records of a fetch; owned */
    fetch_chain taken;    /* main: likewise, whole blocks that are yet to be expanded */
    uint32_t taken_count; /* main: records in them */

    kafka_fetch_partition fetch;  /* of the way of our own; the rest of librdkafka's */
    rd_kafka_queue_t *queue;      /* owned; only for its wake-ups; NULL: not read so; fixed */
    rd_kafka_message_t **held;    /* main: taken from the queue, not yet used; owned */
    uint32_t held_at, held_count; /* main: those left are [at, count) */

    uint32_t leader;      /* lock: index into leaders */
    int64_t position;     /* lock: first offset not yet fetched; written by main */
    int64_t begin, end;   /* lock */
    int64_t lost;         /* lock: as in sl_partition */
    int64_t proven;       /* lock: an end that records have shown, maybe after the last answer */
    int64_t confirmed_ms; /* lock: as in sl_partition */
    bool was_silent;      /* lock: the last question had no answer */
    int64_t back_ms;      /* lock: as in sl_partition */
    bool is_stalled;      /* lock */
    int64_t held_ms;      /* lock: steady time since which all up to an open transaction is read; 0:
                             it is not so */
    bool is_held_told;    /* lock: the log says so */
    bool is_wanted;       /* lock: confirm waits for an answer to a question not yet put */
    bool is_asked;        /* lock: the question under way is the answer to it */
} kafka_partition;

typedef struct kafka_way kafka_way; /* kafka_read.h */

typedef struct kafka_source {
    kafka_client client;
    const kafka_way *way;             /* how records are read; fixed once partitions are */
    kafka_fetch *fetch;               /* of the way of our own; owned; NULL: it is librdkafka's */
    kafka_topic **topics;             /* owned; lock; a watcher appends those of a pattern */
    uint32_t topic_count, topic_room; /* likewise */
    kafka_pattern pattern;            /* of topics to read, or not set; fixed */
    const struct clock_source *clock; /* borrowed */
    int wake_fd;                      /* eventfd: a queue has records, or `is_changed` */
    bool goes_on;                     /* on_data_loss = "continue" */
    const sl_value *only;             /* option partitions: numbers to read; NULL: all; borrowed */
    uint32_t turn;                    /* main: number of the fetch, says which range begins */

    pthread_mutex_t lock;
    pthread_cond_t moved;           /* work for watchers, or an answer for confirm */
    kafka_partition **partitions;   /* owned; lock */
    uint32_t count, room;           /* lock */
    kafka_leader *leaders;          /* owned; lock */
    uint32_t leader_count;          /* lock */
    bool is_changed;                /* lock: something that look tells has changed */
    bool is_closing;                /* lock */
    bool is_refreshing;             /* lock: a watcher asks for metadata */
    int64_t refreshed_ms;           /* lock: steady time of the last metadata question */
    int64_t expected_ms;            /* lock: steady time before which main hardly fetches */
    int64_t busy_until_ms;          /* lock: a fetch ran not long ago: keep the leaders awake */
    pthread_t askers[KAFKA_ASKERS]; /* main to start and join the first; lock */
    uint32_t asker_count;           /* lock */

    sl_partition *view;     /* main: what look gives; owned */
    uint32_t view_room;     /* main */
    kafka_partition **mine; /* main: partitions of the last look; the list is owned */
    uint32_t mine_count;    /* main */
} kafka_source;

/* -- kafka_source.c */

/* Make a partition that begins at `position` and append it. thread: main at open, a watcher later.
 */
err *kafka_partition_add(kafka_source *s, kafka_topic *topic, int32_t number, int64_t position,
                         int64_t begin, int64_t end, bool is_new);

/* Wake the main thread. */
void kafka_wake(kafka_source *s);

/* -- kafka_start.c: make the partitions of all topics, where an earlier run has left off
 * (system.resume) or at the places that option `start` names. */
err *kafka_start(kafka_source *s, const sl_value *options, const sl_system *system);

/* Whether the option `partitions` lets partition `number` be read. */
bool kafka_is_read(const kafka_source *s, int32_t number);

/* Ask the leader of a partition for its first and last stable offset; waits KAFKA_ANSWER_MS for
 * each. */
rd_kafka_resp_err_t kafka_ask(kafka_source *s, const char *topic, int32_t number, int64_t *low,
                              int64_t *high);

/* -- kafka_watch.c: leaders are asked for the ends of their partitions, and for new partitions. */
err *kafka_watch_open(kafka_source *s);
void kafka_watch_close(kafka_source *s);

/* Ask soon where the leaders are. Lock held. */
void kafka_watch_search(kafka_source *s);

/* -- kafka_read.c: take what the queues hold as evidence of new ends. ERR_BROKER, ERR_AUTH: a queue
 * said something that is wrong for good. */
err *kafka_read_peek(kafka_source *s);

err *kafka_read_fetch(void *source, sl_range *ranges, uint32_t count, int64_t max_bytes,
                      int64_t timeout_ms, sl_records *records, struct arena *bytes);
