#pragma once
/* A thread that does what it is given, one after the other: objects are written while a batch's
 * outputs are produced, and what is old is removed meanwhile. `in_line`: without a thread, each in
 * the call that adds it (tests, the kit).
 * thread: the owner's; what a job does is its own. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/err.h"

typedef struct jobs jobs;

/* Owns `arg` from then on. */
typedef void job_run(void *arg);

err *jobs_new(bool in_line, jobs **j);

/* Does what is left. NULL is allowed. */
void jobs_free(jobs *j);

/* Give a job; the ticket is for jobs_wait. */
uint64_t jobs_add(jobs *j, job_run *run, void *arg);

/* Wait until that job and all before it are done. False: `stop` (may be NULL) was set first. */
bool jobs_wait(jobs *j, uint64_t ticket, const volatile int *stop);

/* The same, but for `most_ms`; 0: only look. */
bool jobs_wait_some(jobs *j, uint64_t ticket, int64_t most_ms);

/* Jobs that are not done. thread: any. */
size_t jobs_left(jobs *j);
