#pragma once
/* Memory of objects' parts, used again by the next objects: a fresh page costs a fault and is
 * cleared, which is more than all else that makes a large object. Blocks begin at pages, so that
 * they are written past the page cache (file_write.h), and are free()'d like any other memory.
 * The kernel may take what is kept when it is short of memory (MADV_FREE). thread: any. */
#include "runtime/base/buf.h"

typedef struct spares spares;

/* Parts below this are plain memory. */
enum { SPARES_LEAST_BYTES = 1 << 20 };

/* Keeps blocks of no more than `keep_bytes`. */
spares *spares_new(size_t keep_bytes);

/* What was taken stays with who has it. NULL is allowed. */
void spares_free(spares *s);

/* An empty block with room for `bytes`. `s` NULL: a fresh one. */
buf spares_take(spares *s, size_t bytes);

/* Give a block back, or any other memory of a buf. `s` NULL: it is freed. */
void spares_give(spares *s, buf *b);
