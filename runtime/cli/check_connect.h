#pragma once
/* `sluice check --connect`: asks the Kafka clusters of a plan. thread: main. */
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/shared/plan.h"

/* Append the facts on every Kafka source and sink of `plan` to `facts`, as JSON:
 * { "ends": [ { "role": "source" | "sink", "index": n, from 1, "facts": of kafka_inspect.h } ] }.
 * ERR_STOPPED: a signal came. Waits 9 s at most for each cluster that does not answer. */
err *check_connect(const sl_plan *plan, logger *log, buf *facts);
