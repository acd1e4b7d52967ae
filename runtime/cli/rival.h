#pragma once
/* A second `sluice run` of a name on this machine: the first one's socket says that it lives, long
 * before the fence of the state would end it. thread: main. */
#include "runtime/base/log.h"
#include "runtime/cli/args.h"
#include "runtime/cli/live.h"
#include "runtime/shared/plan.h"

/* Open the socket of `l` for the pipeline of `plan`. ERR_FENCED: a process that runs it for this
 * user answers; says which, and the way out, with `operands`, what commands about it are given.
 * --take-over: it is asked to stop, and waited for. One that does not answer is left to the fence.
 * Two without state, or with --embedded, have nothing in common but the name, and both run. */
err *rival_open(live *l, const args *a, const sl_plan *plan, const char *operands, logger *log);
