#pragma once
/* The connectors, by name: what a pipeline is opened with (pipeline_options). thread: any. */
#include "runtime/shared/connect.h"

/* The source or sink called `name`; NULL when there is none. */
const sl_source_ops *connector_source(const sl_string *name);
const sl_sink_ops *connector_sink(const sl_string *name);

/* The ledger called `name` (plan.h, sl_checkpoint.ledger); NULL when no connector is one:
 * "store" is the state's own (state/store_ledger.h). */
const sl_ledger_ops *connector_ledger(const sl_string *name);

/* Version of the Kafka library in use. */
const char *connector_library_version(void);
