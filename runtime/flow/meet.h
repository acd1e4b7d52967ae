#pragma once
/* Watermarks of the stages that keep state: where their inputs meet. An input is a source, or an
 * aggregation, whose results come behind what it holds back (semantics, section 3). One owner (the
 * pipeline); thread: main. */
#include <stdbool.h>

#include "runtime/event/close.h"
#include "runtime/event/watermark.h"
#include "runtime/shared/plan.h"

typedef struct stage_input {
    bool is_aggregate; /* else a source */
    uint32_t index;    /* into the plan's sources or aggregates */
} stage_input;

/* An aggregation or a distinct at run time. */
typedef struct stage_run {
    stage_input *inputs; /* each once; owned */
    uint32_t input_count;
    watermark_input *meeting;  /* one an input; owned */
    int64_t watermark;         /* where its inputs meet, as of the last batch */
    bool reached;              /* a row of the running batch came to it */
    close_cursor closing;      /* aggregation: rows still to come, as of the last batch */
    close_cursor closing_next; /* likewise, behind the running one once it has emitted */
} stage_run;

/* All stages of a plan. */
typedef struct stages {
    const sl_plan *plan;     /* borrowed */
    stage_run *aggregates;   /* by plan; owned */
    stage_run *distincts;    /* by plan; owned */
    watermark_input *behind; /* by aggregate: what comes out of it, as stages_meet found; owned */
} stages;

void stages_init(stages *s, const sl_plan *plan);
void stages_done(stages *s);

/* The watermarks of all stages when those of the sources are `sources`: into `aggregates` and
 * `distincts`, one each. Changes nothing else. */
void stages_meet(stages *s, const watermark_input *sources, int64_t *aggregates,
                 int64_t *distincts);

/* Those of the last batch, aggregations then distincts. */
void stages_stand(const stages *s, int64_t *times);

/* Whether a stage's inputs are sources only. */
bool stage_has_sources_only(const stage_run *run);
