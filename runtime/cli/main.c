/* sluice: commands and exit codes. What a command does stands in a file of its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/nearest.h"
#include "runtime/cli/args.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/named.h"
#include "runtime/script/help.h"

static int help(const args *a);
static int version(const args *a);

// clang-format off
static const command COMMANDS[] = {
    { "run", "SCRIPT.lua", "run a pipeline until it is done or stopped",
      command_run, false, SCRIPT_ONLY },
    { "check", "SCRIPT.lua", "validate a script and explain its plan",
      command_check, false, SCRIPT_ONLY },
    { "try", "SCRIPT.lua", "run it over a sample, write nothing, show the results", command_try,
      false, SCRIPT_ONLY },
    { "new", "NAME", "write NAME.lua, a commented pipeline, and its spec",
      command_new, false, SCRIPT_ONLY },
    { "schema infer", "[TOPIC]", "draft a schema from the records of a topic, or of a file",
      command_schema_infer, false, SCRIPT_ONLY },
    { "test", "[FILE…]", "run specs of pipelines: busted, a clock by hand, no broker", command_test,
      true, SCRIPT_ONLY },
    { "status", "[NAME]", "show how a running pipeline goes, or all that run", command_status,
      false, SCRIPT_ONLY },
    { "stop", "NAME", "stop a running pipeline, wait for its end, and end as it does",
      command_stop, false, SCRIPT_ONLY },
    { "reload", "NAME", "load the script of a running pipeline again: 0 taken, 4 refused",
      command_reload, false, SCRIPT_ONLY },
    { "checkpoint ls", "SCRIPT.lua", "show what is stored of a pipeline, and how far it is",
      command_checkpoint_ls, false, BY_NAME },
    { "checkpoint verify", "SCRIPT.lua", "read all that a start would need, and say if it is whole",
      command_checkpoint_verify, false, BY_NAME },
    { "checkpoint recover", "SCRIPT.lua", "commit a stored state anew where the pointer is lost",
      command_checkpoint_recover, false, BY_NAME },
    { "checkpoint rollback", "SCRIPT.lua", "go back to an earlier state: output comes again",
      command_checkpoint_rollback, false, BY_NAME },
    { "checkpoint gc", "SCRIPT.lua", "show, or remove, what no pointer reaches",
      command_checkpoint_gc, false, BY_NAME },
    { "checkpoint fork", "SCRIPT.lua NEW-NAME", "give a pipeline of another name this one's state",
      command_checkpoint_fork, false, BY_NAME },
    { "checkpoint export", "SCRIPT.lua FILE", "write state and offsets into one file",
      command_checkpoint_export, false, BY_NAME_AND_FILE },
    { "checkpoint import", "SCRIPT.lua FILE", "begin a pipeline with what was exported",
      command_checkpoint_import, false, BY_NAME_AND_FILE },
    { "state ls", "SCRIPT.lua", "count the stored groups of each operator", command_state_ls,
      false, BY_NAME },
    { "state get", "SCRIPT.lua OPERATOR KEY", "show what is stored of one group",
      command_state_get, false, BY_NAME },
    { "state diff", "SCRIPT.lua BATCH BATCH", "show which groups changed between two batches",
      command_state_diff, false, BY_NAME },
    { "why", "SCRIPT.lua TOPIC:PARTITION:OFFSET",
      "what became of one record, and by which watermark", command_why, false, BY_NAME },
    { "replay", "SCRIPT.lua", "do recorded batches again, and show what they send; writes nothing",
      command_replay, false, BY_NAME },
    { "lag", "SCRIPT.lua", "how far out of order records come, and what each delay would cost",
      command_lag, false, BY_NAME },
    { "help", "[TOPIC]", "print this, or the page of a command or of one of `help topics`", help,
      false, SCRIPT_ONLY },
    { "version", NULL, "print the versions of sluice and what it is linked with",
      version, false, SCRIPT_ONLY },
};
// clang-format on
enum { COMMAND_COUNT = sizeof COMMANDS / sizeof *COMMANDS };

/* Whether a word is a command's name, or near to one. */
static bool is_near_command(const char *word) {
    const char *names[COMMAND_COUNT];
    for (int i = 0; i < COMMAND_COUNT; i++) names[i] = COMMANDS[i].name;
    return nearest_word(word, names, COMMAND_COUNT) != NULL;
}

/* A topic that is near to a command may still be one of the library's. */
static err *help_on(const char *topic, buf *out) {
    if (!topic) return args_help(out, COMMANDS, COMMAND_COUNT, NULL);
    err *unknown = args_help(out, COMMANDS, COMMAND_COUNT, topic);
    if (!unknown) return NULL;
    err_free(unknown);
    err *e = script_help(getenv("SLUICE_LUA"), topic, isatty(1), out);
    if (!e || e->code != ERR_USAGE || !is_near_command(topic)) return e;
    err_free(e);
    return args_help(out, COMMANDS, COMMAND_COUNT, topic);
}

static int help(const args *a) {
    buf out;
    buf_init(&out);
    const char *topic = a->wants_help ? a->command->name : a->operand;
    err *e = help_on(topic, &out);
    fwrite(out.data, 1, out.len, stdout);
    buf_done(&out);
    return e ? command_failed(e) : 0;
}

static int version(const args *a) {
    (void)a;
    command_version();
    return 0;
}

void command_end_now(int code) { _exit(code); }

static int run_by_name(const args *a) {
    named n;
    err *e = named_resolve(a, &n);
    int code = e ? command_failed(e) : a->command->run(&n.args);
    named_done(&n);
    return code;
}

int main(int argc, char **argv) {
    args a;
    err *e = args_read(&a, argc, argv, COMMANDS, COMMAND_COUNT);
    if (e) return command_failed(e);
    if (!a.command) {
        help(&a);
        return 2;
    }
    if (a.wants_help) return help(&a);
    return a.command->by_name ? run_by_name(&a) : a.command->run(&a);
}
