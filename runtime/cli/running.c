/* `sluice status`, `stop` and `reload`: to running pipelines of this user on this machine. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/cli/ask.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/control_place.h"
#include "runtime/cli/shadow_ask.h"
#include "runtime/script/answer.h"

enum {
    STATUS_MS = 5000,
    EACH_MS = 1000,    /* of all that run */
    STOP_MS = 60000,   /* --timeout */
    RELOAD_MS = 60000, /* likewise */
    GONE_MS = 2000,    /* from the last answer to the end of the process */
};

/* Print an answer: as it is, or for people; what went wrong to standard error. */
static int show(const args *a, const char *kind, const buf *answer) {
    int code = 0;
    buf text;
    buf_init(&text);
    err *e = script_answer(getenv("SLUICE_LUA"), kind, answer, &text, &code);
    if (!e && a->json) {
        printf("%.*s\n", (int)answer->len, answer->data);
    } else if (!e) {
        bool has_end = text.len && text.data[text.len - 1] == '\n';
        FILE *out = code ? stderr : stdout;
        if (code) fputs("sluice: ", out);
        if (code || strcmp(kind, "stop") == 0) fprintf(out, "%s: ", a->operand);
        fwrite(text.data, 1, text.len, out);
        if (!has_end) fputc('\n', out);
    }
    buf_done(&text);
    return e ? command_failed(e) : code;
}

/* Ask one, and print what it says. */
static int ask_one(const args *a, const char *request, const char *kind, int64_t timeout_ms) {
    pid_t pid;
    bool is_late;
    buf answer;
    buf_init(&answer);
    err *e = ask(a->operand, request, timeout_ms, &answer, &pid, &is_late);
    int code = e ? command_failed(e) : show(a, kind, &answer);
    buf_done(&answer);
    return code;
}

/* Those that run; who does not answer in time, or ends just now, is told as that. */
static int show_all(const args *a) {
    buf labels, all;
    buf_init(&labels);
    buf_init(&all);
    control_place_list(&labels);
    buf_put_char(&all, '[');
    for (size_t at = 0; at < labels.len; at += strlen(labels.data + at) + 1) {
        pid_t pid;
        bool is_late;
        size_t start = all.len;
        if (start > 1) buf_put_char(&all, ',');
        err *e = ask(labels.data + at, "status", EACH_MS, &all, &pid, &is_late);
        if (!e) continue;
        all.len = start;
        fprintf(stderr, "sluice: %s\n", e->message);
        err_free(e);
    }
    buf_put_char(&all, ']');
    int code = 0;
    if (all.len == 2 && !a->json)
        printf("no pipeline runs here for this user\n");
    else
        code = show(a, "list", &all);
    buf_done(&labels);
    buf_done(&all);
    return code;
}

int command_status(const args *a) {
    return a->operand ? ask_one(a, "status", "status", STATUS_MS) : show_all(a);
}

typedef struct unit {
    const char *name;
    int64_t ms;
} unit;

/* A duration as typed: 30s, "30 seconds", 500ms; false: it is none. */
static bool read_timeout(const char *text, int64_t *ms) {
    static const unit UNITS[] = {
        { "ms", 1 },
        { "s", 1000 },
        { "second", 1000 },
        { "min", 60000 },
        { "minute", 60000 },
        { "h", 3600000 },
        { "hour", 3600000 },
    };
    char *end;
    long number = strtol(text, &end, 10);
    while (*end == ' ') end++;
    size_t len = strlen(end);
    if (end == text || number < 0 || number > 1000000 || !len) return false;
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++) {
        size_t own = strlen(UNITS[i].name);
        bool is_many = own > 2 && len == own + 1 && end[own] == 's';
        if (strncmp(end, UNITS[i].name, own) || (len != own && !is_many)) continue;
        *ms = number * UNITS[i].ms;
        return *ms <= INT32_MAX;
    }
    return false;
}

static int still_runs(const args *a, err *e, pid_t pid, int64_t timeout_ms) {
    err_free(e);
    return command_failed(
        err_new(ERR_IO,
                "`%s` (pid %d) was asked to stop and has not ended within %" PRId64
                " ms; `kill %d` ends it at once",
                a->operand, (int)pid, timeout_ms, (int)pid));
}

static err *take_timeout(const args *a, int64_t *ms) {
    if (!a->end || read_timeout(a->end, ms)) return NULL;
    return err_new(ERR_USAGE, "--timeout %s: wanted a duration, as in 30s", a->end);
}

int command_stop(const args *a) {
    pid_t pid = 0;
    bool is_late;
    int64_t timeout_ms = STOP_MS;
    err *wrong = take_timeout(a, &timeout_ms);
    if (wrong) return command_failed(wrong);
    buf answer;
    buf_init(&answer);
    err *e = ask(a->operand, "stop", timeout_ms, &answer, &pid, &is_late);
    int code;
    if (e && is_late) {
        code = still_runs(a, e, pid, timeout_ms);
    } else if (e) {
        code = command_failed(e);
    } else {
        ask_await_end(pid, GONE_MS);
        code = show(a, "stop", &answer);
    }
    buf_done(&answer);
    return code;
}

/* Neither taken nor refused: as a rollout that has not come to its end. */
static int is_open(const args *a, err *e, pid_t pid, int64_t timeout_ms) {
    err_free(e);
    return command_failed(
        err_new(ERR_IO,
                "`%s` (pid %d): the changed script is neither kept nor refused within %" PRId64
                " ms: its first batch is not done; `sluice status %s` says what comes of it",
                a->operand, (int)pid, timeout_ms, a->operand));
}

int command_reload(const args *a) {
    if (a->shadow) return shadow_ask(a);
    if (a->script || a->rows || a->promote)
        return command_failed(err_new(ERR_USAGE, "--script, --rows and --promote go with --shadow "
                                                 "BATCHES; without it the script on disk is "
                                                 "loaded"));
    pid_t pid = 0;
    bool is_late;
    int64_t timeout_ms = RELOAD_MS;
    err *wrong = take_timeout(a, &timeout_ms);
    if (wrong) return command_failed(wrong);
    buf answer;
    buf_init(&answer);
    err *e = ask(a->operand, "reload", timeout_ms, &answer, &pid, &is_late);
    int code = e && is_late ? is_open(a, e, pid, timeout_ms)
               : e          ? command_failed(e)
                            : show(a, "reload", &answer);
    buf_done(&answer);
    return code;
}
