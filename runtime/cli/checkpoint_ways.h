#pragma once
/* How to go on where what is stored of a pipeline cannot be: for `recover`, where nothing is whole,
 * and for `import`, where something is in its way. thread: main. */
#include "runtime/cli/stored.h"

/* Append what has to be deleted before the pipeline can begin anew under its name: the consumer
 * group, with the command that does it, and its folder in the store, as far as they are there;
 * nothing where neither is. */
void ways_put_rest(buf *out, const stored *s, const survey *v);

/* Append the ways on that work here, each with its commands, on lines of their own. */
void ways_put(buf *out, const stored *s, const survey *v);
