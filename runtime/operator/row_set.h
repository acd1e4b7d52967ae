#pragma once
/* The rows that one step of a chunk works on, and what became of each: behind a source or an
 * aggregation those of the chunk, behind a distinct those that passed (the same memory), behind a
 * flat_map those it made, as many as it liked. In the order of their records.
 *
 * Written by the worker that has the chunk, in the phase of functions; in the phase of shards read
 * by all, masks by atomics. */
#include "runtime/operator/outbox.h"
#include "runtime/shared/plan.h"
#include "runtime/shared/row.h"

enum { VECTOR_ROWS = 2048 };

/* Rows of a set that go to one aggregation or distinct. */
typedef struct grouping {
    uint32_t count, room; /* rows */
    uint32_t *indices;    /* place of each in the set */
    int64_t *panes;       /* pane start; distinct: 0 */
    uint64_t *hashes;     /* XXH3 of the key */
    const char **keys;    /* in the chunk's text */
    uint32_t *key_lens;   /* bytes */
} grouping;

typedef struct row_set {
    uint32_t count, room;            /* rows */
    void **rows;                     /* owned array, like all that follow */
    uint32_t *parents;               /* places in the parent's set; not at the root */
    uint32_t *outputs;               /* mask of outputs that the row passed to */
    uint32_t *dead;                  /* mask of nodes that threw for it */
    uint32_t *late;                  /* outputs where it was late for all */
    uint32_t *threw_at;              /* outputs lost to user code of the step */
    _Atomic uint32_t *passed;        /* outputs less late, thrown out and duplicate */
    _Atomic uint32_t *folded_out;    /* outputs lost to user code behind them: fold, flat_map */
    char **blocks;                   /* memory of rows made here, VECTOR_ROWS each; owned */
    uint32_t block_count, row_size;  /* bytes of a row */
    uint32_t null_words;             /* of a row made by sl_row_add */
    void *const *from_rows;          /* while a flat_map fills the set: the rows it is called for */
    const uint32_t *from_places;     /* likewise: their places in the parent's set */
    uint32_t from_first;             /* likewise: the first row made for the row it is called for */
    grouping groups[SL_MAX_OUTPUTS]; /* by output to an aggregation or distinct; arrays owned */
    outbox messages[SL_MAX_OUTPUTS]; /* by output that feeds a sink */
} row_set;

row_set *row_set_new(void);
void row_set_free(row_set *set);

/* Begin anew, without rows, as rows of `row_size` bytes. */
void row_set_reset(row_set *set, uint32_t row_size, uint32_t null_words);

/* Make room for `count` rows, those there are kept. */
void row_set_need(row_set *set, uint32_t count);

/* Make room for memory of `count` rows (row_set_memory). */
void row_set_need_memory(row_set *set, uint32_t count);

/* Memory of row `i` in the set's own blocks. */
static inline sl_row *row_set_memory(const row_set *set, uint32_t i) {
    return (sl_row *)(set->blocks[i / VECTOR_ROWS] + (size_t)(i % VECTOR_ROWS) * set->row_size);
}

/* Make room for `count` rows in a grouping, which is empty. */
void grouping_need(grouping *g, uint32_t count);
