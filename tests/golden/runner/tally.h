#pragma once
/* Counters over several runs of a pipeline, which each count from 0. One owner; thread: main. */
#include "runtime/flow/pipeline.h"

typedef struct tally {
    source_counters *sources; /* by plan; owned */
    sink_counters *sinks;     /* likewise */
    uint32_t source_count, sink_count;
    run_counters run;
} tally;

/* A run is over: add what it counted. */
void tally_add(tally *t, const pipeline *p);

/* What was counted in the runs before and in this one. */
source_counters tally_source(const tally *t, const pipeline *p, uint32_t i);
sink_counters tally_sink(const tally *t, const pipeline *p, uint32_t i);
run_counters tally_run(const tally *t, const pipeline *p);

void tally_done(tally *t);
