#pragma once
/* Commands about stored pipelines take a name in place of a script: what ran last under it, on this
 * machine, by this user. A run leaves a note beside its socket (control_place.h). thread: main. */
#include "runtime/cli/args.h"

typedef struct named {
    args args;    /* those given, with the script, --param and --set of the note */
    buf note;     /* what they borrow from */
    char *script; /* of --script, absolute; owned */
} named;

/* Leave a note of how the pipeline `name` is run: folder, script, options. What cannot be written
 * is not: the run goes on. */
void named_note(const args *a, const char *name);

/* If the operand is no file but a name, find its note, and go to the folder of that run. ERR_USAGE:
 * nothing is known of it. `n`: named_done, on error, too. */
err *named_resolve(const args *a, named *n);
void named_done(named *n);
