#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/mem.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/status.h"
#include "runtime/cli/stop.h"
#include "runtime/connect/connectors.h"
#include "runtime/flow/run.h"

/* All that a run needs, for one cleanup. */
typedef struct run {
    const args *a;
    logger log;
    clock_source clock;
    worker **workers;
    uint32_t worker_count;
    pipeline pipeline;
    status status;
} run;

int command_failed(err *e) {
    int code = e->code == ERR_USAGE || e->code == ERR_PLAN ? 2 : 1;
    fprintf(stderr, "sluice: %s\n", e->message);
    err_free(e);
    return code;
}

/* A call into Lua that does not come back. thread: the watchdog's. */
static void on_stuck(void *arg, const char *message, bool last) {
    run *r = arg;
    log_error(&r->log, message, log_text("next", last ? "giving up" : "trying to interrupt it"));
    if (last) _exit(1);
}

static err *open_script(run *r, uint32_t number, script **s) {
    script_options options = {
        .path = r->a->operand, .overrides = r->a->sets, .override_count = r->a->set_count, .worker = number,
        .library = getenv("SLUICE_LUA"), .stop = stop_asked(), .on_stuck = on_stuck, .on_stuck_arg = r, .log = &r->log,
    };
    return script_open(&options, s);
}

/* Each worker loads the script for itself; all must have come to the same plan. */
static err *open_workers(run *r) {
    script *first = NULL;
    err *e = open_script(r, 0, &first);
    if (e) return e;
    const sl_plan *plan = script_plan(first);
    uint32_t count = plan->workers;
    r->workers = mem_zalloc(count, sizeof *r->workers);
    e = worker_new(plan, first, 0, count, &r->workers[0]);
    for (uint32_t i = 1; !e && i < count; i++) {
        script *s = NULL;
        r->worker_count = i;
        if ((e = open_script(r, i, &s))) return e;
        if ((e = script_agree(first, s))) {
            script_close(s);
            return e;
        }
        e = worker_new(plan, s, i, count, &r->workers[i]);
    }
    if (!e) r->worker_count = count;
    return e;
}

static void say_start(run *r) {
    const sl_plan *plan = r->pipeline.plan;
    char *name = mem_copy_text(plan->name.data, plan->name.len);
    log_info(&r->log, "running", log_text("pipeline", name), log_number("workers", r->worker_count),
             log_text("checkpoint", "none: nothing is committed, a restart begins at `start` with empty state, delivery is at-least-once"));
    mem_free(name);
}

static void on_fallback(void *arg, const char *text) {
    run *r = arg;
    log_warn(&r->log, "slow: the JIT compiler gave up", log_text("where", text));
}

static void on_tick(void *arg, pipeline *p) {
    run *r = arg;
    status_tick(&r->status, p);
    for (uint32_t w = 0; w < crew_count(p->crew); w++) script_fallbacks(crew_worker(p->crew, w)->script, on_fallback, r);
}

static err *run_all(run *r) {
    err *e = open_workers(r);
    if (e) return e;
    pipeline_options options = {
        .system = { .log = &r->log, .clock = &r->clock, .stop = stop_asked() },
        .stop_now = stop_overdue(), .find_source = connector_source, .find_sink = connector_sink,
        .workers = r->workers, .worker_count = r->worker_count,
    };
    const sl_plan *plan = script_plan(r->workers[0]->script);
    char *name = mem_copy_text(plan->name.data, plan->name.len);
    options.system.pipeline = name;
    stop_watch(plan->shutdown_timeout_ms);
    e = pipeline_open(&r->pipeline, &options);
    if (!e) {
        say_start(r);
        e = run_pipeline(&r->pipeline, on_tick, r);
        status_clear(&r->status);
        pipeline_summary(&r->pipeline, &r->log);
    }
    pipeline_close(&r->pipeline);
    mem_free(name);
    return e;
}

int command_run(const args *a) {
    run r = { .a = a };
    bool terminal = isatty(2);
    log_init(&r.log, 2, a->log_given ? a->log_style : terminal ? LOG_PLAIN : LOG_LOGFMT, a->log_level);
    status_init(&r.status, &r.log, terminal && !a->log_given);
    stop_install();
    err *e = run_all(&r);
    int code = e ? command_failed(e) : 0;
    mem_free(r.workers);
    log_done(&r.log);
    return code;
}
