#pragma once
/* The command line: one table of commands and one of options, which `sluice help` prints. No
 * abbreviations, no aliases, no positional flags. thread: main, before anything else runs. */
#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"

enum { ARGS_MAX_SETS = 64,
       ARGS_MAX_MORE = 3 };

typedef struct args {
    const struct command *command; /* NULL: none was given */
    const char *operand;           /* the script, or the topic of help; NULL: none */
    const char *text, *root;       /* the script itself, and the folder of what it requires, where
                                      not those on disk are meant (named.h); NULL */
    size_t text_len;
    const char *name;                /* of the pipeline, given in place of its script; NULL */
    const char *more[ARGS_MAX_MORE]; /* what the command wants behind it; NULL: not given */
    const char *sets[ARGS_MAX_SETS]; /* --set, in order; borrowed from argv */
    uint32_t set_count;
    const char *const *words; /* what stands behind a command that takes_words; borrowed */
    int word_count;
    const char *params[ARGS_MAX_SETS]; /* --param, likewise */
    uint32_t param_count;
    bool wants_help;                        /* --help stands behind it: nothing further was read */
    bool embedded;                          /* --embedded */
    bool profile;                           /* run: --profile */
    bool perf_map;                          /* run: --perf-map */
    bool no_watch;                          /* run: --no-watch */
    bool takes_over;                        /* run: --take-over */
    bool json;                              /* --json */
    bool force;                             /* --force: do it, not only say; try: --fresh */
    bool repeats;                           /* --repeat-output */
    bool loses;                             /* --may-lose-output */
    bool stateless;                         /* --offsets-only */
    const char *to;                         /* --to: a batch, as typed; NULL: none */
    const char *from, *script;              /* replay; the latter: reload, too; likewise */
    const char *shadow, *rows, *promote;    /* reload, likewise */
    bool diff;                              /* replay: --diff */
    const char *last, *since, *loss, *save; /* as typed; NULL: not given */
    const char *end;                        /* --timeout, as typed; NULL: none */
    bool strict;                            /* check: --strict */
    bool connect;                           /* check: --connect */
    bool log_given;                         /* --log: log_style is meant */
    log_style log_style;
    log_level log_level; /* LOG_INFO unless given */

    const char *inputs[ARGS_MAX_SETS]; /* --input, in order; borrowed from argv */
    uint32_t input_count;
    bool watch;          /* --watch */
    const char *brokers; /* --brokers; NULL: not given */
} args;

typedef enum command_names {
    SCRIPT_ONLY,
    BY_NAME,
    BY_NAME_AND_FILE, /* and what stands behind it is a file's */
} command_names;

typedef struct command {
    const char *name;          /* as typed; two words: of a group ("checkpoint ls") */
    const char *operand;       /* as the manual shows them, in brackets if optional; NULL: none */
    const char *summary;       /* of the manual */
    int (*run)(const args *a); /* gives the exit code */
    bool takes_words;          /* it reads what stands behind it itself: args.words */
    command_names by_name;     /* whether a pipeline's name may stand in place of its script */
} command;

/* Read argv. ERR_USAGE names what is wrong and the nearest right word. */
err *args_read(args *a, int argc, char **argv, const command *commands, uint32_t count);

/* Append what another command about the same pipeline is given: its name, if this one was given
 * that, else the script and each --param and --set, quoted for a shell where they must be. */
void args_put_operands(const args *a, buf *out);

/* Append the manual of all commands, or of one. ERR_USAGE: there is no such command. */
err *args_help(buf *out, const command *commands, uint32_t count, const char *topic);
