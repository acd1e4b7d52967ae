#include "runtime/cli/args.h"

#include <stddef.h>
#include <string.h>

#include "runtime/base/nearest.h"

typedef err *(*apply_option)(args *a, const char *value);

typedef struct option {
    const char *name, *value; /* value NULL: a switch */
    const char *commands;     /* that take it: names, or the first word of a group */
    const char *summary;
    apply_option apply; /* NULL: not yet, unless its value is kept as typed */
    size_t text_at;     /* where in args; 0: nowhere */
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

static err *set_no_watch(args *a, const char *value) {
    (void)value;
    a->no_watch = true;
    return NULL;
}

static err *set_take_over(args *a, const char *value) {
    (void)value;
    a->takes_over = true;
    return NULL;
}

static err *set_json(args *a, const char *value) {
    (void)value;
    a->json = true;
    return NULL;
}

static err *set_force(args *a, const char *value) {
    (void)value;
    a->force = true;
    return NULL;
}

static err *set_repeats(args *a, const char *value) {
    (void)value;
    a->repeats = true;
    return NULL;
}

static err *set_loses(args *a, const char *value) {
    (void)value;
    a->loses = true;
    return NULL;
}

static err *set_stateless(args *a, const char *value) {
    (void)value;
    a->stateless = true;
    return NULL;
}

static err *set_profile(args *a, const char *value) {
    (void)value;
    a->profile = true;
    return NULL;
}

static err *set_perf_map(args *a, const char *value) {
    (void)value;
    a->perf_map = true;
    return NULL;
}

static err *set_diff(args *a, const char *value) {
    (void)value;
    a->diff = true;
    return NULL;
}

static err *set_connect(args *a, const char *value) {
    (void)value;
    a->connect = true;
    return NULL;
}

static err *set_watch(args *a, const char *value) {
    (void)value;
    a->watch = true;
    return NULL;
}

static err *set_input(args *a, const char *value) {
    if (a->input_count == ARGS_MAX_SETS)
        return err_new(ERR_USAGE, "--input: at most %d are taken", ARGS_MAX_SETS);
    a->inputs[a->input_count++] = value;
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

#define TEXT(member) .text_at = offsetof(args, member)

// clang-format off
static const option OPTIONS[] = {
    { "--embedded", NULL, "run, try", "a Kafka in this process, made-up events, results shown",
      .apply = set_embedded },
    { "--no-watch", NULL, "run", "do not reload the script when it is saved; SIGHUP still does",
      .apply = set_no_watch },
    { "--take-over", NULL, "run", "stop the process that runs it here, then run in its place",
      .apply = set_take_over },
    { "--set", "PATH=VALUE", "run, check, try, lag, replay, why, checkpoint, state",
      "override one option: trigger=once, source.start=earliest, sink.mode=append, NAME.X=…",
      .apply = set_override },
    { "--param", "NAME=VALUE", "run, check, try, lag, replay, why, checkpoint, state",
      "a value for the script's sluice.param(NAME, …)",
      .apply = set_param },
    { "--log", "STYLE", "run", "of log lines: plain (default on a terminal), logfmt (else), json",
      .apply = set_log },
    { "--log-level", "LEVEL", "run", "debug, info (default), warn, error", .apply = set_log_level },
    { "--profile", NULL, "run", "at the end: the time that each kind of work took, ns a record",
      .apply = set_profile },
    { "--perf-map", NULL, "run", "name compiled Lua for Linux's perf, in /tmp/perf-PID.map",
      .apply = set_perf_map },
    { "--input", "FILE", "try, schema infer",
      "read this file in place of the source; of several: NAME=FILE", .apply = set_input },
    { "--watch", NULL, "try", "again at every save of the script or what it requires",
      .apply = set_watch },
    { "--json", NULL, "check, try, lag, replay, why, checkpoint, state, status, stop, reload",
      "print it as JSON", .apply = set_json },
    { "--strict", NULL, "check", "warnings are errors", .apply = set_strict },
    { "--connect", NULL, "check", "ask the brokers, too: topics, limits, rights",
      .apply = set_connect },
    { "--to", "BATCH", "checkpoint rollback, checkpoint recover, replay",
      "the batch that the pipeline goes on from, as `checkpoint ls` shows it", TEXT(to) },
    { "--repeat-output", NULL, "checkpoint rollback, checkpoint recover",
      "yes, readers of the results will get rows again", .apply = set_repeats },
    { "--may-lose-output", NULL, "checkpoint recover",
      "yes, onto a state that is not known to be committed: rows may be missing",
      .apply = set_loses },
    { "--offsets-only", NULL, "checkpoint fork",
      "the copy begins there with empty state: for another key or window", .apply = set_stateless },
    { "--fresh", NULL, "try", "take the sample of a topic anew", .apply = set_force },
    { "--force", NULL, "checkpoint gc", "remove it, do not only show what would go",
      .apply = set_force },
    { "--from", "BATCH", "replay", "the first batch that is done again; --to: the last",
      TEXT(from) },
    { "--script", "FILE", "replay, reload",
      "do them by this script, not by the one that did them; reload: on shadow", TEXT(script) },
    { "--shadow", "BATCHES", "reload",
      "let the changed script do so many batches beside the running one, and compare",
      TEXT(shadow) },
    { "--rows", "ROWS", "reload", "with --shadow: show so many rows that differ (10)",
      TEXT(rows) },
    { "--promote", "WHEN", "reload",
      "with --shadow: let it take over then: same (nothing differs), always; else it is asked",
      TEXT(promote) },
    { "--diff", NULL, "replay",
      "show how --script differs, or topics and files without it; if so, end with 1",
      .apply = set_diff },
    { "--last", "RECORDS", "try, lag, schema infer",
      "look at so many of each source, the newest (100,000; lag 1,000,000, infer 10,000)",
      TEXT(last) },
    { "--brokers", "HOST:PORT", "schema infer", "the Kafka; $KAFKA_BROKERS unless given",
      TEXT(brokers) },
    { "--since", "TIME", "lag", "or at those since so long ago (2h, 30m), by Kafka's time",
      TEXT(since) },
    { "--loss", "SHARE", "lag", "how much may be lost, for the advice: 0.01% (default), 0",
      TEXT(loss) },
    { "--save", "FILE", "lag", "add the answer to FILE as a line of JSON, compare with its last",
      TEXT(save) },
    { "--timeout", "DURATION", "stop, reload",
      "how long to wait: for its end, for the first batch of what is loaded; 30s, else 60s",
      TEXT(end) },
    { "--http", "ADDRESS", "run", "serve metrics and status", .apply = NULL },
};
// clang-format on
enum { OPTION_COUNT = sizeof OPTIONS / sizeof *OPTIONS };

static const command *find_command(const char *name, const command *commands, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (!strcmp(commands[i].name, name)) return &commands[i];
    return NULL;
}

static size_t first_word_len(const char *name) { return strcspn(name, " "); }

/* Whether a name has two words, and this is the first. */
static bool is_of_group(const char *name, const char *group) {
    size_t len = strlen(group);
    return first_word_len(name) == len && name[len] && !strncmp(name, group, len);
}

static bool takes(const option *o, const command *c) {
    size_t whole = strlen(c->name), group = first_word_len(c->name);
    for (const char *at = o->commands; *at; at += strspn(at, ", ")) {
        size_t len = strcspn(at, ",");
        if ((len == whole || len == group) && !strncmp(at, c->name, len)) return true;
        at += len;
    }
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
        return err_new(ERR_USAGE, "%s does not take %s; it is for: %s", a->command->name, o->name,
                       o->commands);
    if (!o->apply && !o->text_at)
        return err_new(ERR_USAGE, "%s: not yet; it comes with a later release", o->name);
    if (!o->value && equals) return err_new(ERR_USAGE, "%s takes no value", o->name);
    const char *value = equals ? equals + 1 : NULL;
    if (o->value && !value) {
        if (*i + 1 >= argc) return err_new(ERR_USAGE, "%s: wanted %s behind it", o->name, o->value);
        value = argv[++*i];
    }
    if (!o->text_at) return o->apply(a, value);
    *(const char **)((char *)a + o->text_at) = value;
    return NULL;
}

static bool is_path(const char *word) {
    size_t len = strlen(word);
    return strchr(word, '/') || (len > 4 && !strcmp(word + len - 4, ".lua"));
}

static err *unknown_command(const char *given, const command *commands, uint32_t count) {
    const char *names[64];
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

/* A group alone, or with a second word that it does not have. */
static err *unknown_member(const char *group, const char *given, const command *commands,
                           uint32_t count) {
    const char *names[64];
    uint32_t name_count = 0;
    buf all;
    buf_init(&all);
    for (uint32_t i = 0; i < count; i++) {
        if (!is_of_group(commands[i].name, group)) continue;
        names[name_count] = commands[i].name + strlen(group) + 1;
        buf_printf(&all, "%s%s", name_count ? ", " : "", names[name_count]);
        name_count++;
    }
    const char *near = given ? nearest_word(given, names, name_count) : NULL;
    err *e = err_new(ERR_USAGE, "%s%s%s: wanted one of %s%s%s%s", group, given ? " " : "",
                     given ? given : "", buf_text(&all), near ? ": did you mean " : "",
                     near ? near : "", near ? "?" : "");
    buf_done(&all);
    return e;
}

/* The command that argv begins with; `words`: how many of argv it is. */
static err *read_command(args *a, int argc, char **argv, const command *commands, uint32_t count,
                         int *words) {
    const char *first = command_word(argv[1]), *second = argc > 2 ? argv[2] : NULL;
    *words = 1;
    a->command = find_command(first, commands, count);
    if (a->command) return NULL;
    bool is_group = false;
    for (uint32_t i = 0; i < count && !a->command; i++) {
        if (!is_of_group(commands[i].name, first)) continue;
        is_group = true;
        bool wanted = second && !strcmp(commands[i].name + strlen(first) + 1, second);
        if (wanted) a->command = &commands[i];
    }
    *words = 2;
    if (a->command) return NULL;
    if (!is_group) return unknown_command(first, commands, count);
    if (!second || !is_help(second)) return unknown_member(first, second, commands, count);
    a->command = find_command("help", commands, count);
    a->operand = argv[1];
    return NULL;
}

/* How many words an operand's text has, and how many of them must be given. */
static void count_operands(const command *c, int *most, int *least) {
    *most = *least = 0;
    for (const char *at = c->operand ? c->operand : ""; *at; at += strspn(at, " ")) {
        ++*most;
        if (*at != '[') ++*least;
        at += strcspn(at, " ");
    }
}

static err *read_operand(args *a, const char *word, int *given) {
    int most, least;
    const command *c = a->command;
    count_operands(c, &most, &least);
    if (*given == most)
        return err_new(ERR_USAGE, "%s: what is `%s` for? usage: sluice %s %s", c->name, word,
                       c->name, c->operand ? c->operand : "");
    if (*given == 0)
        a->operand = word;
    else
        a->more[*given - 1] = word;
    ++*given;
    return NULL;
}

static err *miss_operand(const args *a, int given) {
    int most, least;
    const command *c = a->command;
    count_operands(c, &most, &least);
    if (given >= least) return NULL;
    const char *wanted = c->operand;
    for (int i = 0; i < given; i++) wanted += strcspn(wanted, " ") + 1;
    return err_new(ERR_USAGE, "%s: wanted %s; usage: sluice %s %s", c->name, wanted, c->name,
                   c->operand);
}

err *args_read(args *a, int argc, char **argv, const command *commands, uint32_t count) {
    *a = (args){ .log_level = LOG_INFO };
    if (argc < 2) return NULL;
    int words, given = 0;
    err *e = read_command(a, argc, argv, commands, count, &words);
    if (e || a->operand) return e;
    a->words = (const char *const *)argv + 1 + words;
    a->word_count = argc - 1 - words;
    for (int i = 1 + words; !e && i < argc; i++) {
        if (a->command->takes_words && !is_help(argv[i])) continue;
        if (is_help(argv[i])) {
            a->wants_help = true;
            return NULL;
        }
        if (argv[i][0] == '-' && argv[i][1])
            e = read_option(a, argc, argv, &i);
        else
            e = read_operand(a, argv[i], &given);
    }
    return e ? e : miss_operand(a, given);
}

/* As a shell takes it for one word. */
static void put_word(buf *out, const char *word) {
    static const char BARE[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                               "_-./:=,@%+";
    if (*word && !word[strspn(word, BARE)]) {
        buf_put_text(out, word);
        return;
    }
    buf_put_char(out, '\'');
    for (const char *c = word; *c; c++) {
        if (*c == '\'')
            buf_put_text(out, "'\\''");
        else
            buf_put_char(out, *c);
    }
    buf_put_char(out, '\'');
}

void args_put_operands(const args *a, buf *out) {
    put_word(out, a->name ? a->name : a->operand);
    if (a->name) return; /* its note has the options */
    for (uint32_t i = 0; i < a->param_count; i++) {
        buf_put_text(out, " --param ");
        put_word(out, a->params[i]);
    }
    for (uint32_t i = 0; i < a->set_count; i++) {
        buf_put_text(out, " --set ");
        put_word(out, a->sets[i]);
    }
}

enum { HELP_INDENT = 26,
       MEMBER_INDENT = 48 /* of a group's members, whose names are long */ };

/* `is_brief`: members of a group without their options, which are mostly the same. */
static void help_command(buf *out, const command *c, bool is_brief) {
    size_t start = out->len;
    buf_printf(out, "  sluice %s%s%s ", c->name, c->operand ? " " : "",
               c->operand ? c->operand : "");
    size_t indent = c->name[first_word_len(c->name)] ? MEMBER_INDENT : HELP_INDENT;
    while (out->len < start + indent) buf_put_char(out, ' ');
    buf_printf(out, "%s\n", c->summary);
    if (is_brief && c->name[first_word_len(c->name)]) return;
    for (int i = 0; i < OPTION_COUNT; i++) {
        const option *o = &OPTIONS[i];
        if (!takes(o, c) || (!o->apply && !o->text_at)) continue;
        start = out->len;
        buf_printf(out, "    %s%s%s ", o->name, o->value ? " " : "", o->value ? o->value : "");
        while (out->len < start + HELP_INDENT) buf_put_char(out, ' ');
        buf_printf(out, "%s\n", o->summary);
    }
}

/* Whether the manual of `topic` (NULL: all) has the command. */
static bool is_asked_for(const command *c, const char *topic) {
    return !topic || !strcmp(c->name, topic) || is_of_group(c->name, topic);
}

err *args_help(buf *out, const command *commands, uint32_t count, const char *topic) {
    bool found = false;
    for (uint32_t i = 0; i < count; i++) found |= is_asked_for(&commands[i], topic);
    if (!found) return unknown_command(topic, commands, count);
    if (!topic)
        buf_put_text(out, "sluice: a stream processor for Kafka that you script in Lua\n\n");
    for (uint32_t i = 0; i < count; i++)
        if (is_asked_for(&commands[i], topic)) help_command(out, &commands[i], !topic);
    if (topic) return NULL;
    buf_put_text(out, "\n`sluice COMMAND --help` prints one command's part. lag, why, replay, "
                      "checkpoint and state\ntake the name of a pipeline that has run on this "
                      "machine in place of its script.\n");
    buf_put_text(out, "\nExit codes: 0 done, also after a clean stop by SIGTERM or SIGINT; 1 the "
                      "pipeline failed;\n2 wrong usage, script or plan; 3 another process works "
                      "under the same name; 4 what is\nstored cannot be used as it is; 130, 143 a "
                      "second signal cut it short.\n");
    return NULL;
}
