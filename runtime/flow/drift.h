#pragma once
/* Names of fields that records carry and the schema does not declare: seen by each worker's
 * decoders, brought together here, so that each is told once. A new field of a producer is found by
 * its first record, not by its absence a month later. One owner; thread: main, between batches. */
#include "runtime/flow/pipeline.h"

enum { DRIFT_AGAIN = 1000 };

/* A name of one source. */
typedef struct drift_entry {
    uint32_t source;   /* index in the plan */
    char *path;        /* "tip", "user.tip"; owned */
    char *topic;       /* where it was first seen; owned */
    int32_t partition; /* likewise */
    int64_t offset;    /* likewise */
    uint64_t count;    /* times seen by all workers, as of the last look */
    uint64_t next;     /* it is told when the count has come to this: at first sight, and then each
                          time it has grown tenfold, from DRIFT_AGAIN on */
} drift_entry;

typedef struct drift {
    drift_entry *items; /* in the order of first sight; owned */
    uint32_t count, room;
    uint64_t others; /* sightings of names beyond what decoders keep, as of the last look */
} drift;

/* Look at all decoders, and warn of names that are new or have become many. Cheap when there are
 * none. */
void drift_look(drift *d, const pipeline *p, logger *log);
void drift_done(drift *d);
