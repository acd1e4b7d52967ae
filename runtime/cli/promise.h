#pragma once
/* What a run says at its begin. thread: main. */
#include "runtime/flow/pipeline.h"

/* Append what is kept, where it goes on, and what is promised of delivery. */
void promise_put(buf *out, const pipeline *p);
