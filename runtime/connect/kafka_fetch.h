#pragma once
/* The source's own way of reading (decision 0041): a thread a leader asks it for the partitions it
 * leads, by Fetch requests, and unpacks the record batches; main takes the records out of them
 * without a copy (kafka_take.c). Where the leaders are, the ends of partitions and all else is
 * asked by librdkafka (kafka_watch.c).
 *
 *     leader ══▶ answer ──▶ offsets move, next request ──▶ CRC, unpack ──▶ queues ──▶ main
 *
 * So the next answer is under way while one is unpacked, and both while main works. Memory is
 * bounded by what queues may hold: a partition whose queue is full is not asked for.
 *
 * Fields say who touches them as in kafka_state.h. */
#include <librdkafka/rdkafka.h>

#include "runtime/connect/kafka_client.h"
#include "runtime/connect/fetch_answer.h"
#include "runtime/shared/connect.h"

struct kafka_source;
struct kafka_partition;

/* What a kafka_partition has of it. */
typedef struct kafka_fetch_partition {
    int64_t offset;             /* lock: is asked for next */
    uint32_t era;               /* lock: grows when `offset` is set anew: what came before
                                   is dropped */
    uint32_t asked;             /* lock: number of the question under way, an answer to another one
                                   is dropped; 0: there is none */
    uint32_t unpacker;          /* lock: 1 + leader whose answer is being unpacked; 0: none. Others
                                   wait: blocks come in order */
    bool is_paused;             /* lock: not asked for until restarted: lost, or in trouble */
    bool is_lost;               /* lock: the leader does not have `offset` */
    err_code trouble;           /* lock: it is wrong for good; 0: it is not */
    char *reason;               /* lock: owned; of the trouble */
    uint32_t stuck;             /* lock: answers in a row whose bytes hold no whole batch */
    int64_t retry_ms;           /* lock: steady time before which it is not asked for */
    int64_t high;               /* lock: high watermark as last told; INT64_MIN: never */
    record_block *first, *last; /* lock: what came; owned */
    int64_t bytes;              /* lock: of it, of the answer that is unpacked, and of `held` */
    record_block *held;         /* main: taken from there; owned */
    int64_t used_bytes;         /* main: of those, what is used up: no longer part of `bytes` */
} kafka_fetch_partition;

typedef struct kafka_fetch kafka_fetch;

/* Whether reading so works with `options` (of a source) and the cluster of `c`: NULL and `*made`,
 * owned; or why not, owned. Asks a broker, one round trip; one that hangs is left after 5 s. */
char *kafka_fetch_try(kafka_client *c, const sl_value *options, const sl_system *system,
                      kafka_fetch **made);

/* Begin to read for `s`, as far ahead as a batch of `batch_bytes` takes: so all of the next one can
 * be there when main is done with the last. */
void kafka_fetch_start(kafka_fetch *f, struct kafka_source *s, int64_t batch_bytes);

/* Leaders are known (anew): have each asked by a thread. Lock held. */
void kafka_fetch_follow(struct kafka_source *s);

/* `p` has another leader. Lock held. */
void kafka_fetch_moved(struct kafka_partition *p);

/* Set `p` to `offset`; what came is dropped. Lock held. */
void kafka_fetch_set(struct kafka_source *s, struct kafka_partition *p, int64_t offset);

/* Main will hardly take anything before `at_ms` (steady). Lock held. */
void kafka_fetch_expect(struct kafka_source *s, int64_t at_ms);

/* Move what came for `p` to `held`, where there is nothing; what was used up makes room. False:
 * nothing has come; then what is wrong is told. Main. */
bool kafka_fetch_pull(struct kafka_source *s, struct kafka_partition *p);

/* Put the records of a fetch at `to`, in order; blocks that were taken go. Main. */
void kafka_fetch_put(struct kafka_partition *p, uint32_t index, sl_record *to);

/* What main has used up makes room. Lock held. */
void kafka_fetch_release(struct kafka_source *s, struct kafka_partition *p);

/* End the threads, once the source is closing and while it is whole. NULL is allowed. */
void kafka_fetch_close(kafka_fetch *f);
