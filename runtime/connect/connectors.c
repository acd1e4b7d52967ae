#include "runtime/connect/connectors.h"

#include <string.h>

#include <librdkafka/rdkafka.h>

/* A new connector is a line here: its file has NAME_source_ops, NAME_sink_ops or NAME_ledger_ops.
 */
#define SOURCES   \
    SOURCE(kafka) \
    SOURCE(file)  \
    SOURCE(generator)
#define SINKS   \
    SINK(kafka) \
    SINK(file)
#define LEDGERS LEDGER(kafka)

#define SOURCE(name) extern const sl_source_ops name##_source_ops;
#define SINK(name) extern const sl_sink_ops name##_sink_ops;
#define LEDGER(name) extern const sl_ledger_ops name##_ledger_ops;
SOURCES
SINKS
LEDGERS
#undef SOURCE
#undef SINK
#undef LEDGER

#define SOURCE(name) &name##_source_ops,
#define SINK(name) &name##_sink_ops,
#define LEDGER(name) &name##_ledger_ops,
static const sl_source_ops *const sources[] = { SOURCES };
static const sl_sink_ops *const sinks[] = { SINKS };
static const sl_ledger_ops *const ledgers[] = { LEDGERS };

static int is_named(const char *text, const sl_string *name) {
    return strlen(text) == name->len && memcmp(text, name->data, name->len) == 0;
}

const sl_source_ops *connector_source(const sl_string *name) {
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
        if (is_named(sources[i]->name, name)) return sources[i];
    return NULL;
}

const sl_sink_ops *connector_sink(const sl_string *name) {
    for (size_t i = 0; i < sizeof sinks / sizeof *sinks; i++)
        if (is_named(sinks[i]->name, name)) return sinks[i];
    return NULL;
}

const sl_ledger_ops *connector_ledger(const sl_string *name) {
    for (size_t i = 0; i < sizeof ledgers / sizeof *ledgers; i++)
        if (is_named(ledgers[i]->name, name)) return ledgers[i];
    return NULL;
}

const char *connector_library_version(void) { return rd_kafka_version_str(); }
