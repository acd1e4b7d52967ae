#pragma once
/* What a batch does behind its records: its watermarks move, results are made, stages behind them
 * work. In a copy of the process (base/child.h) that goes nowhere afterwards; batch.c does it for
 * good. thread: main. */
#include "runtime/flow/pipeline.h"

/* The batch's records have been walked. What fails like any code of the script is passed over. */
void rehearse_results(pipeline *p, const batch_view *view);
