#pragma once
/* What became of records and rows. Each record of a source is counted in exactly one of the six
 * verdicts: their sum is what was read. Owned by the pipeline; thread: main. */
#include <stdint.h>

typedef struct source_counters {
    uint64_t read; /* records taken out of ranges */
    uint64_t passed, filtered, duplicate, late, quarantined, skipped;
    uint64_t partly_quarantined; /* of those passed: user code threw them out of another branch */
    uint64_t late_windows;       /* pairs of row and window */
    uint64_t lost;               /* offsets gone from the broker, on_data_loss = "continue" */
} source_counters;

typedef struct sink_counters {
    uint64_t rows; /* messages delivered, retractions included */
    uint64_t retracted;
    uint64_t refused; /* by the sink, for themselves */
} sink_counters;

typedef struct run_counters {
    uint64_t batches, empty_batches, overran;
    uint64_t nulled_numbers; /* NaN and infinity written as null */
} run_counters;
