#include "runtime/cli/args.h"

#include <string.h>

#include "runtime/base/nearest.h"

typedef err *(*apply_option)(args *a, const char *value);

typedef struct option {
    const char *name, *value; /* value NULL: a switch */
    const char *commands;     /* names of commands that take it, with blanks around */
    const char *summary;
    apply_option apply; /* NULL: not yet */
} option;

static err *set_override(args *a, const char *value) {
    if (!strchr(value, '='))
        return err_new(ERR_USAGE, "--set %s: wanted PATH=VALUE, as in --set source.start=earliest",
                       value);
    if (a->set_count == ARGS_MAX_SETS)
        return err_new(ERR_USAGE, "--set: at most %d are taken", ARGS_MAX_SETS);
    a->sets[a->set_count++] = value;
    return NULL;
}

static err *set_param(args *a, const char *value) {
    if (!strchr(value, '='))
        return err_new(ERR_USAGE, "--param %s: wanted NAME=VALUE, as in --param share=0.5", value);
    if (a->param_count == ARGS_MAX_SETS)
        return err_new(ERR_USAGE, "--param: at most %d are taken", ARGS_MAX_SETS);
    a->params[a->param_count++] = value;
    return NULL;
}

static err *set_embedded(args *a, const char *value) {
    (void)value;
    a->embedded = true;
    return NULL;
}

static err *set_json(args *a, const char *value) {
    (void)value;
    a->json = true;
    return NULL;
}

static err *set_connect(args *a, const char *value) {
    (void)value;
    a->connect = true;
    return NULL;
}

static err *set_strict(args *a, const char *value) {
    (void)value;
    a->strict = true;
    return NULL;
}

static err *set_log(args *a, const char *value) {
    static const char *const STYLES[] = { "plain", "logfmt", "json" };
    for (int i = 0; i < 3; i++) {
        if (strcmp(value, STYLES[i])) continue;
        a->log_given = true;
        a->log_style = (log_style)i;
        return NULL;
    }
    return err_new(ERR_USAGE, "--log %s: wanted plain, logfmt or json", value);
}

static err *set_log_level(args *a, const char *value) {
    static const char *const LEVELS[] = { "debug", "info", "warn", "error" };
    for (int i = 0; i < 4; i++) {
        if (strcmp(value, LEVELS[i])) continue;
        a->log_level = (log_level)i;
        return NULL;
    }
    return err_new(ERR_USAGE, "--log-level %s: wanted debug, info, warn or error", value);
}

// clang-format off
static const option OPTIONS[] = {
    { "--embedded", NULL, " run ", "a Kafka in this process, made-up events, results shown",
      set_embedded },
    { "--set", "PATH=VALUE", " run check ",
      "override one option: trigger=once, source.start=earliest, sink.mode=append, NAME.X=…",
      set_override },
    { "--param", "NAME=VALUE", " run check ", "a value for the script's sluice.param(NAME, …)",
      set_param },
    { "--log", "STYLE", " run ", "of log lines: plain (default on a terminal), logfmt (else), json",
      set_log },
    { "--log-level", "LEVEL", " run ", "debug, info (default), warn, error", set_log_level },
    { "--json", NULL, " check ", "print the plan as JSON", set_json },
    { "--strict", NULL, " check ", "warnings are errors", set_strict },
    { "--connect", NULL, " check ", "ask the brokers, too: topics, limits, rights",
      set_connect },
    { "--http", "ADDRESS", " run ", "serve metrics and status", NULL },
};
// clang-format on
enum { OPTION_COUNT = sizeof OPTIONS / sizeof *OPTIONS };

static const command *find_command(const char *name, const command *commands, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (!strcmp(commands[i].name, name)) return &commands[i];
    return NULL;
}

static bool takes(const option *o, const command *c) {
    size_t len = strlen(c->name);
    for (const char *at = o->commands; (at = strstr(at, c->name)); at += len)
        if (at[-1] == ' ' && at[len] == ' ') return true;
    return false;
}

static const option *find_option(const char *name, size_t len) {
    for (int i = 0; i < OPTION_COUNT; i++)
        if (strlen(OPTIONS[i].name) == len && !strncmp(OPTIONS[i].name, name, len))
            return &OPTIONS[i];
    return NULL;
}

static err *unknown_option(const char *given) {
    const char *names[OPTION_COUNT];
    for (int i = 0; i < OPTION_COUNT; i++) names[i] = OPTIONS[i].name;
    const char *near = nearest_word(given, names, OPTION_COUNT);
    return err_new(ERR_USAGE, "unknown option %s%s%s%s; `sluice help` lists them", given,
                   near ? ": did you mean " : "", near ? near : "", near ? "?" : "");
}

/* Read the option at argv[*i]; its value may stand behind `=` or in the next word. */
static err *read_option(args *a, int argc, char **argv, int *i) {
    const char *given = argv[*i], *equals = strchr(given, '=');
    const option *o = find_option(given, equals ? (size_t)(equals - given) : strlen(given));
    if (!o) return unknown_option(given);
    if (!takes(o, a->command))
        return err_new(ERR_USAGE, "%s does not take %s; it is for:%s", a->command->name, o->name,
                       o->commands);
    if (!o->apply) return err_new(ERR_USAGE, "%s: not yet; it comes with a later release", o->name);
    if (!o->value && equals) return err_new(ERR_USAGE, "%s takes no value", o->name);
    const char *value = equals ? equals + 1 : NULL;
    if (o->value && !value) {
        if (*i + 1 >= argc) return err_new(ERR_USAGE, "%s: wanted %s behind it", o->name, o->value);
        value = argv[++*i];
    }
    return o->apply(a, value);
}

static bool is_path(const char *word) {
    size_t len = strlen(word);
    return strchr(word, '/') || (len > 4 && !strcmp(word + len - 4, ".lua"));
}

static err *unknown_command(const char *given, const command *commands, uint32_t count) {
    static const char *const LATER[] = { "try", "lag", "why",
                                         "state", "checkpoint", "reload", "status",
                                         "stop", "replay", "schema", "new" };
    const char *names[32];
    for (size_t i = 0; i < sizeof LATER / sizeof *LATER; i++)
        if (!strcmp(given, LATER[i]))
            return err_new(ERR_USAGE, "%s: not yet; it comes with a later release", given);
    for (uint32_t i = 0; i < count; i++) names[i] = commands[i].name;
    if (is_path(given))
        return err_new(ERR_USAGE, "`%s` is no command: did you mean `sluice run %s`?", given,
                       given);
    const char *near = nearest_word(given, names, count);
    return err_new(ERR_USAGE, "unknown command `%s`%s%s%s; `sluice help` lists them", given,
                   near ? ": did you mean `" : "", near ? near : "", near ? "`?" : "");
}

static bool is_help(const char *word) { return !strcmp(word, "--help") || !strcmp(word, "-h"); }

static const char *command_word(const char *word) {
    return is_help(word) ? "help" : !strcmp(word, "--version") ? "version"
                                                               : word;
}

err *args_read(args *a, int argc, char **argv, const command *commands, uint32_t count) {
    *a = (args){ .log_level = LOG_INFO };
    if (argc < 2) return NULL;
    a->command = find_command(command_word(argv[1]), commands, count);
    if (!a->command) return unknown_command(argv[1], commands, count);
    a->words = (const char *const *)argv + 2;
    a->word_count = argc - 2;
    for (int i = 2; i < argc; i++) {
        err *e = NULL;
        if (a->command->takes_words && !is_help(argv[i])) continue;
        if (is_help(argv[i])) {
            a->wants_help = true;
            return NULL;
        }
        if (argv[i][0] == '-' && argv[i][1])
            e = read_option(a, argc, argv, &i);
        else if (!a->command->operand || a->operand)
            e = err_new(ERR_USAGE, "%s: what is `%s` for? usage: sluice %s %s", a->command->name,
                        argv[i], a->command->name, a->command->operand ? a->command->operand : "");
        else
            a->operand = argv[i];
        if (e) return e;
    }
    if (a->command->operand && a->command->operand[0] != '[' && !a->operand)
        return err_new(ERR_USAGE, "%s: wanted %s; usage: sluice %s %s", a->command->name,
                       a->command->operand, a->command->name, a->command->operand);
    return NULL;
}

enum { HELP_INDENT = 26 };

static void help_command(buf *out, const command *c) {
    size_t start = out->len;
    buf_printf(out, "  sluice %s%s%s ", c->name, c->operand ? " " : "",
               c->operand ? c->operand : "");
    while (out->len < start + HELP_INDENT) buf_put_char(out, ' ');
    buf_printf(out, "%s\n", c->summary);
    for (int i = 0; i < OPTION_COUNT; i++) {
        const option *o = &OPTIONS[i];
        if (!takes(o, c) || !o->apply) continue;
        start = out->len;
        buf_printf(out, "    %s%s%s ", o->name, o->value ? " " : "", o->value ? o->value : "");
        while (out->len < start + HELP_INDENT) buf_put_char(out, ' ');
        buf_printf(out, "%s\n", o->summary);
    }
}

err *args_help(buf *out, const command *commands, uint32_t count, const char *topic) {
    const command *one = topic ? find_command(topic, commands, count) : NULL;
    if (topic && !one) return unknown_command(topic, commands, count);
    if (!one) buf_put_text(out, "sluice: a stream processor for Kafka that you script in Lua\n\n");
    for (uint32_t i = 0; i < count; i++)
        if (!one || one == &commands[i]) help_command(out, &commands[i]);
    if (one) return NULL;
    buf_put_text(out, "\n`sluice COMMAND --help` prints one command's part.\n");
    buf_put_text(out, "\nExit codes: 0 done, also after a clean stop by SIGTERM or SIGINT; 1 the "
                      "pipeline failed;\n2 wrong usage, script or plan; 130, 143 a second signal "
                      "cut it short.\n");
    return NULL;
}
