#pragma once
/* Groups of running totals whose time is over, and which lie in the base alone: nothing in memory
 * tells of them, and nothing that comes out depends on when they go (expiry_is_past). So the base
 * is gone through, a stretch with each batch, all of it each time that the watermark has moved on
 * by half of what they retain. What is past is brought back and removed. thread: worker. */
#include "runtime/operator/emission.h"

/* At the end of a batch. O(what the stretch has). */
struct err *sweep_base(const emission *m, table *t);
