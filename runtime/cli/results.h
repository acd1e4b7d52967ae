#pragma once
/* What came out of a pipeline, for showing: per topic the latest value of each key (behind an
 * aggregation) or the latest messages (elsewhere), and how many there were. Holds a bounded number
 * of them. Knows nothing of where they come from. thread: any (one lock). */
#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/buf.h"
#include "runtime/shared/plan.h"
#include "runtime/shared/row.h"

typedef struct results results;

/* Make a table for each of the plan's sinks that `connector` serves; the plan is borrowed. */
results *results_new(const sl_plan *plan, const char *connector);
void results_free(results *r);

/* Number of tables, and the sink of each, as an index into the plan's. */
uint32_t results_count(const results *r);
uint32_t results_sink(const results *r, uint32_t table);

/* Take in a message of table `table`; it is copied. */
void results_add(results *r, uint32_t table, const sl_record *message);

/* Append a message as a line of JSON: {"topic":…,"key":…,"value":…}. What is not JSON of sluice's
 * own making is a string; bytes that are not UTF-8 are {"base64":…}. */
void results_put_json(const results *r, uint32_t table, const sl_record *message, buf *out);

/* Append all tables, for a terminal with `lines` and `columns`, times as of `now_ms`. */
void results_put_tables(results *r, buf *out, uint32_t lines, uint32_t columns, int64_t now_ms);
