#pragma once
/* Looking for groups in a segment (run_file.h): a filter in memory says of nearly all that it has
 * not that it has not, and the first orders of its blocks which one to read. What is open stays as
 * it is. thread: any, several at once; errors as of run_file.h. */
#include "state/run_file.h"
#include "state/wanted.h"

typedef struct run_look run_look;

/* Open a segment that has a filter; it is left on disk unless `with_filter`: then every look reads
 * a block. */
err *run_look_open(const char *folder, const run_segment *s, bool with_filter, run_look **l);
void run_look_close(run_look *l); /* NULL is allowed */

/* Bytes in memory. */
size_t run_look_bytes(const run_look *l);

/* Take those of `*count` groups that it has out of `left`, and show them: an entry as it is stored,
 * also one that says that the group went. `block`: memory for reading. The file must stay. */
typedef err *run_found(void *arg, const char *at, size_t len);
err *run_look_find(const run_look *l, uint32_t shards, const wanted **left, uint32_t *count,
                   run_found *found, void *arg, buf *block);
