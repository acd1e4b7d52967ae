#pragma once
/* What a batch took from outside, recorded when it is committed: with the rows of its ranges it
 * gives the same output again. Without a checkpoint it goes to the log at level debug, one JSON
 * object a batch. */
#include "runtime/flow/pipeline.h"

/* Record the running batch of `p`. */
void record_write(pipeline *p, const batch_view *b);
