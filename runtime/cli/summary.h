#pragma once
/* What a run did, said at its end. Every record that was read is in exactly one of the numbers that
 * follow it. */
#include "runtime/flow/drift.h"
#include "runtime/flow/pipeline.h"

/* `for_people`: sentences on standard error; else log lines. `ran_ms`: how long it took. */
void summary_say(const pipeline *p, const drift *d, logger *log, bool for_people, int64_t ran_ms);

/* Append what became of the records of each source, fields that no schema declares, and fields that
 * went blank: lines for people. */
void summary_put_records(buf *out, const pipeline *p, const drift *d);
