#pragma once
/* What the parts of the producer share: kafka_produce.c (rows to batches), produce_leader.c
 * (batches to brokers), produce_wire.c (requests). thread: the owner's. */
#include "runtime/connect/fetch_wire.h"
#include "runtime/connect/kafka_produce.h"

/* Requests of a connection; a broker knows a producer's last 5 batches (KIP-98). */
enum { PRODUCE_UNDERWAY = 5 };

/* A record batch that has not arrived. */
typedef struct produce_batch {
    struct produce_batch *next; /* of its partition */
    struct produce_partition *partition;
    buf bytes;                   /* owned; sealed */
    const sl_message **messages; /* owned; they are borrowed */
    uint32_t count;
    uint32_t sequence; /* if stamped */
    bool is_stamped;   /* sent again, it goes with the same sequence */
    bool is_sent;      /* under way */
    bool is_answered;  /* by the answer that is being read */
} produce_batch;

typedef struct produce_partition {
    struct produce_topic *topic;
    int32_t number;
    struct produce_leader *leader; /* NULL: not known */
    int64_t retry_ms;              /* nothing is sent before */
    batch_writer writer;           /* of the batch that is being filled */
    const sl_message **messages;   /* owned; of it */
    uint32_t room;
    produce_batch *first, *last; /* in their order; owned */
    struct produce_leader *via;  /* what is under way went there */
    uint32_t underway;           /* batches */
    uint32_t sequence;           /* of the next batch to be stamped */
    bool is_torn;                /* a batch was taken out: those behind it cannot arrive */
    bool is_proven;              /* a batch has arrived since it is busy: the broker knows us */
    bool is_busy;                /* in the producer's list */
    bool is_enlisted;            /* part of the transaction */
    size_t idle_bytes;           /* of the producer's, if not busy */
} produce_partition;

typedef struct produce_topic {
    char *name;                     /* owned */
    produce_partition **partitions; /* owned; by number; NULL: not written to */
    int32_t count;
    bool is_stale;      /* its leaders are to be asked for */
    int64_t ask_ms;     /* not before */
    int64_t missing_ms; /* steady time since which brokers say that it is not there; 0: it is */
    /* by the rows that were refused since the last use */
    int64_t refused_ms; /* if `refuses_time` */
    bool refuses_time;
    bool was_asked, wants_keys; /* it is compacted */
} produce_topic;

typedef struct produce_request {
    produce_batch **batches; /* owned list; NULL in it: its answer is judged */
    uint32_t count, room;
    int32_t id;
} produce_request;

typedef struct produce_leader {
    int32_t id;
    char address[272];
    fetch_conn *conn;                           /* owned; NULL: there is none */
    produce_request requests[PRODUCE_UNDERWAY]; /* a ring */
    uint32_t first, underway;
    int64_t retry_ms, pause_ms; /* before the next try to connect */
} produce_leader;

struct kafka_producer {
    kafka_client *client; /* borrowed */
    kafka_dial dial;
    const produce_transaction *transaction; /* borrowed; NULL: none */
    batch_producer who;                     /* id -1: not known yet */
    produce_user user;
    size_t batch_bytes;     /* of a batch, before it is packed */
    produce_topic **topics; /* owned */
    uint32_t topic_count, topic_room;
    produce_leader **leaders; /* owned */
    uint32_t leader_count, leader_room;
    produce_partition **busy; /* owned list; those that have something */
    uint32_t busy_count, busy_room;
    produce_place *places; /* owned; scratch */
    uint32_t place_room;
    buf frame, answer;
    size_t bytes;      /* of the batches that wait */
    size_t idle_bytes; /* kept by partitions that are not busy */
    uint32_t waiting;  /* messages */
    uint32_t errors;
    int32_t request_id;
    int64_t end_ms; /* steady time at which all must be there; 0: none */
    err *end;       /* owned; what the watch said */
    bool is_over;   /* all that waits is given up */
    bool is_lost;   /* brokers know `who` no more; what is stamped by it must not go on */
};

/* -- kafka_produce.c */

/* Take the batch out of its partition: it has arrived, or never will. */
void produce_remove(kafka_producer *p, produce_batch *b);

/* The broker refuses the batch: cut it, or give up its only row, and those that are alike. */
err *produce_refused(kafka_producer *p, produce_batch *b, rd_kafka_resp_err_t code);

/* All that waits is given up, for `code`. */
void produce_fail(kafka_producer *p, const produce_batch *b, rd_kafka_resp_err_t code);

/* -- produce_leader.c */

/* Send what can be sent, take answers that are there. Does not wait. */
err *produce_pump(kafka_producer *p);

/* Wait for an answer, or until something can be tried again. */
err *produce_wait(kafka_producer *p);

/* Close connections that have something under way, or all. */
void produce_hang_up(kafka_producer *p, bool all);

/* -- produce_wire.c: frames */

enum { WIRE_PRODUCE = 0,
       WIRE_PRODUCE_VERSION = 7 };

/* Fill the frame with the request, whose batches are of pairwise different partitions. */
void produce_put_request(kafka_producer *p, const produce_request *r);

/* One partition of the answer. */
typedef struct produce_answer {
    const char *topic; /* borrowed; not NUL-terminated */
    int32_t topic_len, number;
    int16_t code;
} produce_answer;

typedef struct produce_reader {
    wire_topics list;
    int32_t id; /* of the request */
} produce_reader;

produce_reader produce_open(const char *answer, size_t len);
bool produce_next(produce_reader *r, produce_answer *a);

/* The answer's batch or NULL; answers come in the order of the request, so `*at` goes on. */
produce_batch *produce_find(const produce_request *r, const produce_answer *a, uint32_t *at);

/* Whether it is the answer to this request, and tells of each batch once: before anything of it
 * counts. No batch is judged yet. */
bool produce_is_sound(const produce_request *r, const char *answer, size_t len);
