#include "runtime/connect/connectors.h"

#include <string.h>

#include <librdkafka/rdkafka.h>

#include "runtime/connect/file.h"
#include "runtime/connect/generator.h"
#include "runtime/connect/kafka_sink.h"
#include "runtime/connect/kafka_source.h"

static const sl_source_ops *const sources[] = { &kafka_source_ops, &file_source_ops,
                                                &generator_source_ops };
static const sl_sink_ops *const sinks[] = { &kafka_sink_ops, &file_sink_ops };

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

const char *connector_library_version(void) { return rd_kafka_version_str(); }
