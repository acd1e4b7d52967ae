#pragma once
/* The counters of a pipeline, as JSON:
 *
 *   { "sources": { NAME: { "read":, "passed":, …, "watermark": ms, "ended": true } },
 *     "sinks": { NAME: { "rows":, "retracted":, "refused": } },
 *     "aggregates": { NAME: { "watermark":, "ended": } },
 *     "run": { "batches":, "empty":, "nulled": } }
 *
 * `watermark` or `ended` stand there when there is one. */
#include "runtime/base/buf.h"
#include "runtime/flow/pipeline.h"

/* Append them to `out`. */
void kit_put_metrics(buf *out, const pipeline *p);
