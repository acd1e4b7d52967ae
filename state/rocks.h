#pragma once
/* RocksDB as this program uses it: keys in order of their bytes, written in runs, read in order.
 *
 * A run is a file of sorted keys, made whole and then taken in by one atomic act that is durable
 * (ingest): after a crash a run is there or it is not, there is no log, and no memory holds what is
 * not on disk. Within a run ranges are deleted before keys are put. So nothing here is ever written
 * record by record, and RocksDB's own memory is its block cache.
 *
 * Runs: one at a time. Reading: thread any, also while a run is made. Errors: ERR_IO; retriable
 * where it may pass (no space left). */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"

typedef struct rocks rocks;
typedef struct rocks_run rocks_run;
typedef struct rocks_cursor rocks_cursor;

/* Bytes, borrowed. */
typedef struct rocks_bytes {
    const char *data;
    size_t len;
} rocks_bytes;

/* Open what is in `folder`, made if there is nothing. ERR_IO also when what is there cannot be read
 * (rocks_destroy, and fill it anew); ERR_FENCED: another process has it. */
err *rocks_open(const char *folder, rocks **r);
void rocks_close(rocks *r);

/* Remove what lies in `folder`. It must not be open. */
err *rocks_destroy(const char *folder);

/* Append the value of a key to `value`. */
err *rocks_get(rocks *r, rocks_bytes key, buf *value, bool *missing);

/* Keys rise. The first error is kept, and told by rocks_run_apply; nothing of the run counts then.
 */
err *rocks_run_begin(rocks *r, rocks_run **run);
void rocks_run_put(rocks_run *run, rocks_bytes key, rocks_bytes value);
void rocks_run_delete(rocks_run *run, rocks_bytes key);
void rocks_run_delete_range(rocks_run *run, rocks_bytes from, rocks_bytes to);

/* Take the run in; `run` is freed. */
err *rocks_run_apply(rocks_run *run);
void rocks_run_free(rocks_run *run);

/* Keys of [from, to) as they are now, whatever comes meanwhile. The bounds are copied. */
rocks_cursor *rocks_scan(rocks *r, rocks_bytes from, rocks_bytes to);
/* The next pair, borrowed until the next call; false: that was all, or an error. */
bool rocks_next(rocks_cursor *c, rocks_bytes *key, rocks_bytes *value);
/* Go on at the first key that is not before `key`. */
void rocks_seek(rocks_cursor *c, rocks_bytes key);
/* Ends a scan; what went wrong, if anything. */
err *rocks_scan_end(rocks_cursor *c);

/* Bytes of its files. */
uint64_t rocks_bytes_held(rocks *r);

/* About how many bytes lie between two keys, on disk. */
uint64_t rocks_size(rocks *r, rocks_bytes from, rocks_bytes to);
