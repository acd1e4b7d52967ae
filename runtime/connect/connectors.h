#pragma once
/* The connectors that are written in C, by name. Those in Lua (generator, sinks of a script) are
 * the script layer's: flow asks there for what is not found here. thread: any. */
#include "runtime/shared/connect.h"

/* The source or sink called `name`; NULL when there is none. */
const sl_source_ops *connector_source(const sl_string *name);
const sl_sink_ops *connector_sink(const sl_string *name);

/* Version of the Kafka library in use. */
const char *connector_library_version(void);
