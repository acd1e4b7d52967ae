#include "runtime/kit/kit.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/flow/batch.h"
#include "runtime/flow/closing.h"
#include "runtime/flow/commit.h"
#include "runtime/flow/reload.h"

enum { SMALL_CHUNK = 2 };

static const sl_checkpoint nothing_kept;

static err *take_script(const kit_options *options, uint32_t number, script **s) {
    script_options own = *options->script;
    own.worker = number;
    *s = options->guest;
    if (*s) return NULL;
    return options->pool ? pool_take(options->pool, &own, s) : script_open(&own, s);
}

static err *open_worker(const kit_options *options, worker **workers, uint32_t i) {
    script *s = NULL;
    err *e = take_script(options, i, &s);
    if (e) return e;
    const sl_plan *plan = script_plan(i ? workers[0]->script : s);
    if (i) e = script_agree(workers[0]->script, s);
    if (!e) return worker_new(plan, s, i, options->workers, &workers[i]);
    if (options->pool)
        pool_give(options->pool, s);
    else
        script_close(s);
    return e;
}

/* All of them, or none. */
static err *open_workers(const kit_options *options, worker **workers) {
    for (uint32_t i = 0; i < options->workers; i++) {
        err *e = open_worker(options, workers, i);
        if (!e) continue;
        while (i--) {
            script *kept = options->pool ? workers[i]->script : NULL;
            const sl_plan *plan = script_plan(workers[0]->script);
            if (kept) workers[i]->script = NULL;
            worker_free(workers[i], plan);
            if (kept) pool_give(options->pool, kept);
        }
        return e;
    }
    return NULL;
}

/* Give a worker's script back, unless it is a guest, which nobody else has. */
static void give_back(script_pool *pool, script *s) {
    if (pool && !script_is_guest(s))
        pool_give(pool, s);
    else
        script_close(s);
}

static void free_retired(pipeline *p, script_pool *pool) {
    uint32_t count;
    reload *r = reload_take_retired(p);
    script **scripts = reload_take_scripts(r, &count);
    reload_free(r); /* the plan belongs to a script */
    for (uint32_t i = 0; i < count; i++) give_back(pool, scripts[i]);
    mem_free(scripts);
}

err *kit_reload(pipeline *p, const kit_options *options) {
    worker **workers = mem_zalloc(options->workers, sizeof *workers);
    err *e = open_workers(options, workers);
    if (!e) e = reload_swap(p, workers, options->workers, NULL);
    free_retired(p, options->pool);
    mem_free(workers);
    return e;
}

static bool is_kafka(const sl_string *connector) {
    return connector->len == 5 && !memcmp(connector->data, "kafka", 5);
}

static sl_string text(const char *of) {
    return (sl_string){ .data = of, .len = (uint32_t)strlen(of) };
}

/* What the script's checkpoint becomes in a world: all that is Kafka's is committed there. */
static const sl_checkpoint *checkpoint_in(world *w, const sl_plan *plan, bool plans_ahead) {
    bool reads_kafka = false;
    for (uint32_t i = 0; i < plan->source_count; i++)
        reads_kafka |= is_kafka(&plan->sources[i].connector);
    if (!*w->store) snprintf(w->store, sizeof w->store, "memory:%p", (void *)w);
    w->kept = plan->checkpoint;
    w->kept.url = text(w->store);
    w->kept.ledger = text(reads_kafka ? "kafka" : "store");
    w->kept.topic = (sl_string){ 0 };
    w->kept.store = NULL;
    w->kept.commit_interval_ms = 0;
    w->kept.plans_ahead |= plans_ahead;
    return &w->kept;
}

err *kit_open(pipeline *p, world *w, const kit_options *options) {
    *p = (pipeline){ 0 };
    worker **workers = mem_zalloc(options->workers, sizeof *workers);
    bool small = options->workers > 1;
    err *e = open_workers(options, workers);
    pipeline_options made = {
        .system = { .pipeline = "test",
                    .log = options->log,
                    .clock = &w->clock,
                    .stop = options->stop },
        .stop_now = options->stop,
        .find_source = world_source,
        .find_sink = world_sink_of,
        .workers = workers,
        .worker_count = options->workers,
        .always_threaded = small,
        .chunk_records = small ? SMALL_CHUNK : 0,
        .close_groups = options->closes,
        .by_hand = options->by_hand,
        .find_ledger = world_ledger_of,
        .keeps_in_line = !options->beside,
        .on_step = options->on_step,
        .on_step_arg = options->on_step_arg,
    };
    if (!e && options->keeps)
        made.checkpoint =
            checkpoint_in(w, script_plan(workers[0]->script), options->plans_ahead);
    w->rows_first = options->beside && options->keeps && w->kept.delivery == SL_AT_LEAST_ONCE;
    if (!e && !options->keeps) made.checkpoint = &nothing_kept;
    if (!e) e = pipeline_open(p, &made);
    mem_free(workers);
    return e;
}

void kit_close(pipeline *p, script_pool *pool) {
    if (!p->plan) return;
    reload_settle(p);
    free_retired(p, pool);
    /* what the pool drops must not be the plan in use: scripts are given when all is closed */
    uint32_t count = crew_count(p->crew);
    script **scripts = mem_zalloc(count, sizeof *scripts);
    for (uint32_t i = 0; pool && i < count; i++) {
        worker *w = crew_worker(p->crew, i);
        if (script_is_guest(w->script)) continue;
        scripts[i] = w->script;
        w->script = NULL;
    }
    world *w = (world *)(uintptr_t)p->system.clock;
    pipeline_close(p);
    world_let_go(w);
    for (uint32_t i = 0; i < count; i++)
        if (scripts[i]) pool_give(pool, scripts[i]);
    mem_free(scripts);
}

static bool was_cut_short(const pipeline *p) {
    for (uint32_t i = 0; i < p->input_count; i++)
        if (p->inputs[i].was_cut_short) return true;
    return false;
}

static err *look(pipeline *p) {
    for (uint32_t i = 0; i < p->input_count; i++) {
        err *e = input_look(&p->inputs[i]);
        if (e) return e;
    }
    return NULL;
}

static err *run_all(pipeline *p, uint32_t *batches) {
    bool ran = true;
    *batches = 0;
    while (ran) {
        err *e = look(p);
        if (!e) e = batch_run(p, false, &ran);
        if (e) return e;
        *batches += ran;
        if (!was_cut_short(p) && !closing_is_open(p)) return NULL;
    }
    return NULL;
}

err *kit_run(pipeline *p, uint32_t *batches) {
    return commit_settle_before(p, run_all(p, batches));
}

err *kit_finish(pipeline *p) {
    uint32_t batches;
    bool ran;
    err *e = run_all(p, &batches);
    if (!e) e = batch_run(p, true, &ran);
    while (!e && closing_is_open(p)) e = batch_run(p, true, &ran);
    return commit_settle_before(p, e);
}
