#pragma once
/* Hot reload of `sluice run`: a thread watches the script and what it required, or is asked; loads
 * the changed text beside the running one, and hands the workers to main, which lets them take over
 * between two batches (flow/reload.h). What is wrong with it is told, and the old one goes on.
 *
 *   saved, SIGHUP, asked ─▶ load, a worker each ─▶ ready ─▶ swap ─▶ told
 *        thread: reloader's                         thread: main
 */
#include "runtime/flow/pipeline.h"

/* The line of the log, with the reason. */
#define RELOADER_SAYS_REFUSED "the changed script is refused, the old one goes on"

typedef struct reloader reloader;

/* What became of a text that was loaded. Of one that is taken over another word follows. */
typedef enum reloader_outcome {
    RELOADER_REFUSED, /* the old one goes on */
    RELOADER_SAME,    /* it is the one that runs */
    RELOADER_TAKEN,   /* it has taken over, on trial */
    RELOADER_WAITS,   /* it is still on trial, and no record has come; told once */
    RELOADER_STAYS,   /* its first batch is done */
    RELOADER_BACK,    /* its first batch failed: the old one did it, and goes on */
} reloader_outcome;

/* `text`: what has changed, or why not, lines; WAITS, STAYS: empty. `hash`: of the script that
 * runs. `ask`: number of the last one whose text it is; of one on trial, WAITS and later: 0.
 * thread: any. */
typedef void reloader_told(void *arg, reloader_outcome outcome, const char *text, uint64_t hash,
                           uint64_t ask);

typedef struct reloader_options {
    logger *log;
    const char *path; /* of the script; borrowed */
    bool watches;     /* files, else only who asks */
    /* Load the script, or what `path` names if it is not NULL, for all workers, into a list that is
     * taken. thread: reloader's. */
    err *(*load)(void *arg, const char *path, worker ***workers, uint32_t *count);
    reloader_told *told; /* may be NULL */
    void *arg;           /* of both */
} reloader_options;

/* `running`: the script that runs. NULL: there is no thread to be had, which is told. */
reloader *reloader_new(const reloader_options *options, script *running);

/* Load it again now, whatever has changed; where that cannot be, it is refused in the call.
 * `words`: "HASH PATH": the only text that may take over, and the file that it is in, "-": the
 * script's own; watched are the script's files as before. NULL or "": whatever the script is.
 * What is asked in other words is loaded behind it, once it has taken over or is refused. `ask`:
 * the number of who asks; numbers grow; 0: nobody is to be told. thread: any. */
void reloader_ask(reloader *r, const char *words, uint64_t ask);

/* Between batches: let what is loaded take over. thread: main. */
void reloader_tick(reloader *r, pipeline *p);

/* Whether loading has not returned for so long that it never will: the pipeline goes on without
 * reloads. thread: any. */
bool reloader_hangs(reloader *r);

/* Before the pipeline closes. */
void reloader_free(reloader *r, pipeline *p); /* NULL is allowed */
