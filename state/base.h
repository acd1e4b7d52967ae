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

struct logger;

typedef struct base base;

/* Whether panes of a table are read whole and in order only, never entry by entry: they lie in
 * files of their own (run_file.h). Its answer does not change. thread: any. */
typedef bool base_in_files(void *arg, const char *name);

typedef struct base_config {
    const char *folder;   /* made if it is not there; this pipeline's alone */
    const char *pipeline; /* its name */
    const char *store_id; /* of the store whose chain it follows (checkpoint_store_id) */
    uint32_t shards;
    size_t memory_bytes;     /* for RocksDB's cache and for what waits to be written, together */
    struct logger *log;      /* borrowed */
    bool in_line;            /* no thread: everything happens in the call (tests) */
    base_in_files *in_files; /* NULL: none */
    void *in_files_arg;
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

/* The same for an object that is read, at once: filling it from a store. `p` names it. */
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

/* Groups that are looked for, by start, generation, order, key; each once. */
typedef struct base_wanted {
    int64_t start;
    uint32_t generation;
    uint32_t key_len;
    uint64_t order;
    const char *key;
} base_wanted;

/* Those of `count` groups of the table `name`, which is not in files, that are there. */
err *base_read_many(base *b, const char *name, uint32_t count, const base_wanted *wanted,
                    base_visit *visit, void *arg);

/* About how many bytes a range takes on disk, and all of it. */
uint64_t base_bytes(base *b);
uint64_t base_range_bytes(base *b, const base_range *range);

/* Make the full object of what it stands at now, `at`: part by part, those behind the first come
 * first. `part_bytes` 0: as large as usual. */
typedef err *base_give(void *arg, const pointer *at, uint32_t part, const buf *bytes);
err *base_make_full(base *b, size_t part_bytes, base_give *give, void *arg);
