#pragma once
/* Commands about stored pipelines take a name in place of a script: what ran last under it, on this
 * machine, by this user. A run leaves a note beside its socket (control_place.h), with the text of
 * its script: a name goes by that, whatever has become of the file since. thread: main. */
#include "runtime/cli/args.h"
#include "runtime/cli/past_script.h"
#include "runtime/cli/scratch.h"

typedef struct named {
    args args;               /* those given, with the script, --param and --set of the note */
    buf note;                /* what they borrow from */
    past_script_wanted text; /* likewise */
    scratch folder;          /* of what the script required */
    char *paths[3];          /* of files that were named, absolute; owned */
    uint32_t path_count;
} named;

/* Leave a note of how the pipeline `name` is run: folder, options, script; nothing where `*noted`
 * is the hash of that text already. What cannot be written is not: the run goes on. */
void named_note(const args *a, const char *name, const script *s, uint64_t *noted);

/* If the operand is no file but a name, find its note, and go to the folder of that run. A file
 * that is no more what ran is told to standard error. ERR_USAGE: nothing is known of the name. `n`:
 * named_done, on error, too. */
err *named_resolve(const args *a, named *n);
void named_done(named *n);
