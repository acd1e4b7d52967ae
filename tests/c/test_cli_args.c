/* The command line: what is taken, and what is said about the rest. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "runtime/cli/args.h"

static int nothing(const args *a) {
    (void)a;
    return 0;
}

static const command COMMANDS[] = {
    { "run", "SCRIPT.lua", "run it", nothing },
    { "check", "SCRIPT.lua", "check it", nothing },
    { "help", "[COMMAND]", "print this", nothing },
    { "version", NULL, "print versions", nothing },
    { "store put", "SCRIPT.lua NAME [MORE]", "put it", nothing },
    { "store list", "SCRIPT.lua", "list them", nothing },
};
enum { COMMAND_COUNT = 6,
       MOST = 8 };

/* Read words split at blanks. */
static err *read_line(args *a, const char *line, char *memory) {
    char *argv[MOST + 1] = { "sluice" };
    int argc = 1;
    strcpy(memory, line);
    for (char *word = strtok(memory, " "); word; word = strtok(NULL, " ")) argv[argc++] = word;
    return args_read(a, argc, argv, COMMANDS, COMMAND_COUNT);
}

static void refuses(const char *line, const char *said) {
    args a;
    char memory[200];
    err *e = read_line(&a, line, memory);
    assert_non_null(e);
    assert_int_equal(e->code, ERR_USAGE);
    assert_string_equal(e->message, said);
    err_free(e);
}

static void options_and_operand_in_any_order(void **state) {
    args a;
    char memory[200];
    (void)state;
    assert_null(read_line(&a, "run --embedded x.lua --set a=1 --set=b=c=2 --log json", memory));
    assert_string_equal(a.command->name, "run");
    assert_string_equal(a.operand, "x.lua");
    assert_true(a.embedded && a.log_given && !a.strict);
    assert_int_equal(a.log_style, LOG_JSON);
    assert_int_equal(a.set_count, 2);
    assert_string_equal(a.sets[0], "a=1");
    assert_string_equal(a.sets[1], "b=c=2");
}

static void groups_have_members(void **state) {
    args a;
    char memory[200];
    (void)state;
    assert_null(read_line(&a, "store put x.lua y z", memory));
    assert_string_equal(a.command->name, "store put");
    assert_string_equal(a.operand, "x.lua");
    assert_string_equal(a.more[0], "y");
    assert_string_equal(a.more[1], "z");
    refuses("store", "store: wanted one of put, list");
    refuses("store lisd", "store lisd: wanted one of put, list: did you mean list?");
    refuses("store put x.lua", "store put: wanted NAME [MORE]; usage: sluice store put "
                               "SCRIPT.lua NAME [MORE]");
    refuses("store list x y", "store list: what is `y` for? usage: sluice store list SCRIPT.lua");
    assert_null(read_line(&a, "store --help", memory));
    assert_string_equal(a.command->name, "help");
    assert_string_equal(a.operand, "store");
}

static void no_command_is_no_error(void **state) {
    args a;
    char memory[8];
    (void)state;
    assert_null(read_line(&a, "", memory));
    assert_null(a.command);
}

static void what_is_wrong_is_named_with_the_nearest_right_word(void **state) {
    (void)state;
    refuses("rum x", "unknown command `rum`: did you mean `run`?; `sluice help` lists them");
    refuses("x.lua", "`x.lua` is no command: did you mean `sluice run x.lua`?");
    refuses("a/b --embedded", "`a/b` is no command: did you mean `sluice run a/b`?");
    refuses("run --embeded x",
            "unknown option --embeded: did you mean --embedded?; `sluice help` lists them");
    refuses("run x --http a", "--http: not yet; it comes with a later release");
    refuses("check x --embedded", "check does not take --embedded; it is for: run, try");
    refuses("run", "run: wanted SCRIPT.lua; usage: sluice run SCRIPT.lua");
    refuses("run a b", "run: what is `b` for? usage: sluice run SCRIPT.lua");
    refuses("version x", "version: what is `x` for? usage: sluice version ");
    refuses("run x --set a", "--set a: wanted PATH=VALUE, as in --set source.start=earliest");
    refuses("run x --set", "--set: wanted PATH=VALUE behind it");
    refuses("run x --embedded=1", "--embedded takes no value");
    refuses("run x --log xml", "--log xml: wanted plain, logfmt or json");
}

static void help_behind_a_command_is_that_command_s(void **state) {
    static const char *const LINES[] = { "run --help", "run x.lua -h", "run -h --nonsense" };
    args a;
    char memory[200];
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_null(read_line(&a, LINES[i], memory));
        assert_true(a.wants_help);
        assert_string_equal(a.command->name, "run");
    }
    assert_null(read_line(&a, "--help run", memory));
    assert_string_equal(a.command->name, "help");
    assert_string_equal(a.operand, "run");
    assert_null(read_line(&a, "--version", memory));
    assert_string_equal(a.command->name, "version");
}

static void help_of_one_command_has_its_options_alone(void **state) {
    buf out;
    (void)state;
    buf_init(&out);
    assert_null(args_help(&out, COMMANDS, COMMAND_COUNT, "check"));
    assert_non_null(strstr(buf_text(&out), "--strict"));
    assert_null(strstr(buf_text(&out), "--embedded"));
    buf_reset(&out);
    err *e = args_help(&out, COMMANDS, COMMAND_COUNT, "chek");
    assert_non_null(e);
    err_free(e);
    buf_done(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_operand_in_any_order),
        cmocka_unit_test(groups_have_members),
        cmocka_unit_test(no_command_is_no_error),
        cmocka_unit_test(what_is_wrong_is_named_with_the_nearest_right_word),
        cmocka_unit_test(help_behind_a_command_is_that_command_s),
        cmocka_unit_test(help_of_one_command_has_its_options_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
