#pragma once
/* Tells how a run goes, on a thread of its own, so that it goes on while main is in a long batch:
 * on a terminal a block that is drawn again and again (results, and the status line below), else a
 * log line "progress" now and then. */
#include "runtime/base/log.h"
#include "runtime/cli/results.h"
#include "runtime/cli/status.h"

typedef struct display display;

typedef struct display_options {
    logger *log;      /* borrowed */
    int fd;           /* of the terminal that gets the block; -1: log lines instead */
    results *results; /* shown above the line; NULL: none. Borrowed */
    int64_t every_ms; /* between "progress" lines */
} display_options;

display *display_start(const display_options *options);

/* What main says now. Cheap. thread: main. */
void display_update(display *d, const status_facts *facts);

/* Stop; the line goes, results stay on the screen as they are at last. */
void display_stop(display *d);
