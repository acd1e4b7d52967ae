#pragma once
/* The bytes of stored state: what an object of a batch holds, whole (full) or what the batch
 * changed (delta). One format for every kind of state; state/README.md has it byte by byte.
 *
 *   object  = part+                              of about IMAGE_PART_BYTES
 *   part    = head  section*
 *   section = checksum, kind, name, length, bytes
 *   a table's bytes = its layout, then panes, each with its entries
 *
 * Everything is checksummed (XXH3) and of known length: a reader refuses what is cut or changed
 * before it hands out a byte. A table's sections are about a megabyte each.
 * Writers and readers own what they say they own; thread: any, one at a time. */
#include <stdbool.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "state/table.h"

enum { IMAGE_VERSION = 1,
       IMAGE_PART_BYTES = 64 << 20 };

enum image_section {
    IMAGE_PROGRESS = 1, /* flow: positions, watermarks, counters (flow/progress.h) */
    IMAGE_RECORD,       /* the batch's plan as JSON (flow/record.h) */
    IMAGE_TABLE,        /* keyed state; name: "aggregate NAME", "sent NAME", "distinct NAME" .. */
    IMAGE_SINK,         /* position of a sink; name: the sink's */
    IMAGE_ROWS,         /* what the batch gave each sink: lines "ROWS NAME" */
    IMAGE_SPILLED,      /* panes in the base alone (spill.h); name: the table's */
};

typedef struct image_head {
    bool is_full;
    uint64_t batch;     /* number of the next batch, as in its pointer */
    const char *parent; /* pointer text that it follows; a full one too (journal, history) */
    int64_t created_ms; /* processing time of the batch */
    uint64_t script_hash;
    const char *shape;    /* sl_checkpoint.shape */
    const char *pipeline; /* its name */
    const char *cluster;  /* id of the Kafka cluster; "": none */
} image_head;

/* -- writing */

typedef struct image image;

image *image_new(const image_head *head);
void image_free(image *m);

/* Begin another part once one has `bytes`; before the first section. Tests, small stores. */
void image_cut_at(image *m, size_t bytes);

/* Begin a section; its bytes are put into what is returned, borrowed until image_end. */
buf *image_begin(image *m, int32_t kind, const char *name, size_t name_len);
void image_end(image *m);

/* A section of `t`: all its entries, or what the running batch changed: to be called before
 * table_commit. Several tables of one name (one a worker) are fine; large ones take several
 * sections. Deterministic for one order of touches. */
void image_put_table(image *m, const char *name, const table *t, bool all);

/* No more sections. Afterwards the parts can be read. */
void image_finish(image *m);
uint32_t image_part_count(const image *m);
const buf *image_part(const image *m, uint32_t i);
buf image_take_part(image *m, uint32_t i);
size_t image_bytes(const image *m);

/* For objects larger than memory: take the next part behind the first that is complete; false:
 * there is none. It does not say how many parts there will be. */
bool image_take_early(image *m, buf *bytes, uint32_t *part);

/* -- reading */

typedef struct image_reader image_reader;

/* A section, borrowed from the reader. */
typedef struct image_view {
    int32_t kind;
    const char *name; /* NUL-terminated */
    const char *bytes;
    size_t len;
} image_view;

/* Bytes of part `part` (0 first; taken). Checks all of them. ERR_REFUSED: what is wrong where;
 * `object` is its name, for messages. */
err *image_open(const char *object, buf *bytes, image_reader **r);
err *image_add_part(image_reader *r, buf *bytes); /* in order, image_part_total in all */
uint32_t image_part_total(const image_reader *r);
void image_reader_free(image_reader *r);
const image_head *image_head_of(const image_reader *r);
/* The next section; false: that was all. */
bool image_next(image_reader *r, image_view *view);
void image_rewind(image_reader *r);

/* Entries of a table's section, pane by pane, as stored: for loading, RocksDB, `sluice state`. */
typedef struct saved_pane {
    int64_t start;
    uint32_t generation; /* 0; higher: a partial that began after the pane was spilled */
    bool is_dropped;     /* all that was stored of it before goes; entries may follow */
    uint32_t entry_count;
} saved_pane;

typedef struct saved_entry {
    uint64_t hash;
    const char *key;
    uint32_t key_len;
    bool is_removed;
    const char *value; /* the state (parts: zeros), then its parts; at a multiple of 8. NULL: the
                        * entry went */
    uint64_t value_len;
} saved_entry;

typedef struct saved_table {
    const char *at, *end; /* inside; borrowed bytes */
    uint32_t state_size, part_count;
    const uint32_t *part_offsets; /* borrowed */
    uint32_t left;                /* entries of the pane */
} saved_table;

/* Begin to read a section; ERR_REFUSED: it does not hold what it says. */
err *saved_table_open(const image_view *view, saved_table *s);
bool saved_table_pane(saved_table *s, saved_pane *saved);
bool saved_table_entry(saved_table *s, saved_entry *saved);

/* Part `i` of an entry's value; data NULL: none. O(parts). */
void saved_entry_part(const saved_table *s, const saved_entry *saved, uint32_t i, const char **data,
                      uint32_t *len);

/* How members of an older layout lie in a newer one; NULL where a map is asked for: they are the
 * same. Members that are new start as state_init says; others go. */
typedef struct layout_map {
    uint32_t count; /* runs of bytes */
    const uint32_t *from, *to, *sizes;
    uint32_t part_count;  /* of the old layout */
    const int32_t *parts; /* by part of the old layout: number in the new one; -1: it goes */
} layout_map;

/* Which entries a worker gets: those whose shard (`hash & shard_mask`) is `worker` modulo
 * `workers`. */
typedef struct image_share {
    uint64_t shard_mask;
    uint32_t worker, workers;
} image_share;

/* Put what a section holds into `t`, in a batch of the table (table_epoch_begin .. table_commit). A
 * full object's sections into an empty table, deltas behind it in their order. ERR_REFUSED: the
 * states lie otherwise than in `t`, and `map` is NULL or not of them. */
err *image_load_table(const image_view *view, table *t, const layout_map *map,
                      const image_share *share);
