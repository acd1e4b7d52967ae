/* `sluice run`: load the script, once a worker; open the pipeline; run it; say what it did. */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/mem.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/display.h"
#include "runtime/cli/embedded.h"
#include "runtime/cli/live.h"
#include "runtime/cli/named.h"
#include "runtime/cli/plan_options.h"
#include "runtime/cli/profile.h"
#include "runtime/cli/promise.h"
#include "runtime/cli/reloader.h"
#include "runtime/cli/rival.h"
#include "runtime/cli/shadowing.h"
#include "runtime/cli/status.h"
#include "runtime/cli/stop.h"
#include "runtime/cli/summary.h"
#include "runtime/connect/connectors.h"
#include "runtime/flow/backfill.h"
#include "runtime/flow/keeper.h"
#include "runtime/flow/poisoned.h"
#include "runtime/flow/run.h"
#include "runtime/script/perf_map.h"

enum { TICK_MS = 100,       /* between two looks at how it goes */
       PROGRESS_MS = 10000, /* between "progress" lines */
       RELOAD_MS = 5000,    /* a text that is loaded while another runs has so long */
       HUNG_MS = 700,       /* from the end of shutdown_timeout until the process ends anyway */
       MOST_OVERRIDES = 2 * ARGS_MAX_SETS };

/* All that a run needs, for one cleanup. */
typedef struct run {
    const args *a;
    logger log;
    clock_source clock;
    bool for_people;                  /* log lines and summary are for reading */
    embedded *embedded;               /* NULL: a real broker, or none */
    const char *sets[MOST_OVERRIDES]; /* for loading the script; borrowed */
    uint32_t set_count;
    worker **workers; /* until the pipeline takes them */
    uint32_t worker_count;
    reloader *reloader;
    shadowing *shadowing;
    bool has_begun; /* scripts that are loaded from now on are reloads */
    char *name;     /* of the pipeline */
    uint64_t noted; /* hash of the text that the note of it has */
    buf operands;   /* what commands about it are given */
    pipeline pipeline;
    drift drift;
    display *display;
    live *live;
    int64_t ticked_ms;       /* steady */
    atomic_bool feed_failed; /* set by the feed's thread */
} run;

int command_code(const err *e) {
    switch (e->code) {
    case ERR_USAGE:
    case ERR_PLAN: return 2;
    case ERR_FENCED: return 3;
    case ERR_REFUSED: return 4;
    default: return 1;
    }
}

int command_failed(err *e) {
    int code = command_code(e);
    fprintf(stderr, "sluice: %s\n", e->message);
    err_free(e);
    return code;
}

/* What a second signal leaves, by log_style; no time, which a signal handler cannot write. */
#define CUT_SHORT "stopped at once by a second signal; without a checkpoint its batch is lost"
static const char *const LAST_WORDS[] = {
    "sluice: " CUT_SHORT "\n",
    "level=error message=\"" CUT_SHORT "\"\n",
    "{\"level\":\"error\",\"message\":\"" CUT_SHORT "\"}\n",
};

/* -- scripts */

/* A call into Lua that does not come back. thread: the watchdog's. */
static void on_stuck(void *arg, const char *message, bool last) {
    run *r = arg;
    log_error(&r->log, message, log_text("next", last ? "giving up" : "trying to interrupt it"));
    if (last) command_end_now(1);
}

/* A text that is loaded beside the one that runs, which goes on. thread: the watchdog's. */
static void on_hung_load(void *arg, const char *message, bool last) {
    run *r = arg;
    log_error(&r->log, message,
              log_text("next", last ? "no more reloads in this run" : "trying to interrupt it"));
}

/* It is about to end the process: the next run leaves the record out. thread: the watchdog's. */
static void on_lost(void *arg, const char *source, uint32_t partition, int64_t offset,
                    const char *message) {
    run *r = arg;
    const pipeline *p = &r->pipeline;
    for (uint32_t i = 0; p->keeper && i < p->input_count; i++) {
        const input *in = &p->inputs[i];
        if (!plan_is(&in->plan->name, source)) continue;
        const sl_partition *at = NULL;
        if (p->filler)
            at = backfill_partition(p, i, partition);
        else if (partition < in->partition_count)
            at = &in->partitions[partition];
        if (!at) continue;
        if (!poisoned_add(p->plan, at->topic, at->number, offset, message)) return;
        log_error(&r->log, "the next run puts this record aside", log_text("topic", at->topic),
                  log_number("partition", at->number), log_number("offset", offset));
        return;
    }
}

/* `path` NULL: the script of the run. */
static script_options options_of(run *r, const char *path, uint32_t number) {
    return (script_options){
        .path = path ? path : r->a->operand,
        .overrides = r->sets,
        .override_count = r->set_count,
        .params = r->a->params,
        .param_count = r->a->param_count,
        .shows_secrets = !r->a->embedded,
        .worker = number,
        .library = getenv("SLUICE_LUA"),
        .stop = stop_asked(),
        .names_code = r->a->perf_map,
        .on_stuck = on_stuck,
        .on_hung_load = r->has_begun ? on_hung_load : NULL,
        .load_timeout_ms = r->has_begun ? RELOAD_MS : 0,
        .on_lost = on_lost,
        .on_stuck_arg = r,
        .log = &r->log,
    };
}

static err *open_script(run *r, const char *path, uint32_t number, script **s) {
    script_options options = options_of(r, path, number);
    return script_open(&options, s);
}

/* What --set says, and what --embedded needs. */
static void add_sets(run *r, const char *const *sets, uint32_t count) {
    for (uint32_t i = 0; i < count && r->set_count < MOST_OVERRIDES; i++)
        r->sets[r->set_count++] = sets[i];
}

/* The plan is the first one's, which therefore goes last. */
static void free_workers(worker **workers, uint32_t count) {
    const sl_plan *plan = count ? script_plan(workers[0]->script) : NULL;
    while (count) worker_free(workers[--count], plan);
    mem_free(workers);
}

/* Worker `i` > 0, behind the first. */
static err *open_worker(run *r, const char *path, worker **workers, uint32_t i, uint32_t count) {
    script *s = NULL;
    err *e = open_script(r, path, i, &s);
    if (!e) e = script_agree(workers[0]->script, s);
    if (!e) return worker_new(script_plan(workers[0]->script), s, i, count, &workers[i]);
    script_close(s);
    return e;
}

/* Each worker loads the script for itself; all must have come to the same plan. */
static err *open_workers(run *r, const char *path, worker ***out, uint32_t *out_count) {
    script *first = NULL;
    err *e = open_script(r, path, 0, &first);
    if (e) return e;
    uint32_t count = script_plan(first)->workers;
    worker **workers = mem_zalloc(count, sizeof *workers);
    e = worker_new(script_plan(first), first, 0, count, &workers[0]);
    uint32_t made = !e;
    for (; !e && made < count; made += !e) e = open_worker(r, path, workers, made, count);
    if (e) {
        free_workers(workers, made);
        return e;
    }
    *out = workers;
    *out_count = count;
    return NULL;
}

/* -- what is shown */

/* Without a checkpoint that must be said. */
static void say_start(run *r, uint32_t workers) {
    buf text;
    buf_init(&text);
    if (!r->for_people) {
        promise_put(&text, &r->pipeline);
        log_info(&r->log, "running", log_text("pipeline", r->name), log_number("workers", workers),
                 log_text("checkpoint", buf_text(&text)));
        buf_done(&text);
        return;
    }
    buf_printf(&text, "%s runs; checkpoint ", r->name);
    promise_put(&text, &r->pipeline);
    log_write(&r->log, LOG_INFO, buf_text(&text), NULL, 0);
    if (r->embedded) {
        buf_reset(&text);
        buf_printf(&text, "made-up events come into a Kafka in this process, at %s; Ctrl-C ends it",
                   embedded_brokers(r->embedded));
        log_write(&r->log, LOG_INFO, buf_text(&text), NULL, 0);
    }
    buf_done(&text);
}

/* What `sluice check` warns of. */
static err *say_warnings(run *r, script *s) {
    const char *warnings;
    err *e = script_warnings(s, &warnings);
    if (e) return e;
    buf line;
    buf_init(&line);
    while (*warnings) {
        size_t len = strcspn(warnings, "\n");
        buf_reset(&line);
        buf_printf(&line, "%.*s", (int)len, warnings);
        log_write(&r->log, LOG_WARN, buf_text(&line), NULL, 0);
        warnings += len + (warnings[len] == '\n');
    }
    buf_done(&line);
    return NULL;
}

static bool writes_to_stdout(const sl_plan *plan) {
    for (uint32_t i = 0; i < plan->sink_count; i++)
        if (plan->sinks[i].name.len == 1 && plan->sinks[i].name.data[0] == '-') return true;
    return false;
}

/* Which terminal gets the block; -1: none, log lines say how it goes. */
static int choose_terminal(const run *r, bool stdout_is_taken) {
    if (!r->for_people) return -1;
    if (stdout_is_taken && isatty(1)) return -1; /* rows scroll by there */
    if (isatty(2)) return 2;
    return r->embedded && isatty(1) ? 1 : -1;
}

static void start_display(run *r, const sl_plan *plan) {
    bool stdout_is_taken = writes_to_stdout(plan);
    bool with_tables = r->embedded && isatty(1) && !stdout_is_taken;
    display_options options = {
        .log = &r->log,
        .fd = choose_terminal(r, stdout_is_taken),
        .results = with_tables ? embedded_results(r->embedded) : NULL,
        .every_ms = PROGRESS_MS,
    };
    r->display = display_start(&options);
}

static void on_fallback(void *arg, const char *text) {
    run *r = arg;
    log_warn(&r->log, "slow: the JIT compiler gave up", log_text("where", text));
}

static void look_around(run *r, pipeline *p) {
    status_facts facts;
    status_collect(&facts, p);
    display_update(r->display, &facts);
    live_update(r->live, p, &facts);
    drift_look(&r->drift, p, &r->log);
    for (uint32_t w = 0; w < crew_count(p->crew); w++)
        script_fallbacks(crew_worker(p->crew, w)->script, on_fallback, r);
}

static void on_tick(void *arg, pipeline *p) {
    run *r = arg;
    char *words;
    uint64_t ask;
    while (live_take_reload(r->live, &words, &ask)) {
        if (r->reloader) reloader_ask(r->reloader, words, ask);
        mem_free(words);
    }
    if (stop_take_hangup() && r->reloader) reloader_ask(r->reloader, NULL, 0);
    reloader_tick(r->reloader, p);
    shadowing_tick(r->shadowing, p);
    if (!p->trial) named_note(r->a, r->name, crew_worker(p->crew, 0)->script, &r->noted);
    int64_t now_ms = clock_steady_ms(&r->clock);
    if (r->embedded) embedded_note(r->embedded, p);
    if (now_ms - r->ticked_ms < TICK_MS) return;
    r->ticked_ms = now_ms;
    look_around(r, p);
}

/* -- reloads */

/* reloader_options.load */
static err *load_again(void *arg, const char *path, worker ***workers, uint32_t *count) {
    return open_workers(arg, path, workers, count);
}

/* shadowing_options.load */
static err *load_shadow(void *arg, const char *path, script_stuck *on_shadow_stuck,
                        void *stuck_arg, worker **w) {
    script *s = NULL;
    script_options options = options_of(arg, path, 0);
    options.on_stuck = on_shadow_stuck;
    options.on_lost = NULL;
    options.on_hung_load = NULL;
    options.on_stuck_arg = stuck_arg;
    err *e = script_open(&options, &s);
    return e ? e : worker_new(script_plan(s), s, 0, 1, w);
}

/* reloader_options.told */
static void on_reloaded(void *arg, reloader_outcome outcome, const char *text, uint64_t hash,
                        uint64_t ask) {
    run *r = arg;
    live_note_reload(r->live, outcome, text, hash, ask);
}

static void start_reloader(run *r) {
    reloader_options options = {
        .log = &r->log,
        .path = r->a->operand,
        .watches = !r->a->no_watch,
        .load = load_again,
        .told = on_reloaded,
        .arg = r,
    };
    r->has_begun = true;
    r->reloader = reloader_new(&options, crew_worker(r->pipeline.crew, 0)->script);
}

/* -- --embedded */

/* thread: the feed's */
static void on_feed_trouble(void *arg, const char *message) {
    run *r = arg;
    log_error(&r->log, "no more events", log_text("reason", message));
    atomic_store(&r->feed_failed, true);
    stop_ask();
}

static bool has_kafka(const sl_plan *plan) {
    for (uint32_t i = 0; i < plan->source_count; i++)
        if (plan_is(&plan->sources[i].connector, "kafka")) return true;
    for (uint32_t i = 0; i < plan->sink_count; i++)
        if (plan_is(&plan->sinks[i].connector, "kafka")) return true;
    return false;
}

static err *open_embedded(run *r, const sl_system *system) {
    script *s = NULL;
    err *e = open_script(r, NULL, 0, &s);
    if (e) return e;
    if (!has_kafka(script_plan(s))) {
        script_close(s);
        return err_new(ERR_USAGE, "%s: --embedded replaces Kafka sources and sinks, and this "
                                  "script has none",
                       r->a->operand);
    }
    bool takes_stdout = writes_to_stdout(script_plan(s)) || isatty(1);
    e = embedded_open(s, system, takes_stdout ? -1 : 1, stop_ask, &r->embedded);
    if (e) return e;
    const char *const *more;
    uint32_t count = embedded_overrides(r->embedded, &more);
    add_sets(r, more, count);
    return NULL;
}

/* -- the run */

/* The batch that ran when asked to stop has not ended in its time. thread: the watching one. */
static void on_hung(void *arg) {
    run *r = arg;
    log_error(
        &r->log,
        "stopped in the middle of a batch: it did not end within shutdown_timeout, its output "
        "was not delivered, or only in part",
        log_text("pipeline", r->name));
    command_end_now(1);
}

static err *judge_end(err *e) {
    if (e || !*stop_overdue()) return e;
    return err_new(ERR_STOPPED,
                   "stopped in the middle of a batch: its output could not be delivered within "
                   "shutdown_timeout; none of it counts as done");
}

/* The pipeline is open: run it, then say what it did. */
static err *run_opened(run *r, uint32_t workers) {
    int64_t began_ms = clock_steady_ms(&r->clock);
    say_start(r, workers);
    start_display(r, r->pipeline.plan);
    start_reloader(r);
    err *e = judge_end(run_pipeline(&r->pipeline, on_tick, r));
    shadowing_end(r->shadowing, &r->pipeline);
    reloader_free(r->reloader, &r->pipeline);
    r->reloader = NULL;
    look_around(r, &r->pipeline);
    if (r->embedded) embedded_drain(r->embedded);
    display_stop(r->display);
    summary_say(&r->pipeline, &r->drift, &r->log, r->for_people,
                clock_steady_ms(&r->clock) - began_ms);
    if (r->a->profile) profile_say(&r->pipeline, &r->log, r->for_people);
    return e;
}

/* Nothing ran yet: being asked to stop is no failure. */
static err *stopped_early(err *e) {
    if (e->code != ERR_STOPPED) return e;
    err_free(e);
    return NULL;
}

static err *open_and_run(run *r, sl_system system) {
    pipeline_options options = {
        .system = system,
        .stop_now = stop_overdue(),
        .find_source = connector_source,
        .find_sink = connector_sink,
        .find_ledger = connector_ledger,
        .workers = r->workers,
        .worker_count = r->worker_count,
    };
    int64_t timeout_ms = script_plan(r->workers[0]->script)->shutdown_timeout_ms;
    stop_watch *watch = stop_watch_new(timeout_ms, HUNG_MS, on_hung, r);
    uint32_t workers = r->worker_count;
    r->worker_count = 0;
    err *e = pipeline_open(&r->pipeline, &options);
    bool was_stopped = !stop_watch_begin(watch);
    if (!e && !was_stopped) e = run_opened(r, workers);
    if (e && was_stopped) e = stopped_early(e);
    pipeline_close(&r->pipeline);
    stop_watch_free(watch);
    return e;
}

static err *run_all(run *r) {
    sl_system system = { .log = &r->log, .clock = &r->clock, .stop = stop_asked(), .pipeline = "" };
    add_sets(r, r->a->sets, r->a->set_count);
    err *e = r->a->perf_map ? perf_map_begin() : NULL;
    if (!e && r->a->embedded) e = open_embedded(r, &system);
    if (!e) e = open_workers(r, NULL, &r->workers, &r->worker_count);
    if (!e) e = say_warnings(r, r->workers[0]->script);
    if (e) return stopped_early(e);
    const sl_plan *plan = script_plan(r->workers[0]->script);
    r->name = mem_copy_text(plan->name.data, plan->name.len);
    args_put_operands(r->a, &r->operands);
    if ((e = rival_open(r->live, r->a, plan, buf_text(&r->operands), &r->log))) return e;
    named_note(r->a, r->name, r->workers[0]->script, &r->noted);
    system.pipeline = r->name;
    system.operands = buf_text(&r->operands);
    if (r->embedded) {
        system.brokers = embedded_brokers(r->embedded);
        if ((e = embedded_feed(r->embedded, on_feed_trouble, r))) return e;
    }
    e = open_and_run(r, system);
    if (!e && r->feed_failed)
        e = err_new(ERR_SCRIPT, "no more events could be made for --embedded");
    return e;
}

static int end_run(run *r, err *e) {
    if (!e) return 0;
    bool is_answer = command_code(e) == 2 && !r->a->log_given; /* nothing was logged yet */
    if (r->for_people || is_answer) return command_failed(e);
    int code = command_code(e);
    log_write(&r->log, LOG_ERROR, e->message, NULL, 0);
    err_free(e);
    return code;
}

int command_run(const args *a) {
    run r = { .a = a };
    log_init(&r.log, 2,
             a->log_given ? a->log_style
             : isatty(2)  ? LOG_PLAIN
                          : LOG_LOGFMT,
             a->log_level);
    r.for_people = r.log.style == LOG_PLAIN;
    stop_install(command_end_now, LAST_WORDS[r.log.style]);
    r.live = live_new(&(live_options){ &r.log, a->operand, a->embedded });
    shadowing_options shadows = { &r.log, live_control(r.live), a->operand, load_shadow, &r };
    r.shadowing = shadowing_new(&shadows);
    int code = end_run(&r, run_all(&r));
    free_workers(r.workers, r.worker_count);
    embedded_close(r.embedded);
    live_close(r.live, code);
    shadowing_free(r.shadowing);
    drift_done(&r.drift);
    mem_free(r.name);
    buf_done(&r.operands);
    log_done(&r.log);
    return code;
}
