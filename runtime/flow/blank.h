#pragma once
/* Fields that had values and have none any more: a producer that renamed or dropped a field is
 * found after BLANK_RECORDS records, not by a dashboard that went flat. A field that never had a
 * value is none of them. One owner (the input); thread: main. */
#include "runtime/base/log.h"
#include "runtime/operator/chunk.h"
#include "runtime/shared/connect.h"

enum { BLANK_RECORDS = 1000 }; /* null in so many records one behind the other: told, and again
                                  each time they have become ten times as many */

typedef struct blank_field {
    bool had_value;     /* once: a field that never had one is no news */
    uint64_t run;       /* records in a row in which it was null */
    uint32_t partition; /* where that run began */
    int64_t offset;
    uint64_t told; /* of the run that goes on: how long it was when it was told last; 0: never */
} blank_field;

/* Look at the good rows of a chunk of `source` and warn of fields that turned blank. `fields`: one
 * a field of the source, zero at first; `records`: of the batch. O(fields). */
void blank_look(blank_field *fields, const sl_source *source, const sl_partition *partitions,
                const sl_record *records, const chunk *c, logger *log);
