#pragma once
/* `sluice run --profile`: what each kind of work took. Every run measures it (operator/laps.h); the
 * option only prints it. */
#include "runtime/flow/pipeline.h"

/* `for_people`: a table on standard error, the dearest first; else a log line a kind. */
void profile_say(const pipeline *p, logger *log, bool for_people);
