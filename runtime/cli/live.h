#pragma once
/* What a running pipeline tells over its socket, and what it can be told: the commands behind
 * `sluice status` and `sluice stop`. main gives the facts between steps; while a batch runs longer
 * the last ones are told, with their age. */
#include "runtime/base/log.h"
#include "runtime/cli/control.h"
#include "runtime/cli/reloader.h"
#include "runtime/cli/status.h"

typedef struct live live;

typedef struct live_options {
    logger *log;        /* borrowed; warnings and errors are kept for status */
    const char *script; /* path; borrowed */
    bool embedded;
} live_options;

/* Nothing is told yet; others may add commands to live_control. */
live *live_new(const live_options *options);
control *live_control(live *l);

/* Open the socket of the pipeline `name`. Where none can be had, or another process has the name,
 * that is a warning: the run goes on. Returns that process; 0: there is none. `guards`: the name is
 * taken as soon as it is free, since it keeps others away from the state. */
int live_open(live *l, const char *name, bool guards);

/* Take the name now, if it `guards`, another had it, and it is free. thread: main. */
void live_take_name(live *l);

/* thread: main, at each look. */
void live_update(live *l, const pipeline *p, const status_facts *f);

/* The next `sluice reload` that was asked, if there is one; `words`: with what, the caller's: "",
 * or "HASH PATH" of the only text that is to take over, PATH "-": the script itself. `ask`: the
 * number of who asked. thread: main. */
bool live_take_reload(live *l, char **words, uint64_t *ask);

/* What became of a reload (reloader_told): kept for status, and told to those whose text it is, who
 * asked before it was loaded, once it is certain, or may not be for long. thread: any. */
void live_note_reload(live *l, reloader_outcome outcome, const char *text, uint64_t hash,
                      uint64_t ask);

/* The run has ended; who waits is told. NULL is allowed. */
void live_close(live *l, int exit_code);
