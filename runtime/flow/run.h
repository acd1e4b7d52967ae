#pragma once
/* The loop of a running pipeline: step, wait, until it is done or stopped. thread: main. */
#include "runtime/flow/pipeline.h"

/* Called between steps and while waiting, at most every 100 ms or so. */
typedef void run_tick(void *arg, pipeline *p);

/* Run until the trigger is done, a bounded input has ended, or the process was asked to stop
 * (success, too). */
err *run_pipeline(pipeline *p, run_tick *tick, void *arg);
