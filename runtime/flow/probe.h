#pragma once
/* A record that is looked at on its way through a replay: it is walked in a chunk of its own, which
 * changes nothing, and shown when all that it went through is behind it. So are results that go on
 * from one aggregation to stages behind it. thread: main, of a pipeline with one worker. */
#include "runtime/flow/pipeline.h"

typedef void probe_look(void *arg, const pipeline *p, const batch_view *b, const chunk *c);

typedef struct probe {
    const char *topic; /* files: the path */
    int32_t number;
    int64_t offset;
    probe_look *look;    /* once for each source that reads it */
    probe_look *results; /* for each chunk of results that go on */
    void *arg;
} probe;

/* How many records the chunk takes that begins with `first`: as the walk has it, or fewer, so that
 * the record is alone. */
uint32_t probe_cut(const pipeline *p, const source_view *view, uint32_t first);

/* A chunk has been through all steps. */
void probe_chunk(const probe *at, const pipeline *p, const batch_view *b, const chunk *c);
