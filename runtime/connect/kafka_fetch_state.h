#pragma once
/* What the parts of the source's own way of reading share: kafka_fetch.c (questions and answers),
 * kafka_choose.c (whether it can serve, and its settings). */
#include "runtime/connect/fetch_conn.h"
#include "runtime/connect/fetch_wire.h"
#include "runtime/connect/kafka_state.h"
#include "runtime/connect/kafka_dial.h"

/* A partition in a request. */
typedef struct fetch_asked {
    kafka_partition *p; /* borrowed */
    int64_t offset;
    uint32_t era, number; /* of the partition, and of the question */
    bool is_noted;        /* the answer counts: its offsets are, its records are to be unpacked */
} fetch_asked;

typedef struct fetch_request {
    fetch_asked *items; /* owned */
    uint32_t count, room;
    int32_t id;
} fetch_request;

/* A leader and the thread that asks it. All but `leader` and `f` is the thread's. */
typedef struct fetch_leader {
    struct kafka_fetch *f; /* borrowed */
    uint32_t leader;       /* index into the source's leaders */
    pthread_t thread;
    char address[272];
    fetch_conn *conn;    /* owned; NULL: there is none */
    fetch_request next;  /* under way, if `count` */
    fetch_request last;  /* whose answer is unpacked */
    buf frame, answer;   /* of the request, of the answer */
    unpack_tools *tools; /* owned */
    int32_t id;          /* of the last request */
    uint32_t turn;       /* says which partition is asked for first */
    uint32_t strange;    /* answers in a row that made no sense */
    int64_t pause_ms;    /* before the next try to connect */
    int64_t asked_ms;    /* when the last request was made */
    int64_t took_ms;     /* until its answer was there */
} fetch_leader;

struct kafka_fetch {
    kafka_source *s;   /* borrowed; set when the first leader is known */
    kafka_dial dial;   /* how brokers are spoken to */
    bool is_committed; /* read_committed */
    bool is_part_said; /* `partition_bytes` are the script's */
    int32_t wait_ms, min_bytes, max_bytes, partition_bytes;
    int64_t queue_bytes;    /* of all partitions; 0: not said */
    int64_t block_bytes;    /* of blocks that a partition's part of an answer may become, whatever
                               it is packed to: what is behind is asked for again */
    size_t frame_bytes;     /* most of an answer, and of a batch when unpacked */
    int stop_fd;            /* eventfd: can be read when the threads are to end */
    pthread_cond_t room;    /* there may be something to ask for; with the source's lock */
    uint32_t questions;     /* lock: so many partitions were asked for; never 0 in one of them */
    fetch_leader **leaders; /* lock; by the leader's index, NULL: not asked; owned */
    uint32_t leader_count;  /* lock */
};

/* When a leader that gave all there was is asked again: so that the answer is there when main wants
 * it (`expected_ms`, INT64_MIN: at any time), but neither at once nor long after the last question,
 * whose answer took `took_ms`. All in steady ms. */
int64_t fetch_asks_again_ms(int64_t asked_ms, int64_t took_ms, int64_t expected_ms);

/* Set how far is read ahead, unless the script says it: less than a batch of `batch_bytes`
 * takes, since what is asked for meanwhile goes beyond. */
void kafka_fetch_size(kafka_fetch *f, int64_t batch_bytes);

/* Bytes that a partition's queue holds before it is not asked for any more. Lock held. */
int64_t kafka_fetch_limit(const kafka_fetch *f);

/* Bytes that are asked for of a partition: less where there are many, since each may go beyond its
 * queue by so much. Lock held. */
int32_t kafka_fetch_share(const kafka_fetch *f);

/* Make the next request and its frame, of all that may be asked for now: none if `l->next.count` is
 * 0. Another partition is first each time: a leader fills an answer in the order of the request,
 * and only the first partition gets a batch that is larger than its share. Lock held. */
void kafka_fetch_collect(fetch_leader *l);

/* Ask the broker that was just connected to whether it can be read from. ERR_BROKER: not so. */
err *kafka_fetch_greet(fetch_leader *l);
