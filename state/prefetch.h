#pragma once
/* Objects that will probably be asked for one after the other, fetched by several threads ahead of
 * that: a chain of a hundred objects in a remote store is a hundred answers to wait for. It is a
 * guess made of names: what is not asked for is thrown away. thread: the owner's; it has its own.
 * */
#include "state/pointer.h"
#include "state/store.h"

typedef struct prefetch prefetch;

/* Begin with the first parts of `items` (copied), in the order in which they will be asked for. No
 * more than a few are fetched ahead. NULL: no thread could be started. */
prefetch *prefetch_new(store *s, const char *pipeline, const pointer *items, uint32_t count);

/* The same for parts [1, total) of one object: no more than two are in memory at once. */
prefetch *prefetch_parts(store *s, const char *pipeline, const pointer *p, uint32_t total);

/* Wait for part `part` of `p`, which need not be among the items: then false, and nothing is
 * done. Else as store_ops.get: `e` out. Those before it are not asked for any more. */
bool prefetch_take(prefetch *f, const pointer *p, uint32_t part, buf *bytes, bool *missing,
                   err **e);

/* Waits for what is on its way. NULL is allowed. */
void prefetch_free(prefetch *f);
