#pragma once
/* What results.c keeps and results_table.c draws. Internal to these two. */
#include <pthread.h>

#include "runtime/cli/results.h"

enum { RESULTS_ROOM = 512 }; /* kept for each table */

/* A message that is kept. */
typedef struct result {
    uint64_t order;       /* of arrival, from 1 */
    int64_t window_start; /* Unix ms; INT64_MIN: none */
    char *text;           /* key, then value; owned */
    uint32_t key_len, value_len;
    bool has_key, has_value;
} result;

typedef struct result_table {
    uint32_t sink;          /* index into the plan's */
    const sl_string *name;  /* topic; borrowed from the plan */
    bool is_side;           /* late or quarantined records */
    bool is_keyed;          /* behind an aggregation: the latest of each key */
    int32_t mode;           /* sl_mode; 0: no aggregation */
    const sl_output *shape; /* the first output that leads here; NULL: side sinks */
    result items[RESULTS_ROOM];
    uint32_t count;
    uint64_t seen, retracted;
    char reason[200]; /* side sinks: of the last message */
} result_table;

struct results {
    const sl_plan *plan;  /* borrowed */
    result_table *tables; /* owned */
    uint32_t count;
    uint64_t order;
    pthread_mutex_t lock; /* guards the tables */
};
