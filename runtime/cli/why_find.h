#pragma once
/* Which batch read a record, by the records of the batches. thread: main. */
#include "runtime/cli/past.h"

typedef enum why_place {
    WHY_READ,         /* batch `batch` read it */
    WHY_NOT_YET,      /* reading goes on at `next` */
    WHY_BEFORE_START, /* batch 0 is known, and reading began at `first` */
    WHY_FORGOTTEN,    /* recorded batches begin at `first`, and with batch `batch` */
    WHY_UNKNOWN,      /* no recorded batch read anything of the partition */
    WHY_SKIPPED,      /* between two batches: reading went over it, offsets were lost */
} why_place;

typedef struct why_found {
    why_place place;
    uint64_t batch;
    uint64_t until;      /* WHY_READ: batches up to here are recorded */
    uint64_t same_until; /* likewise: and were done by the same text */
    int64_t first, next; /* offsets of the partition: where the recorded batches begin, go on */
} why_found;

typedef struct why_record {
    char *topic; /* owned; files: the path */
    int32_t number;
    int64_t offset;
} why_record;

/* "TOPIC:PARTITION:OFFSET". ERR_USAGE. `r`: mem_free its topic. */
err *why_parse(const char *text, why_record *r);

err *why_find(past *p, const why_record *r, why_found *found);
