#pragma once
/* The bytes of an object's section IMAGE_PROGRESS: how far a pipeline had come behind a batch.
 * state/README.md has them one by one. Reading copies everything: no bytes stay borrowed. */
#include <stdbool.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/event/close.h"
#include "runtime/shared/types.h"

/* What is written has the lowest version that can say it. */
enum { PROGRESS_VERSION = 2 };

typedef struct progress_partition {
    const char *topic; /* file: the path */
    int32_t number;
    int64_t position;      /* next offset to be read */
    int64_t high;          /* highest event time seen; WATERMARK_NONE: none */
    sl_string header;      /* the record that names the columns; data NULL: none seen */
    int64_t header_offset; /* of it */
} progress_partition;

typedef struct progress_source {
    sl_string name;
    bool is_marked; /* its positions are committed in the ledger, too */
    int64_t time;   /* as in watermark_source, these three */
    int64_t all_idle_ms, all_idle_time;
    progress_partition *partitions;
    uint32_t count;
} progress_source;

/* An aggregation or a distinct. */
typedef struct progress_stage {
    bool is_distinct;
    sl_string name;
    int64_t watermark;    /* where its inputs meet */
    close_cursor closing; /* aggregation: rows still to come out; from version 2 on */
} progress_stage;

typedef struct progress {
    uint64_t batch;  /* number of the next */
    int64_t now_ms;  /* processing time of the last */
    bool is_flushed; /* everything was closed: no further records can come in */
    progress_source *sources;
    uint32_t source_count;
    progress_stage *stages;
    uint32_t stage_count;
    arena memory; /* of what progress_read made */
} progress;

void progress_write(const progress *p, buf *out);

/* ERR_REFUSED: the bytes do not hold what they say. `p`: progress_done, also on error. */
err *progress_read(const char *bytes, size_t len, progress *p);
void progress_done(progress *p);

/* The source called `name` before which `twin` others are called so; NULL: there is none. */
const progress_source *progress_find_source(const progress *p, const sl_string *name,
                                            uint32_t twin);
/* NULL: not known. */
const progress_partition *progress_find_partition(const progress_source *s, const char *topic,
                                                  int32_t number);
/* NULL: no such stage. */
const progress_stage *progress_find_stage(const progress *p, bool is_distinct,
                                          const sl_string *name);
