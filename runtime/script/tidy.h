#pragma once
/* Garbage between batches: what functions have left behind is collected while nothing waits for
 * them, rather than in the midst of a batch. LuaJIT collects by itself where there is no pause in
 * which it could be done. thread: the opener's. */
#include <stdbool.h>

#include "runtime/script/script.h"

/* Whether there is so much that a collection is near, or one has begun and not ended. */
bool script_wants_tidy(script *s);

/* Collect for 2 ms, or to the end of the step that is on then: one table is not divided. */
void script_tidy(script *s);
