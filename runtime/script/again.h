#pragma once
/* What a call that failed is to be judged by. thread: as for script.h. */
#include "runtime/script/script.h"

/* A run failed: whether it shall begin again at the row where it did (vector->first is set), which
 * is not to blame yet: memory ran out, and what rows before it had left counted, too. Once for each
 * row; all that is no longer used has been collected. */
bool script_runs_again(script *s);
