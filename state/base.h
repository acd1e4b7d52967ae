#pragma once
/* The local base: what a pipeline's chain of objects (checkpoint.h) holds, in RocksDB on this
 * machine. It follows the chain in the background, always behind what is committed, and never on a
 * record's path:
 *
 *   batches ─commit▶ objects ─follow▶ gather ─run▶ RocksDB ─┬▶ tables, after a restart
 *                                                           ├▶ panes that were spilled, when they
 *                                                           │  close or are touched
 *                                                           └▶ full objects
 *
 * What it stands at is named by a pointer, written with the changes in one atomic act: it is at one
 * object of the chain or at none (empty, or a full object is being taken in). It is never the
 * truth: what is missing, damaged or of another chain is filled anew. What a running process has
 * spilled must stay, though: an error of a base that is needed ends the run.
 *
 * thread: the owner's; reading: any, also while it follows. */
#include <stdbool.h>
#include <stdint.h>

#include "state/image.h"
#include "state/pointer.h"
#include "state/wanted.h"

struct logger;

typedef struct base base;

/* How panes of a table lie in the base. Its answer does not change. thread: any. */
typedef enum base_way {
    BASE_IN_ROCKS,    /* in RocksDB: what is not spilled */
    BASE_IN_FILES,    /* in files of their own (run_file.h), to be read whole and in order */
    BASE_LOOKED_INTO, /* likewise, with filters: single groups are looked for */
} base_way;
typedef base_way base_way_of(void *arg, const char *name);

typedef struct base_config {
    const char *folder;   /* made if it is not there; this pipeline's alone */
    const char *pipeline; /* its name */
    const char *store_id; /* of the store whose chain it follows (checkpoint_store_id) */
    uint32_t shards;
    size_t memory_bytes; /* for what waits to be written */
    size_t filter_bytes; /* for filters, which base_look_bytes counts */
    struct logger *log;  /* borrowed */
    bool in_line;        /* no thread: everything happens in the call (tests) */
    base_way_of *way_of; /* NULL: all is in RocksDB */
    void *way_of_arg;
} base_config;

/* Open what is there; what cannot be used, or is another pipeline's or store's, is emptied. ERR_IO:
 * another process has it, or the folder cannot be written. */
err *base_open(const base_config *config, base **b);

/* Writes what waits. NULL is allowed. */
void base_close(base *b);

/* Remove what lies in a folder that is not open. */
err *base_destroy(const char *folder);

/* Where it stands; false: nowhere, it waits for a full object. */
bool base_stands_at(base *b, pointer *p);

/* The head of the object it stands at; borrowed until it is at another. thread: the owner's, while
 * nothing follows. */
const image_head *base_head(const base *b);

/* Empty it: it is not of the chain. */
err *base_reset(base *b);

/* -- following */

/* A checkpoint_follow; `arg`: the base. Objects that it cannot use (no full one yet) are passed
 * over.
 */
void base_follow(void *arg, const pointer *p, image *m);

/* The same for an object that is read, at once: filling it from a store. `p` names it. Of a full
 * one a part at a time is in memory, if it is read so. Where it cannot be read, see
 * image_take_error. */
err *base_add(base *b, const pointer *p, image_reader *object);

/* Write what waits, and wait for it. */
err *base_flush(base *b);

/* So many batches are in RocksDB: the number of the next one. 0: none. thread: any. */
uint64_t base_applied(base *b);

/* Bytes that wait to be written. thread: any. */
size_t base_waiting_bytes(base *b);

/* What went wrong in the background, once; it stands nowhere since. NULL: nothing. */
err *base_error(base *b);

/* -- reading */

/* A section as in an object: a table's entries in order, about a megabyte; or another one. */
typedef err *base_visit(void *arg, const image_view *section);

/* Which panes of a table are wanted. */
typedef bool base_wants(void *arg, const char *table, int64_t start, uint32_t generation);

/* All sections of what it stands at now, of one moment; `wants` NULL: all panes. ERR_REFUSED: it
 * stands nowhere. */
err *base_read(base *b, base_wants *wants, base_visit *visit, void *arg);

/* Its panes by table, start, generation. */
typedef err *base_see_pane(void *arg, const char *table, int64_t start, uint32_t generation);
err *base_list(base *b, base_see_pane *see, void *arg);

/* What a pane has of the groups whose order (shard.h) is in [from, to]. Of panes in files it costs
 * least where a thread reads ranges that follow each other. */
typedef struct base_range {
    const char *table;
    int64_t start;
    uint32_t generation;
    uint64_t from, to;
} base_range;
err *base_read_range(base *b, const base_range *range, base_visit *visit, void *arg);

/* Those of `count` groups that a pane has, whose table is looked into; of `in` all but the orders.
 */
err *base_look(base *b, const base_range *in, uint32_t count, const wanted *groups,
               base_visit *visit, void *arg);

/* Bytes of memory that looking takes between two looks. thread: any. */
size_t base_look_bytes(base *b);

/* About how many bytes a range takes on disk, and all of it. */
uint64_t base_bytes(base *b);
uint64_t base_range_bytes(base *b, const base_range *range);

/* Make the full object of what it stands at now, `at`: part by part, those behind the first come
 * first. `part_bytes` 0: as large as usual. */
typedef err *base_give(void *arg, const pointer *at, uint32_t part, const buf *bytes);
err *base_make_full(base *b, size_t part_bytes, base_give *give, void *arg);
