#pragma once
/* Files of sorted entries: of panes that the base reads in order, or looks into (run_look.h). A
 * file is written once, in order, and never changed; a segment in it is what one run had of one
 * pane.
 *
 *   file    = segment+
 *   segment = block+ index filter?     index: of each block its first order and its place
 *   block   = checksum, length, count, entries as in an object's section
 *
 * README.md has the bytes. Writers and readers: one owner; thread: the owner's. Errors: ERR_IO, as
 * of rocks.h; ERR_REFUSED: bytes are not those that were written. */
#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "state/ordered.h"
#include "state/pane_id.h"

typedef struct run_segment {
    pane_id pane;
    uint64_t file;         /* its number */
    uint64_t at, len;      /* of its blocks in the file, bytes */
    uint64_t block_count;  /* the index lies behind the blocks */
    uint64_t count;        /* entries, those that went too */
    uint64_t filter_lines; /* of its filter (run_filter.h), which lies behind the index; 0: none */
} run_segment;

enum { RUN_NAME_BYTES = 48 };

/* Name of a file in the base's folder; false: it is none of these. */
void run_file_name(uint64_t file, char name[RUN_NAME_BYTES]);
bool run_file_read_name(const char *name, uint64_t *file);

/* -- writing */

typedef struct run_writer run_writer;

/* Begin file `file` in `folder`. */
err *run_writer_open(const char *folder, uint64_t file, run_writer **w);

/* Begin a segment, and put entries into it in their order; the first error is told by
 * run_writer_close. `most`: it gets a filter, for so many entries at most; 0: none. */
void run_writer_begin(run_writer *w, uint64_t most);
void run_writer_put(run_writer *w, uint64_t order, const char *entry, size_t len);

/* Fill in place, length and counts of the segment. */
void run_writer_end(run_writer *w, run_segment *s);

/* Bytes so far. */
uint64_t run_writer_bytes(const run_writer *w);

/* Make it durable; `w` is freed, and after an error the file is gone. */
err *run_writer_close(run_writer *w);

/* Or remove it. NULL is allowed. */
void run_writer_give_up(run_writer *w);

/* -- reading */

typedef struct run_reader run_reader;

/* Read a segment from its begin; the file must stay. */
run_reader *run_reader_new(const char *folder, const run_segment *s);
void run_reader_free(run_reader *r); /* NULL is allowed */

/* Whether its first block and its index are what was written: a file cut short or torn, cheaply. */
err *run_reader_check(run_reader *r);

/* Go to the first block that may have `order`. */
err *run_reader_seek(run_reader *r, uint64_t order);

/* Read on: entries up to `to` come into `list`, marked `from`, and their bytes to the end of
 * `bytes`; `at` of each is its place there, to be made a pointer when all bytes are. What comes
 * before `least` is passed over. */
err *run_reader_take(run_reader *r, uint64_t least, uint64_t to, uint32_t shards, uint32_t from,
                     ordered_list *list, buf *bytes);
