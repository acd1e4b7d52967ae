#pragma once
/* Blocks for the variable-size parts of states, with undo. See table.h for what callers may rely
 * on.
 *
 *   OFFSET  SIZE  WHAT
 *   0       8     epoch that made the block
 *   8       4     size class
 *   12      4     place in the list of blocks made, while its batch lasts
 *   16      ..    the part's bytes; in a free block: pointer to the next free one
 *
 * Blocks up to 32 KB have sizes 32, 48, 64, 96, 128 .. and are cut from slabs that are kept until
 * part_store_done; larger ones are slabs of their own. One owner: the table. thread: worker. */
#include "runtime/shared/vector.h"
#include "state/slab.h"

enum { PART_CLASSES = 64 };

typedef struct part_block part_block;

/* A list of blocks. */
typedef struct part_list {
    part_block **items; /* owned; the blocks are the store's */
    uint32_t count;
    uint32_t room;
    uint32_t mark; /* count at the begin of the step */
} part_list;

typedef struct part_store {
    slab_pool *pool;                 /* borrowed from the table */
    part_block *spare[PART_CLASSES]; /* free blocks by size class */
    void **slabs;                    /* that blocks are cut from; owned */
    size_t *slab_lens;
    uint32_t slab_count;
    char *next, *end;   /* free bytes of the last slab */
    part_list made;     /* blocks made in this batch and not freed since */
    part_list gone;     /* blocks that states let go of; freed at commit */
    uint64_t epoch;     /* of this step */
    uint64_t batch;     /* epoch of the batch's first step */
    size_t block_count; /* blocks that are not free, `gone` ones too */
    size_t cut_bytes;   /* of the slabs that blocks are cut from */
    size_t used_bytes;  /* of them in blocks that are not free */
} part_store;

void part_store_init(part_store *s, slab_pool *pool);

/* Give all slabs back; blocks larger than 32 KB must have been freed by part_free. */
void part_store_done(part_store *s);

/* Begin a batch; its epoch, larger than all before, is s->batch. */
void part_begin(part_store *s);

/* As table_epoch_next, table_epoch_undo, table_commit, table_undo say, for the blocks. */
void part_next(part_store *s);
void part_step_undo(part_store *s);
void part_commit(part_store *s);
void part_undo(part_store *s);

/* Put bytes into a part: sl_part_set. */
void part_set(part_store *s, sl_part *part, const char *data, uint32_t len);

/* sl_part_edit and sl_part_append: room for bytes that the caller writes. */
char *part_edit(part_store *s, sl_part *part, uint32_t len);
char *part_append(part_store *s, sl_part *part, uint32_t len);

/* Let the block of a part go; the part becomes none. */
void part_release(part_store *s, sl_part *part);

/* The same, but its bytes can be read until the batch is over. */
void part_let_go(part_store *s, sl_part *part);

/* Free the block of a part at once, without undo; the part becomes none. Outside a batch. */
void part_free(part_store *s, sl_part *part);

/* Bytes of the lists. */
size_t part_list_bytes(const part_store *s);
