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
#include "state/image_load.h"
#include "state/spares.h"
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

/* Take memory from there, and give it back; before the first section. Borrowed, also by a reader of
 * its parts (image_give_back). */
void image_use(image *m, spares *s);
spares *image_spares(const image *m);

/* Begin another part once one has `bytes`; before the first section. Tests, small stores. */
void image_cut_at(image *m, size_t bytes);

/* Begin a section; its bytes are put into what is returned, borrowed until image_end. */
buf *image_begin(image *m, int32_t kind, const char *name, size_t name_len);
void image_end(image *m);

/* A section of `t`: all its entries, or what the running batch changed: to be called before
 * table_commit. Several tables of one name (one a worker) are fine; large ones take several
 * sections. Deterministic for one order of touches. */
void image_put_table(image *m, const char *name, const table *t, bool all);

/* Its parent is called otherwise than when it was made: `is` instead of `was`, of the same length;
 * nothing, if its parent is another. Before image_finish; no part was taken. */
void image_follow(image *m, const char *was, const char *is);

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

/* Bytes of part `part` (0 first; taken). Checks all of them. ERR_REFUSED: what is wrong where;
 * `object` is its name, for messages. */
err *image_open(const char *object, buf *bytes, image_reader **r);
err *image_add_part(image_reader *r, buf *bytes); /* in order, image_part_total in all */
uint32_t image_part_total(const image_reader *r);
void image_reader_free(image_reader *r);
void image_give_back(image_reader *r, spares *s); /* where the memory of parts goes; borrowed */
const image_head *image_head_of(const image_reader *r);
size_t image_read_bytes(const image_reader *r); /* of the parts that it had so far */

/* The next section; false: that was all, or image_take_error. */
bool image_next(image_reader *r, image_view *view);
void image_rewind(image_reader *r);

/* The same in two: the next section of the part it stands in; go on to the next part, the views of
 * which it may free (not those of the first one). What tables hold begins in the first part, all
 * else of a full object of several parts is in it, but for positions of sinks. */
bool image_next_here(image_reader *r, image_view *view);
bool image_turn(image_reader *r);

/* Whether it stands in the last part; whether parts stay when it goes on. */
bool image_is_last(const image_reader *r);
bool image_keeps(const image_reader *r);

/* Where parts behind the first come from when they are turned to; one is in memory at a time.
 * `bytes`: out, taken. After a rewind they are asked for again. */
typedef err *image_source(void *arg, uint32_t part, buf *bytes);
void image_read_from(image_reader *r, image_source *source, void *arg);

/* Why it did not go on; the caller's. NULL: all is well. */
err *image_take_error(image_reader *r);

/* Get all parts, and keep them from now on. false: image_take_error. */
bool image_hold(image_reader *r);
