#pragma once
/* Garbage between batches: what functions have left behind is collected while nothing waits for
 * them, not in the midst of the next batch. A part of it at a time; LuaJIT collects by itself where
 * there is no pause in which it could be done. thread: the opener's. */
#include <stdbool.h>

#include "runtime/script/script.h"

/* Whether there is so much that a collection is near, or one has been begun. */
bool script_wants_tidy(const script *s);

/* Collect for some ms at most. */
void script_tidy(script *s);
