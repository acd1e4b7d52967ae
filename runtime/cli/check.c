#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/mem.h"
#include "runtime/cli/check_connect.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/stop.h"
#include "runtime/script/script.h"
#include "state/store.h"

enum { CALL_MS = 60000 }; /* of what is told of the plan: all functions are timed for it */

/* Print warnings, a line each. */
static err *print_warnings(script *s) {
    const char *warnings;
    err *e = script_warnings(s, &warnings);
    if (e) return e;
    fflush(stdout); /* they come last where both go to one place */
    while (*warnings) {
        int len = (int)strcspn(warnings, "\n");
        fprintf(stderr, "warning: %.*s\n", len, warnings);
        warnings += len + (warnings[len] == '\n');
    }
    return NULL;
}

/* What the brokers say, if it is asked for. */
static err *ask_brokers(const args *a, script *s, buf *facts) {
    if (!a->connect) return NULL;
    logger log;
    log_init(&log, 2, LOG_PLAIN, LOG_ERROR);
    err *e = check_connect(script_plan(s), &log, facts);
    log_done(&log);
    return e;
}

/* Errors are of what the brokers said: the plan itself has none when it loads. */
static err *judge(const args *a, script *s) {
    uint32_t warnings, errors;
    err *e = script_verdict(s, &warnings, &errors);
    if (e) return e;
    if (errors)
        return err_new(ERR_BROKER, "%s: as the brokers are, it cannot run: %u error%s (above)",
                       a->operand, errors, errors == 1 ? "" : "s");
    if (warnings && a->strict)
        return err_new(ERR_PLAN, "%s: there are warnings, and --strict makes them errors",
                       a->operand);
    return NULL;
}

static void ask_store(script *s, script_explanation *wanted) {
    sl_string url = script_plan(s)->checkpoint.url;
    if (!url.data) return;
    char *text = mem_copy_text(url.data, url.len);
    store_cost cost = store_cost_of(text);
    mem_free(text);
    wanted->put_ms = cost.put_ms;
    wanted->is_charged = cost.is_charged;
}

/* Interpreted code is broken off, with an error; a call of C is not. thread: the watchdog's. */
static void on_stuck(void *arg, const char *message, bool last) {
    (void)arg;
    if (!last) return;
    fprintf(stderr, "sluice: %s\n", message);
    command_end_now(2);
}

int command_check(const args *a) {
    script *s = NULL;
    const char *text;
    buf facts;
    buf_init(&facts);
    stop_install(command_end_now, "");
    stop_at_once();
    script_options options = { .path = a->operand,
                               .overrides = a->sets,
                               .override_count = a->set_count,
                               .params = a->params,
                               .param_count = a->param_count,
                               .shows_secrets = a->connect,
                               .call_timeout_ms = CALL_MS,
                               .on_stuck = on_stuck,
                               .library = getenv("SLUICE_LUA") };
    script_explanation wanted = {
        .json = a->json,
        .color = !a->json && isatty(1),
        .put_ms = -1,
    };
    err *e = script_open(&options, &s);
    if (!e) ask_store(s, &wanted);
    if (!e) e = ask_brokers(a, s, &facts);
    if (!e && facts.len) wanted.facts = buf_text(&facts);
    if (!e) e = script_explain(s, &wanted, &text);
    if (!e) fputs(text, stdout);
    if (!e && !a->json) e = print_warnings(s);
    if (!e) e = judge(a, s);
    script_close(s);
    buf_done(&facts);
    return e ? command_failed(e) : 0;
}
