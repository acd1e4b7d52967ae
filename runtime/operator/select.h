#pragma once
/* The rows of a chunk that go to one aggregation or distinct and are of one worker's shards, in
 * the order of their records: those of one record by the script's order of the outputs they come
 * through, then as a flat_map made them. So nothing depends on how records were cut into chunks.
 * One owner; thread: worker. */
#include "runtime/operator/work.h"

/* A run of rows: of one driver, at most VECTOR_ROWS. Its arrays are the selector's, or those of a
 * grouping of which it is a piece. */
typedef struct selection {
    uint32_t driver;          /* of their outputs */
    uint32_t count;           /* rows; of each array that follows */
    const uint32_t *indices;  /* place of each in its set */
    const uint16_t *cursors;  /* through which output it came */
    const int64_t *panes;     /* pane start */
    const uint64_t *hashes;   /* XXH3 of the key */
    const char *const *keys;  /* in the chunk's text */
    const uint32_t *key_lens; /* bytes */
    void *rows[VECTOR_ROWS];  /* struct sl_row and what follows; in the chunk's sets */
} selection;

/* Memory for runs that are put together: what the arrays of a selection point to. */
typedef struct select_space {
    uint32_t indices[VECTOR_ROWS];
    uint16_t cursors[VECTOR_ROWS];
    int64_t panes[VECTOR_ROWS];
    uint64_t hashes[VECTOR_ROWS];
    const char *keys[VECTOR_ROWS];
    uint32_t key_lens[VECTOR_ROWS];
} select_space;

/* Where one output's rows stand. */
typedef struct select_cursor {
    row_set *set;            /* borrowed from the chunk */
    const grouping *group;   /* the output's, in `set` */
    const sl_output *output; /* of the plan */
    uint32_t bit;            /* of the output in masks */
    uint32_t level;          /* of the set's step */
    uint32_t at;             /* next row in `group` */
} select_cursor;

typedef struct selector {
    select_cursor *cursors; /* owned */
    uint32_t count, room;
    uint32_t shard_mask; /* shards - 1 */
    selection rows;      /* the run taken last */
    select_space space;
} selector;

void selector_done(selector *s);

/* Begin with the rows that `feeds` bring from `c`; false: it has none of them. */
bool select_begin(selector *s, const batch_view *b, const chunk *c, const sl_feed *feeds,
                  uint32_t feed_count);

/* The next run of the shards of `of` into s->rows; false: there are no more. */
bool select_next(selector *s, const worker *of);

/* How row `n` of the run came. */
static inline const select_cursor *select_from(const selector *s, uint32_t n) {
    return &s->cursors[s->rows.cursors[n]];
}
