#pragma once
/* What slide.c is made of (slide*.c only): a run is the groups of neighbouring panes in the order
 * in which rows leave, each with the states of these panes merged. A run begins empty and takes in
 * others, in order of time; what it takes in must outlive it, since a group that only one of them
 * has keeps the entry it has there. One owner; thread: worker. */
#include "runtime/operator/emission.h"

enum { RUN_PAIRS = 2048 };

/* A group: its order, the address of its entry, and in the lowest bit whether that lies in the
 * run's own memory. */
typedef struct run_item {
    uint64_t order;
    uintptr_t at;
} run_item;

typedef struct run {
    int64_t start, end; /* numbers of its panes: [start, end) */
    uint64_t newest;    /* latest epoch of them, and */
    uint32_t panes;     /* how many of them there were: else it is void */
    uint32_t count, room;
    run_item *items; /* owned */
    arena entries;   /* of groups that met in this run, and what their parts grew to */
} run;

/* Where runs are made. */
typedef struct run_maker {
    run_item *spare; /* owned */
    uint32_t spare_room;
    uint32_t pair_count; /* states that wait to be merged: */
    void *states[RUN_PAIRS], *parts[RUN_PAIRS];
    bool is_broken; /* a merge was broken off: runs are not what they should be */
} run_maker;

run *run_new(int64_t start);
void run_free(run *r);

/* Take in all groups of a pane; the run is empty. */
void run_take_pane(run *r, run_maker *maker, const pane *p, uint32_t shards);

/* Take in those groups of a pane that `wanted`, sorted, has; the run is empty. */
void run_take_wanted(run *r, const pane *p, const group_list *wanted);

/* Take in what another one has, which is later than all so far. */
void run_take(run *r, run_maker *maker, const emission *m, const run *later);

/* Walk runs side by side, group by group. */
enum { RUN_MOST_PARTS = 32 };
typedef struct run_walk {
    const run_item *at[RUN_MOST_PARTS], *end[RUN_MOST_PARTS];
    uint64_t heads[RUN_MOST_PARTS]; /* order of at[i] */
    uint32_t count;                 /* of those that are not at their end */
    uint64_t order;                 /* of the group given last */
} run_walk;

/* Begin with what `count` runs, oldest first, have of a range. */
void run_walk_begin(run_walk *walk, run *const *runs, uint32_t count, const order_range *range);

/* The entries of the next group, oldest first, into `chain`, which has room for one of each run;
 * 0: there is none. */
uint32_t run_walk_next(run_walk *walk, entry **chain);
