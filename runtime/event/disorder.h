#pragma once
/* How far out of order the records of a source come, and what a watermark's delay would cost: from
 * times alone, in the order in which the records arrived.
 *
 *   add every good record ─▶ add the rows that reach a stage ─▶ arrange ─▶ ask, as often as wanted
 *
 * Rows are judged by the watermark as it stands right before their record, which is the strictest
 * there is: batches judge by the one at their start. One owner; thread: the owner's. */
#include <stdbool.h>
#include <stdint.h>

/* A good record. */
typedef struct disorder_record {
    int64_t time_ms;    /* event time */
    int64_t arrived_ms; /* the record's own time; -1: none */
} disorder_record;

typedef struct disorder_partition {
    disorder_record *records; /* in the order of their offsets; owned */
    uint32_t count, room;
    uint32_t *places; /* of each among all; owned; once arranged */
} disorder_partition;

typedef struct disorder {
    disorder_partition *partitions; /* owned */
    uint32_t partition_count;
    bool by_max;     /* the watermark goes by the highest partition */
    uint32_t count;  /* records of all; once arranged: */
    int64_t *before; /* by place: event time that a watermark without delay has right before it;
                        INT64_MIN: none yet; owned */
    int64_t *newest; /* by place: highest event time before it, of all; owned */
} disorder;

void disorder_init(disorder *d, bool by_max);
void disorder_done(disorder *d);

/* Add a record of partition `p`; its number in it, for disorder_place. */
uint32_t disorder_add(disorder *d, uint32_t p, disorder_record r);

/* All records are in: find their order among each other: by their own time, of one partition by
 * offset, ties by partition; without times such that all partitions are read evenly. */
void disorder_arrange(disorder *d);

/* Place of record `number` of partition `p`. */
uint32_t disorder_place(const disorder *d, uint32_t p, uint32_t number);

/* How far record lay behind the highest event time of its partition; 0: it was the highest. Gives a
 * sorted list, owned by the caller. */
int64_t *disorder_of(const disorder *d, uint32_t p);

/* The value that a share of a sorted list does not exceed; 0 for an empty list. */
int64_t disorder_quantile(const int64_t *sorted, uint32_t count, double share);

/* What is open from some record on until a watermark has passed: a group, a window. */
typedef struct disorder_open {
    uint64_t id;      /* the same for one thing */
    uint32_t place;   /* of a record of it */
    int64_t close_ms; /* watermark that closes it; INT64_MAX: nothing does */
    int64_t end_ms;   /* of the window; for how late its result comes */
} disorder_open;

/* Keep the first of each id: how many. If it comes too late, the others do. */
uint32_t disorder_firsts(disorder_open *items, uint32_t count);

/* By how much each of `rows` misses its close without a delay, sorted; below 0: so long before.
 * Owned by the caller. */
int64_t *disorder_needs(const disorder *d, const disorder_open *rows, uint32_t count);

/* How many rows a delay loses, and the least delay that loses at most `most`. */
uint32_t disorder_lost(const int64_t *needs, uint32_t count, int64_t delay_ms);
int64_t disorder_delay(const int64_t *needs, uint32_t count, uint32_t most);

typedef struct disorder_cost {
    uint32_t peak;       /* most things open at a time */
    uint32_t closed;     /* how many closed while records were there */
    int64_t waited_ms;   /* median of: newest event time when it closed, less its end */
    int64_t waited_most; /* and the longest */
} disorder_cost;

/* Under a delay; `items`: firsts. */
disorder_cost disorder_cost_of(const disorder *d, const disorder_open *items, uint32_t count,
                               int64_t delay_ms);
