#pragma once
/* A batch in which runs have ended before, one after the other (deaths.h): which record was it? Its
 * records are walked in copies of the process, which may crash: first chunk by chunk, then those of
 * the chunk that crashed one by one, then the one that did alone. Only a record that ends a copy
 * twice, at last with nothing before it in the batch, is put aside, durably (poisoned.h); so nobody
 * who ends processes from outside can make a good record suspect. thread: main. */
#include "runtime/flow/pipeline.h"

/* Whether there is reason to look into the running batch. */
bool suspect_is(const pipeline *p, const batch_view *view);

/* Its records are there, no function has seen them, and no commit is beside. p->poison knows
 * afterwards what is put aside. */
void suspect_look(pipeline *p, batch_view *view);
