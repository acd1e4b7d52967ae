#pragma once
/* Bringing the records of ranges: kafka_read.c takes turns over the ranges, a way of reading gives
 * the records of one. There are two: librdkafka's consumer (kafka_queue.c), and the source's own
 * (kafka_fetch.c, kafka_take.c). thread: main, but for open. */
#include "runtime/base/arena.h"
#include "runtime/connect/kafka_state.h"

/* One range of a fetch. */
typedef struct reading {
    kafka_partition *p;
    int64_t to;
    int64_t share_bytes; /* of the fetch's max_bytes */
    int64_t bytes;       /* taken */
    uint32_t index;      /* of the partition */
    uint32_t records;    /* taken */
    bool is_done;        /* whole, or cut */
    bool is_reset;       /* the position was moved by a data loss */
} reading;

typedef struct fetching {
    kafka_source *s;
    reading *readings; /* in the fetch's arena */
    uint32_t count;
    int64_t max_bytes, bytes;
    arena *memory;
} fetching;

struct kafka_way {
    /* Begin to read a new partition at its `next`. thread: main at open, a watcher later. */
    err *(*open)(kafka_source *s, kafka_partition *p);
    /* Go on at `offset`; what came and was not taken is dropped. */
    err *(*restart)(kafka_source *s, kafka_partition *p, int64_t offset);
    /* Note what is wrong (is_lost, trouble), and tell an end that what came has shown; -1: none. */
    int64_t (*peek)(kafka_source *s, kafka_partition *p);
    /* Take a run of records below `to`, as they fit; `next` moves. What is wrong is noted. True:
     * something moved. */
    bool (*run)(fetching *f, reading *d);
    void (*close)(kafka_partition *p);
};

extern const kafka_way kafka_queue_way; /* kafka_queue.c */
extern const kafka_way kafka_fetch_way; /* kafka_take.c */

/* Room for `count` records behind those staged; the caller counts what it used. */
sl_record *kafka_stage(kafka_partition *p, uint32_t count);

/* Whether `len` more bytes fit: into the share, or as the first record of a range or of all. */
static inline bool kafka_fits(const fetching *f, const reading *d, int64_t len) {
    if (f->bytes == 0) return true;
    if (f->bytes + len > f->max_bytes) return false;
    return d->records == 0 || d->bytes + len <= d->share_bytes;
}

/* Note a trouble of `p` at its next record: ERR_AUTH, ERR_BROKER. The first one stays. */
void kafka_trouble(kafka_source *s, kafka_partition *p, err_code code, const char *what);
