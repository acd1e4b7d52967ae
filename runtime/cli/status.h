#pragma once
/* What a running pipeline says of itself: facts that main collects between steps, and the line made
 * of them. status_collect: thread main; the rest is pure. */
#include <stdbool.h>

#include "runtime/base/buf.h"
#include "runtime/flow/pipeline.h"

typedef struct status_facts {
    int64_t at_ms;            /* steady time of collecting; 0: never */
    uint64_t read, late, bad; /* of all sources, in batches that were committed */
    uint64_t rows;            /* delivered to data sinks */
    uint64_t batches;
    uint64_t batch;     /* number of the one that runs, or is next */
    int64_t lag;        /* records; -1: not known */
    bool has_watermark; /* some source has one */
    int64_t watermark;  /* of the source that is furthest behind */
    char held_by[120];  /* "topic/partition" that holds it back; empty: nobody */
    int64_t next_ms;    /* Unix ms of the next batch; 0: when there is something to do */
    int64_t every_ms;   /* least time between batches, by trigger and commit_interval; 0: none */
    bool is_committing; /* beside the next fetch */
    bool is_stopping;
} status_facts;

void status_collect(status_facts *f, const pipeline *p);

/* Records a second, from batch to batch: steady also when a batch comes every 30 seconds; 0 once a
 * batch would have come and did not, or took twice as long as the last. */
typedef struct status_rate {
    uint64_t read;  /* at the last change */
    int64_t at_ms;  /* of the last change; 0: none yet */
    int64_t gap_ms; /* between the last two */
    double rate;    /* -1: not known before the second change */
} status_rate;

/* `f`: as collected last; `now_ms`: steady. */
void status_rate_add(status_rate *r, const status_facts *f, int64_t now_ms);

/* Append the line, at most `width` columns: what matters least is left out first. `now_ms`: Unix
 * ms; `silent_ms`: since the facts were collected, which is how long a batch has run. */
void status_put_line(buf *out, const status_facts *f, double rate, int64_t now_ms,
                     int64_t silent_ms, uint32_t width);
