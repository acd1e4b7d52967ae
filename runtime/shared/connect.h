#pragma once
/* The edges: what a source and a sink can do. Implemented in connect/ and, in memory, by the golden
 * tests. A new connector is one file and one line in connect/connectors.c.
 * Positions belong to flow: a source delivers the ranges it is asked for.
 * thread: flow's main, sinks: its commits' in turn (flow/commit.h), unless said otherwise. */
#include "runtime/shared/ledger.h"
#include "runtime/shared/plan.h"
#include "runtime/shared/row.h"

struct arena;
struct buf;
struct err;
struct logger;
struct clock_source;
struct outages;
struct script;

/* What is recorded of a partition by an earlier run. */
enum sl_resumed {
    SL_FIRST_RUN = 0, /* nothing is recorded at all: `start` counts */
    SL_KNOWN,         /* go on at the offset */
    SL_APPEARED,      /* others are recorded: it is new, and begins at the earliest */
};

/* Answer for partition `number` of `topic` (files: the path). `arg` is sl_system.resume_arg. */
typedef int32_t sl_resume(void *arg, const char *topic, int32_t number, int64_t *offset);

/* What connectors get from outside. */
typedef struct sl_system {
    const char *pipeline;             /* name of the pipeline: client.id */
    const char *operands;             /* what commands about it are given, for messages: the
                                         script and its options; NULL: not known */
    const char *brokers;              /* not NULL: in place of what scripts say (--embedded) */
    struct logger *log;               /* borrowed */
    const struct clock_source *clock; /* borrowed */
    struct outages *outages;          /* for one "broker lost" a cluster; may be NULL */
    struct script *script;            /* worker 0's, borrowed: sinks of the script run in it */
    const volatile int *stop;         /* != 0: asked to stop, waits end with ERR_STOPPED */
    void *ledger;                     /* opened; sinks of its kind and cluster write in its
                                         transaction; NULL: none. Borrowed */
    sl_resume *resume;                /* for sources; NULL: a first run */
    void *resume_arg;
} sl_system;

enum {
    SL_MOST_TOPICS = 1 << 12,     /* of a source */
    SL_MOST_PARTITIONS = 1 << 20, /* of a topic */
};

/* A partition as its leader last told. Index in the source's list = sl_record.partition; at
 * first in the order topic (of the script), number; new ones are appended, those of a topic in the
 * order of their numbers. Files and generators have one. */
typedef struct sl_partition {
    const char *topic; /* owned by the source until it is closed; files: the path */
    int32_t number;
    uint8_t ended;        /* bounded and nothing lies behind `end` */
    uint8_t is_new;       /* appeared after the first look: begins at the earliest offset */
    uint8_t is_stalled;   /* an open transaction holds `end` back */
    uint8_t is_whole;     /* all there is lies before `end`: what was read behind it has gone */
    int64_t position;     /* open: resolved start; afterwards: first offset not yet fetched */
    int64_t begin;        /* earliest offset there is */
    int64_t end;          /* last stable offset; INT64_MAX: not known (stdin) */
    int64_t confirmed_ms; /* steady-clock time at which the leader last answered for `end`;
                             INT64_MIN: never */
    int64_t back_ms;      /* likewise, of its first answer after 5 s of silence or more; 0: none */
    int64_t lost;         /* offsets that were gone before they were read, in all */
} sl_partition;

/* A range of a batch. */
typedef struct sl_range {
    uint32_t partition; /* index into the partitions */
    uint32_t unused;
    int64_t from, to; /* offsets [from, to) */
} sl_range;

/* Records of a batch, in the order of its ranges, then of offsets. */
typedef struct sl_records {
    sl_record *items; /* owned by whoever passes it in; grows by mem_realloc */
    uint32_t count, room;
} sl_records;

typedef struct sl_source_ops {
    const char *name;
    /* Connect, discover partitions, resolve `start`. Permanent trouble (unknown topic, refused
     * authentication, no broker for 10 s) is an error that says what to do. */
    struct err *(*open)(const sl_source *plan, const sl_system *system, void **source);
    /* Tell the partitions as known now; cheap, never waits for the network. Borrowed until the next
     * call. */
    struct err *(*look)(void *source, const sl_partition **partitions, uint32_t *count);
    /* Ask the leaders now, and wait up to `timeout_ms` for their answers: what the next look tells
     * is then confirmed, but for leaders that are silent. */
    struct err *(*confirm)(void *source, int64_t timeout_ms);
    /* Wait until records beyond the positions may have arrived, a partition changed, or
     * `timeout_ms`. */
    struct err *(*wait)(void *source, int64_t timeout_ms);
    /* A hint: hardly a fetch before `at_ms` (steady; INT64_MIN: maybe at once). Cheap. Or NULL. */
    void (*expect)(void *source, int64_t at_ms);
    /* Bring the records of `ranges` into `records` (appended), bytes into `bytes`; positions move
     * to each `to`. Stops early after `max_bytes` (at least one record) or `timeout_ms` and lowers
     * the `to` of what did not come. A record counts with its bytes and its sl_record, so
     * that many small ones are bounded, too. Bytes are cut fairly: each range gets its share of
     * max_bytes by its length. ERR_BROKER retriable: no connection, ask again; what came is in. */
    struct err *(*fetch)(void *source, sl_range *ranges, uint32_t count, int64_t max_bytes,
                         int64_t timeout_ms, sl_records *records, struct arena *bytes);
    void (*close)(void *source);
    /* Not 0: what is there can be fetched with a timeout of 0 while other threads work on the batch
     * before, and read the names of partitions. */
    uint32_t reads_early;
} sl_source_ops;

/* A message for a sink. Borrowed until flush has returned. */
typedef struct sl_message {
    sl_string key;   /* data NULL: null key */
    sl_string value; /* data NULL: null value, a tombstone */
    sl_string topic; /* where it goes; data NULL: the sink's own */
    sl_string place; /* bytes that choose the partition (murmur2); data NULL: the key's */
    const sl_header *headers;
    uint32_t header_count;
    int32_t partition; /* -1: by `place` or the key; INT32_MAX: one that no topic has */
    int64_t time_ms;
    uint32_t row; /* the caller's number for it, given back in a rejection */
    uint32_t unused;
} sl_message;

/* A message that the sink refused for itself (too large, bad time): others are not touched. */
typedef struct sl_rejection {
    uint32_t row;
    uint32_t unused;
    const char *reason; /* owned by the sink until the next begin */
} sl_rejection;

typedef struct sl_sink_ops {
    const char *name;
    struct err *(*open)(const sl_sink *plan, const sl_system *system, void **sink);
    /* A batch begins; `batch` counts from 0 over all runs of a checkpoint, `now_ms` is its
     * processing time. The same one may begin again: what it wrote before is given up. */
    struct err *(*begin)(void *sink, uint64_t batch, int64_t now_ms);
    /* Hand over messages in their order. May block while the sink is full. */
    struct err *(*write)(void *sink, const sl_message *messages, uint32_t count);
    /* Make everything written since begin durable; waits, with the broker away too, until stop is
     * set. */
    struct err *(*flush)(void *sink, const sl_rejection **rejections, uint32_t *count);
    /* Bytes that resume needs, of what is flushed: put with the batch's state. NULL: none, and
     * batches without messages for the sink pass it by. */
    struct err *(*position)(void *sink, struct buf *out);
    /* An earlier run had flushed so much, before any begin: what lies behind goes. NULL: nothing
     * to do. */
    struct err *(*resume)(void *sink, const char *position, size_t len);
    void (*close)(void *sink);
} sl_sink_ops;
