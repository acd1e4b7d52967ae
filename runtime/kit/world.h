#pragma once
/* Kafka in memory, for one test: topics of partitions that hold records, sinks that keep what they
 * got, a ledger and a store for checkpoints, and a clock that stands still unless told. It outlives
 * the pipelines that are opened in it, one after the other. Its connectors stand for "kafka" and
 * "file"; a file is a topic of one partition named by its path. Offsets without a record are
 * transaction markers or compaction holes. Nothing moves by itself: a test feeds, silences leaders,
 * opens transactions. One owner; thread: main. */
#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/clock.h"
#include "runtime/shared/connect.h"

/* A record of a topic, or a message that a sink got. */
typedef struct world_record {
    int64_t offset;    /* topic only */
    int64_t time_ms;   /* Kafka's time, Unix ms */
    int32_t time_kind; /* topic only: 0 none, 1 the producer's, 2 the broker's */
    char *key, *value; /* owned; NULL: null */
    uint32_t key_len, value_len;
    sl_header *headers; /* owned, with their texts */
    uint32_t header_count;
    int32_t partition;      /* message only: where its sink wants it; -1: by `place` or the key */
    char *to_topic, *place; /* message only; owned; NULL: the sink's own, the key */
    uint32_t to_topic_len, place_len;
} world_record;

typedef struct world_partition {
    world_record *records; /* by offset; owned */
    uint32_t count, room;
    int64_t next;   /* offset of the next record */
    int64_t stable; /* while in a transaction: last stable offset */
    bool in_transaction;
    bool silent;          /* its leader does not answer */
    bool ended;           /* of a bounded source: no more comes */
    int64_t confirmed_ms; /* INT64_MIN: never */
} world_partition;

typedef struct world_topic {
    char *name;                  /* owned */
    world_partition *partitions; /* owned */
    uint32_t count;              /* of them */
} world_topic;

/* What a sink got. Side sinks never refuse and never fail. With a ledger, messages are held until
 * it commits, whatever the sink promises: what is tested is the pipeline. Unless its rows go before
 * its commits (rows_first). */
typedef struct world_sink {
    char *name;             /* owned */
    const sl_sink *plan;    /* borrowed; NULL: not open */
    struct world *world;    /* borrowed */
    const void *ledger;     /* the run's; NULL: none */
    world_record *messages; /* to be seen since world_forget; owned */
    uint32_t count, room;
    world_record *held; /* of the running batch, until flush or commit; owned */
    uint32_t held_count, held_room;
    uint64_t kept;            /* messages, over the run */
    sl_rejection *rejections; /* of the running batch; owned */
    uint32_t rejection_count;
} world_sink;

/* What is committed. */
typedef struct world_ledger {
    sl_committed *items; /* topics owned; owned */
    uint32_t count;
    uint64_t epoch;   /* of the run that may commit: each that opens it shuts out those before */
    uint64_t commits; /* over all runs */
} world_ledger;

typedef struct world {
    clock_source clock;   /* the system's: by it connectors find their world, so it comes first */
    world_topic **topics; /* owned */
    uint32_t topic_count;
    world_sink **sinks; /* in the plan's order; owned, they outlive their closing */
    uint32_t sink_count;
    world_ledger ledger;
    char store[32];        /* url of its store in memory; "": none was used */
    sl_checkpoint kept;    /* where a pipeline's state is kept: there */
    char *refused;         /* sinks refuse values that hold this; owned; NULL: none */
    bool rows_first;       /* at least once, in threads of their own: sinks know no ledger */
    bool has_failing_sink; /* every flush of a data sink fails */
    int64_t takes_ms;      /* how long the next batch takes; then 0 */
} world;

/* Set up an empty world; the clock stands at 0. */
void world_init(world *w);
void world_done(world *w);

/* The topic `name`, made with `partitions` if it is new; grows to `partitions`. */
world_topic *world_topic_of(world *w, const char *name, uint32_t partitions);

/* The partition `TOPIC/NUMBER` (number alone: of the first topic); NULL: there is none. */
world_partition *world_find(world *w, const char *place);

/* Append a record (all pointers copied); offset -1: the next. */
void world_append(world_partition *p, const world_record *r);

/* Forget the messages a sink has got; `kept` stays. */
void world_forget(world_sink *s);

/* Free what a record owns. */
void world_record_done(world_record *r);

/* Copy a record with all it points to; both own what is theirs. */
world_record world_record_copy(const world_record *r);

/* Make what a sink holds to be seen. */
void world_publish(world_sink *s);

/* The run is over: what sinks hold goes, nothing is borrowed from its plan any more. */
void world_let_go(world *w);

/* The ledger of the world of `system`, whatever its name is. */
const sl_ledger_ops *world_ledger_of(const sl_string *name);
void world_ledger_done(world_ledger *l);

/* Connectors by name, as pipeline_options want them; the generator is the real one. */
const sl_source_ops *world_source(const sl_string *name);
const sl_sink_ops *world_sink_of(const sl_string *name);
