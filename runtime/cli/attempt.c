#include "runtime/cli/attempt.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/flow/batch.h"
#include "runtime/flow/closing.h"
#include "runtime/script/trying.h"

/* Late is what comes behind the watermark of the batches before: so there are several, as there
 * would be while records come in. */
enum { STEP_RECORDS = 10000 };

static const sl_checkpoint nothing_kept;

static double now_ms(clockid_t of) {
    struct timespec t;
    clock_gettime(of, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void add_file(void *arg, const char *path) {
    attempt *t = arg;
    t->files = mem_realloc(t->files, (t->file_count + 1) * sizeof *t->files);
    t->files[t->file_count++] = mem_copy_text(path, strlen(path));
}

static err *open_script(const attempt_options *o, bool timed, script **s) {
    script_options options = {
        .path = o->a->operand,
        .overrides = o->a->sets,
        .override_count = o->a->set_count,
        .params = o->a->params,
        .param_count = o->a->param_count,
        .shows_secrets = true,
        .library = getenv("SLUICE_LUA"),
        .stop = o->system.stop,
        .timed = timed,
        .on_stuck = o->on_stuck,
        .log = o->system.log,
    };
    return script_open(&options, s);
}

/* Take what the sample lacks for this plan. */
static err *take_sample(attempt *t, const attempt_options *o, const sl_plan *plan) {
    sample_options options = {
        .inputs = o->a->inputs,
        .input_count = o->a->input_count,
        .last = o->last,
        .is_made = o->a->embedded,
        .keeps = true,
        .is_fresh = o->a->force,
        .system = o->system,
    };
    sample *s = &o->world->sample;
    bool took, lacks = false;
    err *e = NULL;
    for (uint32_t i = 0; i < plan->source_count; i++) lacks |= !sample_has(s, &plan->sources[i]);
    if (lacks && o->on_taking) o->on_taking(o->arg);
    if (lacks && options.is_made) e = open_script(o, false, &options.maker);
    if (!e) e = sample_take(s, plan, &options, &took);
    script_close(options.maker);
    t->records = sample_records(s, plan);
    t->kept_ms = sample_kept_ms(s, plan);
    return e;
}

static err *open_pipeline(attempt *t, const attempt_options *o) {
    worker *workers[1] = { t->worker };
    pipeline_options options = {
        .system = o->system,
        .stop_now = o->system.stop,
        .find_source = sample_ops,
        .find_sink = outcome_ops,
        .checkpoint = &nothing_kept,
        .workers = workers,
        .worker_count = 1,
        .by_hand = true,
        .keeps_in_line = true,
    };
    options.system.resume_arg = o->world;
    t->worker = NULL;
    return pipeline_open(&t->pipeline, &options);
}

/* Take all that is shown of the sample, in as many batches as the limits make of it. */
static err *run_step(pipeline *p) {
    for (bool ran = true;;) {
        bool is_left = false;
        err *e = NULL;
        for (uint32_t i = 0; !e && i < p->input_count; i++) e = input_look(&p->inputs[i]);
        for (uint32_t i = 0; i < p->input_count; i++) is_left |= input_backlog(&p->inputs[i]) > 0;
        if (!e && (is_left || closing_is_open(p))) e = batch_run(p, false, &ran);
        if (e || !ran || *p->system.stop || !(is_left || closing_is_open(p))) return e;
    }
}

static err *run_batches(attempt *t, sample *s) {
    pipeline *p = &t->pipeline;
    bool ran;
    sample_begin(s, (uint32_t)((t->records + STEP_RECORDS - 1) / STEP_RECORDS));
    err *e = run_step(p);
    while (!e && !*p->system.stop && sample_go_on(s)) e = run_step(p);
    if (!e && !*p->system.stop) e = batch_run(p, true, &ran);
    while (!e && closing_is_open(p) && !*p->system.stop) e = batch_run(p, true, &ran);
    return e;
}

static void look_back(attempt *t, const attempt_options *o) {
    script *s = crew_worker(t->pipeline.crew, 0)->script;
    const char *text;
    drift_look(&t->drift, &t->pipeline, o->system.log);
    err *e = script_timings(s, &text);
    if (!e) buf_put_text(&t->timings, text);
    buf_text(&t->timings);
    err_free(e);
}

/* Nobody waits here for records or a rate, and what is bad is to be seen: the plan is this run's
 * alone. */
static void free_limits(attempt *t, const sl_plan *plan) {
    t->max_bad_shares = mem_zalloc(plan->source_count + 1u, sizeof *t->max_bad_shares);
    for (uint32_t i = 0; i < plan->source_count; i++) {
        sl_source *source = (sl_source *)(uintptr_t)&plan->sources[i];
        t->max_bad_shares[i] = source->max_bad_share;
        source->max_rate = 0;
        source->min_records = 0;
        source->max_bad_share = 1;
    }
}

static err *load(attempt *t, const attempt_options *o) {
    script *s = NULL;
    double began = now_ms(CLOCK_MONOTONIC);
    err *e = open_script(o, true, &s);
    if (e) return e;
    t->load_ms = now_ms(CLOCK_MONOTONIC) - began;
    script_files(s, add_file, t);
    const sl_plan *plan = script_plan(s);
    if ((e = take_sample(t, o, plan))) {
        script_close(s);
        return e;
    }
    o->world->outcome = t->outcome = outcome_new(plan);
    free_limits(t, plan);
    return worker_new(plan, s, 0, 1, &t->worker);
}

void attempt_run(attempt *t, const attempt_options *o) {
    *t = (attempt){ 0 };
    buf_init(&t->timings);
    t->error = load(t, o);
    if (t->error) return;
    double began = now_ms(CLOCK_MONOTONIC), began_cpu = now_ms(CLOCK_THREAD_CPUTIME_ID);
    t->error = open_pipeline(t, o);
    if (!t->error) t->error = run_batches(t, &o->world->sample);
    t->run_ms = now_ms(CLOCK_MONOTONIC) - began;
    t->cpu_ms = now_ms(CLOCK_THREAD_CPUTIME_ID) - began_cpu;
    t->ran = t->pipeline.counters.batches > 0;
    if (t->pipeline.plan && t->pipeline.crew) look_back(t, o);
}

void attempt_close(attempt *t) {
    pipeline_close(&t->pipeline);
    outcome_free(t->outcome);
    drift_done(&t->drift);
    err_free(t->error);
    buf_done(&t->timings);
    mem_free(t->max_bad_shares);
    for (uint32_t i = 0; i < t->file_count; i++) mem_free(t->files[i]);
    mem_free(t->files);
    *t = (attempt){ 0 };
}

outcome *attempt_take_outcome(attempt *t) {
    outcome *o = t->outcome;
    t->outcome = NULL;
    return o;
}
