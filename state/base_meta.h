#pragma once
/* What a base says of itself: whose it is, where it stands, which tables it has. Its bytes are in
 * README.md. One owner; thread: the owner's. */
#include <stdbool.h>
#include <stdint.h>

#include "state/base.h"
#include "state/run_file.h"

enum { BASE_VERSION = 3 };

/* A table; its number in keys is its place here, from 1. */
typedef struct base_table {
    char *name; /* of its sections; owned */
    uint32_t state_size, part_count;
    uint32_t *part_offsets; /* owned */
    base_way way;
} base_table;

typedef struct base_meta {
    char *pipeline, *store_id; /* owned */
    uint32_t shards;
    bool is_placed; /* it stands at `at` */
    pointer at;
    image_head head;    /* of the object it stands at; strings owned */
    base_table *tables; /* owned */
    uint32_t count;
    run_segment *segments; /* by table, start, generation, of each the oldest first; owned */
    uint32_t segment_count, segment_room;
    uint64_t next_file; /* the number it gets */
} base_meta;

void base_meta_done(base_meta *m);

/* Forget where it stands and what it holds. */
void base_meta_clear(base_meta *m);

/* It stands at `at` now, the object with that head (copied). */
void base_meta_place(base_meta *m, const pointer *at, const image_head *head);

/* The number of a table, added if it is new; 0: its states lie otherwise by now. */
uint32_t base_meta_number(base_meta *m, const char *name, const saved_table *layout,
                          base_way way);

/* The number of a table; 0: there is none. */
uint32_t base_meta_find(const base_meta *m, const char *name);

/* The segments of a pane, and those of all generations of a start: [first, end). O(log all). */
void base_meta_segments(const base_meta *m, const pane_id *of, uint32_t *first, uint32_t *end);
void base_meta_segments_from(const base_meta *m, uint32_t number, int64_t start, uint32_t *first,
                             uint32_t *end);

/* Put `s` in the place of segments [first, end). NULL: nothing. */
void base_meta_replace(base_meta *m, uint32_t first, uint32_t end, const run_segment *s);

void base_meta_write(const base_meta *m, buf *out);

/* `m` is all zero. ERR_REFUSED: the bytes do not hold what they say; base_meta_done also then. */
err *base_meta_read(const char *bytes, size_t len, base_meta *m);
