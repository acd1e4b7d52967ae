#pragma once
/* Sinks that a script writes itself (sluice.sink), behind the same ops as any other: their
 * functions run in the script of sl_system, one call a batch, or one each for SCRIPT_SINK_ROWS
 * rows of it. What they throw fails the batch, with the traceback. Rows stay where the caller has
 * them until flush. A batch that comes again has the same number, and says that it may: what comes
 * of that is the script's affair (`by_batch`). thread: the script's. */
#include "runtime/shared/connect.h"

enum { SCRIPT_SINK_ROWS = 10000 };

extern const sl_sink_ops script_sink_ops;

/* The batch that it begins next may have been given to the same place by another script. */
void script_sink_may_repeat(void *sink);
