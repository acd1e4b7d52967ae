/* DESIGN. The ledger's fence holds across machines, and is what is safe; but it lets the second one
 * win, in the middle of the first one's batch. On one machine a name that answers is a mistake as a
 * rule (a cron job that overlaps, a shell that was forgotten): the second is refused, as PostgreSQL
 * does over its postmaster.pid and Redis over its port (decision 0063). */
#include "runtime/cli/rival.h"

#include <string.h>
#include <unistd.h>

#include "runtime/base/mem.h"
#include "runtime/cli/ask.h"

enum {
    ANSWER_MS = 5000,
    STOP_MS = 60000, /* as `sluice stop` */
    GONE_MS = 10000  /* from the last answer to the end of the process */
};

typedef struct rival {
    const char *name, *operands;
    bool takes_over;
    logger *log;
    pid_t silent; /* that listens and does not answer; 0: there is none */
} rival;

static err *refuse(const rival *r, pid_t pid, bool is_stopping) {
    return err_new(ERR_FENCED,
                   "`%s` %s on this machine (pid %d): `sluice stop %s` ends it, `sluice run %s "
                   "--take-over` does so and runs in its place, `--set name=OTHER` makes this one "
                   "another pipeline, with its own state",
                   r->name, is_stopping ? "is still stopping" : "runs already", (int)pid,
                   r->name, r->operands);
}

static err *stop_it(const rival *r, pid_t pid) {
    bool is_late;
    buf answer;
    log_info(r->log, "stopping the process that runs this pipeline",
             log_text("name", r->name), log_number("pid", pid));
    buf_init(&answer);
    err *e = ask(r->name, "stop", STOP_MS, &answer, &pid, &is_late);
    buf_done(&answer);
    if (e && is_late) {
        err_free(e);
        return err_new(ERR_FENCED,
                       "`%s` (pid %d) was asked to stop and has not ended within %d s; `kill %d` "
                       "ends it at once",
                       r->name, (int)pid, STOP_MS / 1000, (int)pid);
    }
    err_free(e); /* it has gone meanwhile */
    ask_await_end(pid, GONE_MS);
    return NULL;
}

static err *check(rival *r) {
    pid_t pid = 0;
    bool is_late;
    buf answer;
    buf_init(&answer);
    err *e = ask(r->name, "status", ANSWER_MS, &answer, &pid, &is_late);
    bool is_there = !e && pid != getpid() && !strstr(buf_text(&answer), "\"embedded\":true");
    bool is_stopping = strstr(buf_text(&answer), "\"state\":\"stopping\"") != NULL;
    buf_done(&answer);
    err_free(e);
    r->silent = is_late ? pid : 0;
    if (!is_there) return NULL;
    return r->takes_over ? stop_it(r, pid) : refuse(r, pid, is_stopping);
}

err *rival_open(live *l, const args *a, const sl_plan *plan, const char *operands, logger *log) {
    char *name = mem_copy_text(plan->name.data, plan->name.len);
    rival r = { .name = name, .operands = operands, .takes_over = a->takes_over, .log = log };
    bool has_state = plan->checkpoint.url.data && !a->embedded;
    err *e = has_state ? check(&r) : NULL;
    int other = e ? 0 : live_open(l, name, has_state);
    if (has_state && other && other != r.silent) e = check(&r); /* both began at once */
    if (!e) live_take_name(l);
    mem_free(name);
    return e;
}
