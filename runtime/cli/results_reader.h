#pragma once
/* Reads the topics of a pipeline's Kafka sinks back, on a thread of its own, and gives every
 * message to the tables and, as a line of JSON, to a file descriptor. What it shows has been
 * through the broker. */
#include "runtime/cli/results.h"
#include "runtime/connect/connectors.h"

typedef struct results_reader results_reader;

typedef struct results_reader_options {
    results *into;           /* borrowed */
    const sl_plan *plan;     /* borrowed */
    sl_system system;        /* `stop` is not used */
    int lines_fd;            /* where lines of JSON go; -1: nowhere */
    void (*on_closed)(void); /* nobody reads the lines any more; thread: the reader's */
} results_reader_options;

/* Open the topics, which exist, and start reading at their beginning. */
struct err *results_reader_open(const results_reader_options *options, results_reader **out);

/* Read what is there now, then end. NULL is allowed. */
void results_reader_close(results_reader *r);
