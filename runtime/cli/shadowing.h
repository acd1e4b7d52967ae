#pragma once
/* `sluice reload NAME --shadow N` in the process that runs: a thread loads the text that is asked
 * for, main lets it do the next batches beside the running one (flow/shadow.h), and who asked is
 * told what came of it. It is dropped when they have gone. One at a time.
 *
 *   asked ─▶ load ─▶ start, between two batches ─▶ batches ─▶ told
 *          thread: its own    thread: main
 */
#include "runtime/cli/control.h"
#include "runtime/flow/pipeline.h"

typedef struct shadowing shadowing;

typedef struct shadowing_options {
    logger *log;
    control *control; /* borrowed; not open yet */
    const char *path; /* of the running script; borrowed */
    /* Load `path` for one worker. thread: the loading one. */
    err *(*load)(void *arg, const char *path, script_stuck *on_stuck, void *stuck_arg, worker **w);
    void *arg;
} shadowing_options;

/* Adds a command to the control: "shadow BATCHES ROWS PATH", PATH "-": the script as it is on disk
 * now. The answer: members of shadow_put in braces; or "state":"refused" and "reason". */
shadowing *shadowing_new(const shadowing_options *options);

/* Between batches. thread: main. */
void shadowing_tick(shadowing *s, pipeline *p);

/* No more batches come: what is under way is dropped, before the pipeline is closed. */
void shadowing_end(shadowing *s, pipeline *p);

/* Behind the control's end. */
void shadowing_free(shadowing *s);
