#pragma once
/* Changes of tables, out of one or more objects, on their way into the base: pane by pane, sorted,
 * and of several changes of one entry the last. What is gathered is borrowed: the objects' bytes
 * stay where they are until gather_reset. One owner; thread: the owner's. */
#include "state/image.h"
#include "state/ordered.h"
#include "state/pane_id.h"

typedef struct gather gather;

/* `shards`: of the pipeline. */
gather *gather_new(uint32_t shards);
void gather_free(gather *g);

/* Add what a section (already open, nothing of it read) changes in table `number`. `in_files`: of
 * the table, for gather_next. */
void gather_add(gather *g, uint32_t number, bool in_files, saved_table *section);

/* Bytes held beside the objects'. */
size_t gather_held_bytes(const gather *g);

/* What was gathered of a pane, in order; borrowed. */
typedef struct gather_view {
    pane_id pane;
    bool is_dropped; /* all of its start went before, every generation; of a start the first says */
    const ordered *items;
    uint32_t count;
} gather_view;

/* The next pane of the tables that are in files, or are not, by table, start, generation; `at`
 * begins as 0. False: that was all. */
bool gather_next(gather *g, bool in_files, uint32_t *at, gather_view *view);

/* Forget everything. */
void gather_reset(gather *g);
