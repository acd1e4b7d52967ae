#pragma once
/* What became of records and rows. Each record of a source is counted in exactly one of the six
 * verdicts: their sum is what was read. Owned by the pipeline; thread: main. */
#include <stdint.h>

typedef struct source_counters {
    uint64_t read;               /* records taken out of ranges */
    uint64_t passed;             /* some output took it */
    uint64_t filtered;           /* no output took it */
    uint64_t duplicate;          /* 0: there is no :distinct yet */
    uint64_t late;               /* for all windows of its first output */
    uint64_t quarantined;        /* bad, ahead of time, or user code threw */
    uint64_t skipped;            /* bad or ahead of time, dropped by policy */
    uint64_t partly_quarantined; /* of those passed: user code threw them out of another branch */
    uint64_t late_windows;       /* pairs of row and window */
    uint64_t lost;               /* offsets gone from the broker, on_data_loss = "continue" */
} source_counters;

typedef struct sink_counters {
    uint64_t rows;      /* messages delivered, retractions included */
    uint64_t retracted; /* of them, tombstones */
    uint64_t refused;   /* by the sink, for themselves */
} sink_counters;

typedef struct run_counters {
    uint64_t batches;        /* committed */
    uint64_t empty_batches;  /* begun without records */
    uint64_t overran;        /* ended past their interval */
    uint64_t nulled_numbers; /* NaN and infinity written as null */
    uint64_t spilled_panes;  /* that went from memory to the base */
    uint64_t redelivered;    /* times that a batch's outputs were handed over once more */
} run_counters;
