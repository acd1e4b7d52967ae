#pragma once
/* Scripts that were loaded once and are kept: loading one takes some 8 ms, and a spec opens the
 * same pipeline for every case. A script has no state between runs, so that it can serve again; one
 * whose files have changed is loaded anew. One owner; thread: main. */
#include "runtime/script/script.h"

typedef struct script_pool script_pool;

script_pool *pool_new(void);
void pool_free(script_pool *pool); /* none is in use any more */

/* A script made with `options`, kept or new. It is the pool's, and goes back by pool_give. Errors
 * as script_open. */
err *pool_take(script_pool *pool, const script_options *options, script **s);
void pool_give(script_pool *pool, script *s);
