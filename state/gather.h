#pragma once
/* Changes of tables, out of one or more objects, on their way into a run of the base: sorted, and
 * of several changes of one entry the last. What is gathered is borrowed: the objects' bytes stay
 * where they are until gather_reset. One owner; thread: the owner's. */
#include "state/image.h"
#include "state/rocks.h"

typedef struct gather gather;

/* `shards`: of the pipeline. */
gather *gather_new(uint32_t shards);
void gather_free(gather *g);

/* Add what a section (already open, nothing of it read) changes in table `number`. */
void gather_add(gather *g, uint32_t number, saved_table *section);

/* Entries gathered, copies of one entry too. */
size_t gather_count(const gather *g);

/* Bytes held beside the objects'. */
size_t gather_held_bytes(const gather *g);

/* Put everything into a run, in the order of its keys. Those of table 0 must be there already. */
void gather_write(gather *g, rocks_run *run);

/* Forget everything. */
void gather_reset(gather *g);
