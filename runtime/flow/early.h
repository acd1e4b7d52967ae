#pragma once
/* Reading the next batch while the running one is walked (input_early.h), for all inputs. thread:
 * main. */
#include "runtime/flow/pipeline.h"

/* Behind the fetch of the running batch: whether there is something that the next one, which
 * follows at once, can read. */
bool early_plan(pipeline *p);

/* Read it, in the middle of a walk. `arg`: what the walk is given, a pipeline. */
void early_fetch(void *arg);
