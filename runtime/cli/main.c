/* sluice: commands and exit codes. What a command does stands in a file of its own. */
#include <stdio.h>
#include <unistd.h>

#include "runtime/cli/args.h"
#include "runtime/cli/commands.h"

static int help(const args *a);
static int version(const args *a);

// clang-format off
static const command COMMANDS[] = {
    { "run", "SCRIPT.lua", "run a pipeline until it is done or stopped", command_run, false },
    { "check", "SCRIPT.lua", "validate a script and explain its plan", command_check, false },
    { "test", "[FILE…]", "run specs of pipelines: busted, a clock by hand, no broker", command_test,
      true },
    { "help", "[COMMAND]", "print this", help, false },
    { "version", NULL, "print the versions of sluice and what it is linked with", version, false },
};
// clang-format on
enum { COMMAND_COUNT = sizeof COMMANDS / sizeof *COMMANDS };

static int help(const args *a) {
    buf out;
    buf_init(&out);
    const char *topic = a->wants_help ? a->command->name : a->operand;
    err *e = args_help(&out, COMMANDS, COMMAND_COUNT, topic);
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

int main(int argc, char **argv) {
    args a;
    err *e = args_read(&a, argc, argv, COMMANDS, COMMAND_COUNT);
    if (e) return command_failed(e);
    if (!a.command) {
        help(&a);
        return 2;
    }
    return a.wants_help ? help(&a) : a.command->run(&a);
}
