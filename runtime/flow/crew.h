#pragma once
/* The workers and their threads. Worker 0 is the calling thread; the others sleep between phases. A
 * phase is one function run by every worker at once; crew_run returns when all are done, so phases
 * never overlap. Small work is done by the caller alone, worker after worker: same result, no
 * hand-over. */
#include <stdbool.h>

#include "runtime/base/err.h"
#include "runtime/operator/work.h"

typedef struct crew crew;
typedef err *(*crew_phase)(worker *w, void *arg);

/* Start threads for `count` workers, which are taken, on failure too: `out` is to be freed then as
 * well. ERR_IO: the system gives no thread. */
err *crew_new(worker **workers, uint32_t count, crew **out);

/* Run `phase` for every worker, in threads if `threaded`; of several errors the one whose worker
 * failed at the lowest place (worker.failed_at). */
err *crew_run(crew *c, crew_phase phase, void *arg, bool threaded);

/* In a copy of the process (base/child.h), where no thread is but the caller: it works for all. */
void crew_be_alone(crew *c);

/* After an error: the worker whose error was told. */
worker *crew_failed(const crew *c);

uint32_t crew_count(const crew *c);
worker *crew_worker(const crew *c, uint32_t number);
laps *crew_laps(const crew *c, uint32_t number); /* of its thread; the main one has 0 */
int64_t crew_cpu_ns(const crew *c);              /* of all its threads so far; the caller is main */

/* Between phases: `workers`, as many as there are, take the places of those that are here, which
 * are put in theirs. */
void crew_exchange(crew *c, worker **workers);

/* Stop the threads and free the workers. */
void crew_free(crew *c, const sl_plan *plan);
