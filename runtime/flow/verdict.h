#pragma once
/* What became of each record: one of the verdicts of counters.h. A record that is several rows, or
 * goes through several branches, passed if any of them did; else it takes the reason of the first
 * row in the first branch, as the script orders them. thread: main, between phases. */
#include "runtime/flow/counters.h"
#include "runtime/operator/chunk.h"

/* Count the records of a chunk that has been through all its steps. */
void verdict_count(source_counters *counters, const sl_plan *plan, const chunk *c);
