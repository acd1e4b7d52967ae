#pragma once
/* What `sluice lag` says of a source: a table of delays for each stage, and advice.
 * thread: main. */
#include "runtime/cli/lag_read.h"

enum { LAG_DELAYS = 20 };

/* A stage under one delay. */
typedef struct lag_delay {
    int64_t delay_ms;
    uint32_t lost;        /* rows */
    uint32_t windows;     /* most open at a time; 0: it has none */
    uint32_t groups;      /* likewise */
    uint64_t state_bytes; /* about, of so many groups */
    int64_t result_ms;    /* median of: newest event time when a window closed, less its end */
    int64_t result_most_ms;
    bool has_results; /* windows closed while there were records */
} lag_delay;

typedef struct lag_answer {
    const lag_stage *stage;
    int64_t now_ms;     /* the script's delay; -1: it has no watermark */
    int64_t advised_ms; /* the least that loses no more than is wanted */
    lag_delay delays[LAG_DELAYS];
    uint32_t count;
} lag_answer;

/* Work it out; the source is arranged. `loss`: share of the rows that may be lost. */
void lag_judge(const lag_source *s, const sl_plan *plan, const lag_stage *stage, double loss,
               lag_answer *a);

/* Append what is known of the source, and of its stages. */
void lag_put_text(const lag_source *s, const sl_plan *plan, double loss, const lag_answer *answers,
                  buf *out);
void lag_put_json(const lag_source *s, const sl_plan *plan, const lag_answer *answers, buf *out);
