#pragma once
/* The script that did a batch: the one at hand, or the text that the store keeps by its hash.
 * thread: main. */
#include "runtime/cli/args.h"
#include "runtime/script/script.h"
#include "state/store.h"

typedef struct past_script_wanted {
    const args *a;
    const char *path;   /* of the script */
    const char *name;   /* of the pipeline whose state it works on */
    const char *folder; /* where stored texts may be put */
    char *own_path;     /* owned: of a stored one, as it was called then */
    char *own_text;     /* owned: of it */
    size_t own_len;
    char *root;    /* owned: where what it requires is put */
    char **params; /* owned: those it ran with; NULL: those of `a` */
    uint32_t param_count;
    char **sets; /* owned: --set it ran with, those that rows depend on; beside those of `a` */
    uint32_t set_count;
} past_script_wanted;

/* Take a script apart as script_source has it; what it required is put into the folder: path and
 * params become its. Strings are copied. ERR_REFUSED: it is damaged. */
err *past_script_unpack(const char *source, size_t len, past_script_wanted *wanted);

/* Put the stored text `hash`, and what it required, into the folder: path and params become its.
 * ERR_REFUSED: it is not there. */
err *past_script_fetch(store *s, uint64_t hash, past_script_wanted *wanted);
void past_script_wanted_done(past_script_wanted *wanted);

err *past_script_open(const past_script_wanted *wanted, script **s);
