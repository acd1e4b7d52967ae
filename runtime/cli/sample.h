#pragma once
/* A part of what a pipeline reads, taken once and kept in memory: the last records of its topics,
 * read without a group, or those of a file. It is then a bounded source for any number of runs,
 * shown in steps, so that time goes on in all partitions alike: a watermark moves between two steps
 * as it would between two batches. One owner; thread: main. */
#include "runtime/base/arena.h"
#include "runtime/script/script.h"
#include "runtime/shared/connect.h"

typedef struct sample_partition {
    char *topic; /* owned */
    int32_t number;
    sl_record *records; /* by offset; owned, bytes in the source's arena */
    uint32_t count, room;
} sample_partition;

/* What was taken of one source of the plan. */
typedef struct sample_source {
    char *identity;               /* by it a changed script finds it; owned */
    char *name;                   /* as in the plan; owned */
    sample_partition *partitions; /* owned */
    uint32_t count;
    arena bytes;
    int64_t taken_ms; /* Unix ms */
    bool is_kept;     /* by an earlier process: sample_cache.h */
} sample_source;

typedef struct sample {
    sample_source **sources; /* owned */
    uint32_t count;
    uint32_t step, steps; /* what is shown: step of steps */
} sample;

typedef struct sample_options {
    const char *const *inputs; /* FILE, or NAME=FILE by source; borrowed */
    uint32_t input_count;
    int64_t last;   /* records of each source, > 0 */
    bool is_made;   /* Kafka's records are made by the script, as --embedded does */
    bool keeps;     /* samples of topics are kept, and looked for first */
    bool is_fresh;  /* but for this one */
    script *maker;  /* of made ones; borrowed */
    bool is_single; /* filled in: the plan has one source, an input need not name it */
    sl_system system;
} sample_options;

void sample_init(sample *s);
void sample_done(sample *s);

/* Take what the sources of `plan` read and is not there yet; `took`: whether anything was. */
struct err *sample_take(sample *s, const sl_plan *plan, const sample_options *options, bool *took);

/* Records there are of all sources of the plan. */
uint64_t sample_records(const sample *s, const sl_plan *plan);

/* When the oldest sample of them was taken that an earlier process kept; 0: none was. */
int64_t sample_kept_ms(const sample *s, const sl_plan *plan);

/* Begin a run: the first of `steps` is shown. */
void sample_begin(sample *s, uint32_t steps);

/* Show one step more; false: all was shown. */
bool sample_go_on(sample *s);

/* What stands for a source of any connector (find_source_ops): it serves the records of the plan's
 * source out of the sample that system->resume_arg points to. */
const sl_source_ops *sample_ops(const sl_string *connector);

/* -- for sample_take.c: */

/* What tells one source from another, from plan to plan; owned by the caller. */
char *sample_identity(const sl_source *plan);

sample_partition *sample_partition_of(sample_source *s, const char *topic, int32_t number);

/* Whether something was taken of the source. */
bool sample_has(const sample *s, const sl_source *plan);

/* Forget what was taken last. */
void sample_drop_last(sample *s);

/* Keep a record; its bytes stay borrowed. */
void sample_keep(sample_source *s, sample_partition *p, const sl_record *r);
