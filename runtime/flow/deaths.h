#pragma once
/* In which batch runs of a pipeline ended by a crash, while functions of the script or its state
 * were at work: a small file beside its state_dir, "STATE_DIR.deaths", that is mapped into memory,
 * so that what was written last is there however the process ends, and a batch costs two stores.
 *
 * It accuses nobody: a run that is killed from outside counts as well. thread: main. */
#include "runtime/flow/pipeline.h"

typedef struct deaths deaths;

/* Read and go on with the file of the pipeline; NULL: there is none to be had. */
deaths *deaths_open(const sl_plan *plan);
void deaths_close(deaths *d); /* NULL is allowed, here and below */

/* Around what the script does in batch `batch`. */
void deaths_enter(deaths *d, uint64_t batch);
void deaths_leave(deaths *d, uint64_t batch);

/* How many runs, one after the other, have ended in this batch, or in one shortly behind it: a
 * batch that died may be cut otherwise, and one may begin before the one before it is committed. */
uint32_t deaths_of(const deaths *d, uint64_t batch);

/* Whether runs have ended in `batch` or behind it: what is done up to there is committed at once,
 * so that the next run, should this one end there, too, begins close to it. */
bool deaths_are_ahead(const deaths *d, uint64_t batch);
