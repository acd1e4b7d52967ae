#pragma once
/* Results of an aggregation whose rows go on to other stages: kept by each worker while it emits,
 * then brought into one order. Rows are copies; their texts lie in states and keys, which live
 * until the batch ends, or in the emission's text. One owner; thread: the owner's. */
#include "runtime/base/arena.h"
#include "runtime/shared/row.h"

typedef struct onward {
    sl_row *row;                      /* in the list's memory, or where it was made */
    uint32_t outputs;                 /* mask of those of the step behind that it passed to */
    int64_t window_start, window_end; /* Unix ms */
    uint64_t order;                   /* among those of one window, see shard_order */
} onward;

typedef struct onward_list {
    onward *items; /* owned */
    uint32_t count, room;
    arena rows; /* their memory */
} onward_list;

void onward_list_init(onward_list *list);
void onward_list_done(onward_list *list);
void onward_list_reset(onward_list *list);

/* Keep a copy of `r`, its row of `row_size` bytes too. */
void onward_list_keep(onward_list *list, const onward *r, uint32_t row_size);

/* Add `r`, whose row stays where it is. */
void onward_list_add(onward_list *list, const onward *r);

/* Compare two results of different groups as rows leave: < 0, or > 0. */
int onward_compare(const onward *a, const onward *b);
