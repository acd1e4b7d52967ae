#pragma once
/* The records of a source as they came, for `sluice lag`: event times, and the rows that reach
 * aggregations and distincts right behind it. Nothing is kept of a record but its times. Reads
 * without a group, commits nothing. thread: main. */
#include "runtime/event/disorder.h"
#include "runtime/flow/input.h"
#include "runtime/operator/work.h"

/* A row at a stage. */
typedef struct lag_row {
    uint32_t partition, number; /* of its record, in the source's disorder */
    int64_t time_ms, pane;
    uint64_t hash; /* of the key */
} lag_row;

/* An aggregation or a distinct. */
typedef struct lag_stage {
    bool is_distinct;
    uint32_t index; /* in the plan */
    lag_row *rows;  /* owned */
    uint32_t count, room;
    uint64_t key_bytes; /* of all rows */
} lag_stage;

typedef struct lag_source {
    const sl_source *plan;
    char **names; /* of the partitions: "TOPIC:NUMBER"; files: the path; owned */
    uint32_t name_count;
    disorder disorder;
    lag_stage *stages; /* that rows reach; owned */
    uint32_t stage_count;
    uint64_t read, bad;
} lag_source;

/* What to read. */
typedef struct lag_wanted {
    int64_t last;     /* records of a source, an even share of each partition */
    int64_t since_ms; /* INT64_MIN: not asked for */
} lag_wanted;

/* Read source `number` by worker `w`, which has the script. `s`: lag_source_done, on error too. */
err *lag_read(worker *w, const sl_plan *plan, uint32_t number, const sl_system *system,
              const lag_wanted *wanted, lag_source *s);
void lag_source_done(lag_source *s);
