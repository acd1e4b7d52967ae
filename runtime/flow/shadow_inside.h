#pragma once
/* What the files of a shadow share: shadow.c (main's side), shadow_thread.c, shadow_source.c (its
 * sources), shadow_report.c. */
#include <pthread.h>

#include "runtime/flow/replay.h"
#include "runtime/flow/shadow.h"
#include "runtime/flow/shadow_rows.h"

/* What a batch read of a source. */
typedef struct shadow_input {
    sl_record *records;
    uint32_t record_count;
    sl_partition *partitions; /* positions: before the batch */
    uint32_t partition_count;
    sl_string *headers; /* of columns, by partition: sl_source.has_header; else NULL */
    int64_t *header_offsets;
} shadow_input;

/* What one of the two did, of all batches that were compared, or in one. */
typedef struct shadow_side {
    uint64_t records, rows, late, bad;
    uint64_t timed_records;       /* records that `cpu_ns` is of */
    int64_t cpu_ns;               /* from records to rows */
    uint64_t state_bytes, groups; /* behind the last */
} shadow_side;

/* A batch, on its way to the shadow. */
typedef struct shadow_job {
    struct shadow_job *next;
    uint64_t number;
    buf record;           /* its plan (record.h) */
    shadow_input *inputs; /* by source; of `memory`, as what they hold */
    arena memory;
    shadow_rows rows; /* of the running script */
    shadow_side side;
    size_t bytes;
} shadow_job;

/* A source over what is handed over. */
typedef struct shadow_mirror {
    sl_partition *partitions; /* owned, with their topics */
    uint32_t count;
    const shadow_input *now; /* of the running batch; borrowed */
} shadow_mirror;

typedef enum shadow_state { SHADOW_RUNS,
                            SHADOW_DONE,
                            SHADOW_DROPPED } shadow_state;

struct shadow {
    /* set by start */
    uint64_t wanted, first; /* batches; the number of the first */
    int64_t warm_batches;
    char *path, *changes; /* of the text; what is other: lines; owned */
    uint64_t script_hash;
    int64_t copy_ms;
    /* main's */
    uint64_t sent;
    int64_t cpu_from, fetch_from; /* when the running batch began */
    /* its thread's, from start on */
    worker *worker; /* owned until the replay has it */
    logger log;     /* of its pipeline, which says nothing */
    clock_source clock;
    store_kept kept; /* the state at its begin, where none is stored */
    replay replay;
    shadow_mirror *mirrors; /* by source; owned */
    uint32_t mirror_count, opened;
    int64_t own_from; /* CPU time at which its batch began */
    shadow_rows rows; /* of its batch */
    shadow_side own;
    pthread_t thread;
    bool has_thread;
    volatile int stop;    /* asked to end */
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    shadow_job *first_job, *last_job; /* that wait; owned */
    size_t waiting_bytes;             /* of them, and the one that is being done */
    shadow_state state;
    char *reason;   /* why it was dropped; owned */
    bool has_ended; /* its thread has nothing more to do */
    bool has_hung;  /* it never will */
    uint64_t done;  /* batches that were compared */
    shadow_side old, new;
    shadow_seen seen;
};

/* -- shadow.c */

void shadow_job_free(shadow_job *job);

/* What the running batch of `p` made of its records; state of both. CPU time is not in it. */
shadow_side shadow_side_of(const pipeline *p, uint64_t rows);

/* -- shadow_thread.c */

void *shadow_run(void *arg); /* `arg`: the shadow */

/* -- shadow_source.c */

/* Make those of `inputs`, `count` sources. */
void shadow_mirrors_new(shadow *s, const shadow_input *inputs, uint32_t count);
void shadow_mirrors_free(shadow *s);

/* Show the sources what a batch reads; borrowed until the next one. */
void shadow_mirrors_turn(shadow *s, const shadow_input *inputs);

/* find_source_ops */
const sl_source_ops *shadow_find_source(const sl_string *name);
