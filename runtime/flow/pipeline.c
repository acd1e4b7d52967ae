#include "runtime/flow/pipeline.h"

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/connect/outage.h"
#include "runtime/flow/ahead.h"
#include "runtime/flow/backfill.h"
#include "runtime/flow/batch.h"
#include "runtime/flow/closing.h"
#include "runtime/flow/commit.h"
#include "runtime/flow/deaths.h"
#include "runtime/flow/held.h"
#include "runtime/flow/keeper.h"
#include "runtime/flow/local.h"
#include "runtime/flow/poisoned.h"
#include "runtime/flow/reload.h"
#include "runtime/flow/walk.h"

enum { WORKER_CHUNKS = 4,
       LONGEST_REST_MS = 1000, /* of a batch for the one before, if it is known */
       CLOSE_GROUPS = 100000,
       HELD_BYTES = 16 << 10,
       JUMP_MS = 1000 /* less is what a clock does that is being corrected */ };

static err *open_input(pipeline *p, uint32_t i, find_source_ops find) {
    const sl_source *plan = &p->plan->sources[i];
    const sl_source_ops *ops = find(&plan->connector);
    int len = (int)plan->name.len;
    p->input_count = i + 1;
    if (!ops)
        return err_new(ERR_PLAN, "source `%.*s`: there is no connector `%.*s`", len,
                       plan->name.data, (int)plan->connector.len, plan->connector.data);
    return err_wrap(input_open(&p->inputs[i], plan, p->opened[i], ops, keeper_system(p, i), i,
                               p->bounded_run),
                    "source `%.*s`", len, plan->name.data);
}

/* Workers may have some chunks each between functions and state; one alone has one. */
static void make_chunks(pipeline *p, uint32_t workers) {
    p->chunk_room = workers == 1 ? 1 : workers * WORKER_CHUNKS;
    p->turns = turns_new(p->chunk_room, workers);
    p->chunks = mem_zalloc(p->chunk_room, sizeof(chunk *));
    for (uint32_t i = 0; i < p->chunk_room; i++) p->chunks[i] = chunk_new(p->plan->step_count);
    p->worker_boxes = mem_zalloc(workers * 2 * SL_MAX_OUTPUTS, sizeof(outbox));
    for (uint32_t i = 0; i < workers * 2 * SL_MAX_OUTPUTS; i++) outbox_init(&p->worker_boxes[i]);
}

/* How far the time of day is ahead of the steady clock. */
static int64_t clock_gap_ms(const pipeline *p, int64_t now_ms) {
    return now_ms - clock_steady_ms(p->system.clock);
}

int64_t pipeline_now_ms(pipeline *p) {
    int64_t now_ms = clock_now_ms(p->system.clock), gap_ms = clock_gap_ms(p, now_ms);
    int64_t jump_ms = gap_ms - p->clock_gap_ms;
    if (jump_ms > -JUMP_MS && jump_ms < JUMP_MS) return now_ms;
    p->clock_gap_ms = gap_ms;
    for (uint32_t i = 0; i < p->input_count; i++) {
        watermark_follow_clock(&p->inputs[i].watermark, jump_ms);
        watermark_follow_clock(&p->inputs[i].before, jump_ms);
    }
    log_warn(p->system.log, "the system's clock jumped", log_number("ms", jump_ms));
    return now_ms;
}

static void hold_sources(pipeline *p) {
    arena_init(&p->held, HELD_BYTES);
    p->opened = mem_zalloc(p->plan->source_count, sizeof *p->opened);
    for (uint32_t i = 0; i < p->plan->source_count; i++)
        p->opened[i] = held_source(&p->held, &p->plan->sources[i]);
}

err *pipeline_open(pipeline *p, const pipeline_options *options) {
    *p = (pipeline){ .plan = script_plan(options->workers[0]->script), .system = options->system };
    p->bounded_run = !options->by_hand &&
                     (p->plan->trigger == SL_AVAILABLE_NOW || p->plan->trigger == SL_ONCE);
    p->clock_gap_ms = clock_gap_ms(p, clock_now_ms(p->system.clock));
    err *e = crew_new(options->workers, options->worker_count, &p->crew);
    p->laps = crew_laps(p->crew, 0);
    p->inputs = mem_zalloc(p->plan->source_count, sizeof *p->inputs);
    hold_sources(p);
    p->since_ms = INT64_MIN;
    p->always_threaded = options->always_threaded;
    p->chunk_records = options->chunk_records ? options->chunk_records : VECTOR_ROWS;
    p->close_groups = options->close_groups ? options->close_groups : CLOSE_GROUPS;
    stages_init(&p->stages, p->plan);
    poisoned_read(p->plan, &p->poison);
    walk_init(p);
    onward_list_init(&p->onward);
    p->rows_before = mem_zalloc(p->plan->sink_count, sizeof *p->rows_before);
    make_chunks(p, options->worker_count);
    trigger_init(&p->trigger, p->plan->trigger, p->plan->interval_ms,
                 p->plan->checkpoint.url.data ? p->plan->checkpoint.commit_interval_ms : 0);
    p->system.outages = outages_new();
    p->system.script = options->workers[0]->script;
    p->sink_system = p->system;
    p->sink_system.stop = options->stop_now;
    p->find_sink = options->find_sink;
    p->on_step = options->on_step;
    p->on_step_arg = options->on_step_arg;
    p->overlaps = !options->keeps_in_line && !options->by_hand;
    if (!e) e = keeper_open(p, options);
    if (!e) e = delivery_open(&p->out, p->plan, options->find_sink, &p->sink_system);
    /* topics that are missing are told all at once */
    for (uint32_t i = 0; (!e || e->code == ERR_MISSING) && i < p->plan->source_count; i++)
        e = err_join(e, open_input(p, i, options->find_source));
    if (!e) e = delivery_open_makers(&p->out, p->plan, options->find_sink, &p->sink_system);
    if (!e) e = commit_follow_sinks(p);
    if (!e) e = keeper_start(p);
    if (!e && p->keeper && p->overlaps && !options->replay) p->deaths = deaths_open(p->plan);
    return e;
}

void pipeline_close(pipeline *p) {
    if (!p->plan) return;
    uint32_t workers = crew_count(p->crew);
    backfill_drop(p);
    backfill_forget(p->fills);
    err_free(commit_settle(p)); /* it uses what goes */
    err_free(p->later);
    reload_end(p);
    commit_close(p);
    for (uint32_t i = 0; i < p->input_count; i++) input_close(&p->inputs[i]);
    delivery_close(&p->out);
    local_close(p->local);
    keeper_close(p->keeper);
    outages_free(p->system.outages);
    turns_free(p->turns);
    for (uint32_t i = 0; i < p->chunk_room; i++) chunk_free(p->chunks[i]);
    for (uint32_t i = 0; i < workers * 2 * SL_MAX_OUTPUTS; i++) outbox_done(&p->worker_boxes[i]);
    stages_done(&p->stages);
    poisoned_free(&p->poison);
    deaths_close(p->deaths);
    onward_list_done(&p->onward);
    mem_free(p->depths);
    mem_free(p->rows_before);
    mem_free(p->worker_boxes);
    mem_free(p->chunks);
    mem_free(p->inputs);
    crew_free(p->crew, p->plan);
    mem_free(p->opened);
    mem_free(p->refilled);
    arena_done(&p->held);
    *p = (pipeline){ 0 };
}

/* What there is to do now; `until_ms`: when it may be more (Unix ms). */
static trigger_work find_work(pipeline *p, int64_t *until_ms) {
    trigger_work work = { 0 };
    int64_t now = pipeline_now_ms(p), steady = clock_steady_ms(p->system.clock);
    for (uint32_t i = 0; i < p->input_count; i++) {
        if (!input_backlog(&p->inputs[i])) continue;
        int64_t waits_until = input_waits_until(&p->inputs[i], p->bounded_run);
        if (waits_until <= steady) {
            work.has_data = true;
            continue;
        }
        work.is_held_back = true;
        if (now + (waits_until - steady) < *until_ms) *until_ms = now + (waits_until - steady);
    }
    work.is_empty_batch_due = batch_is_due(p, now);
    return work;
}

static bool all_inputs_are_done(const pipeline *p) {
    for (uint32_t i = 0; i < p->input_count; i++)
        if (!input_is_done(&p->inputs[i])) return false;
    return true;
}

/* Do a batch again that an earlier run did not finish: at once, whatever the trigger says. */
static err *finish_earlier(pipeline *p, trigger_verdict *verdict) {
    bool ran;
    p->finished = ahead_planned(p)->is_flush;
    bool is_last = p->finished || p->plan->trigger == SL_ONCE;
    err *e = batch_run(p, p->finished, &ran);
    if (closing_is_open(p)) is_last = false;
    *verdict = (trigger_verdict){ .action = is_last ? TRIGGER_DONE : TRIGGER_RUN };
    return e;
}

static err *run_batch(pipeline *p, trigger_verdict *verdict) {
    bool ran, is_flush = p->finished && closing_is_open(p);
    err *e = batch_run(p, is_flush, &ran);
    verdict->action = ran ? TRIGGER_RUN : TRIGGER_WAIT;
    if (e || !ran) return e;
    if (trigger_end(&p->trigger, clock_now_ms(p->system.clock), p->was_cut_short))
        p->counters.overran++;
    return NULL;
}

/* How long the next batch waits for the last. One that takes all there is begins so that it is done
 * about when what it will wait for is: what came meanwhile would have to wait for both. One that
 * leaves something behind takes no more for waiting. */
static int64_t rests_for_ms(const pipeline *p) {
    if (!commit_is_open(p) || p->was_cut_short) return 0;
    if (p->system.clock->manual) return 0; /* resting moves none */
    return saturate_sub(commit_next_ms(p), clock_steady_ms(p->system.clock));
}

int64_t pipeline_next_ms(const pipeline *p) {
    int64_t steady = clock_steady_ms(p->system.clock), rests = rests_for_ms(p);
    int64_t due = saturate_sub(p->trigger.due_ms, clock_now_ms(p->system.clock));
    if (rests > LONGEST_REST_MS) rests = 0; /* until something is over, and nobody knows when */
    if (due > rests) rests = due;
    return rests > 0 ? saturate_add(steady, rests) : INT64_MIN;
}

void pipeline_expect(const pipeline *p, int64_t at_ms) {
    if (p->system.clock->manual) return; /* sources live by the machine's */
    for (uint32_t i = 0; i < p->input_count; i++) {
        const input *in = &p->inputs[i];
        if (in->ops->expect) in->ops->expect(in->handle, at_ms);
    }
}

/* It is time for a batch, as far as the trigger is concerned. */
static err *run_in_time(pipeline *p, trigger_verdict *verdict) {
    enum { LOOK_MS = 2 }; /* what it rests for may be over before */
    int64_t ms = rests_for_ms(p);
    if (ms <= 0) return run_batch(p, verdict);
    if (ms > LOOK_MS) ms = LOOK_MS;
    *verdict = (trigger_verdict){ .action = TRIGGER_WAIT,
                                  .until_ms = clock_now_ms(p->system.clock) + ms };
    return NULL;
}

/* Take in a commit that is over, see what is there, and whether somebody else works here. */
static err *look_around(pipeline *p) {
    err *e = commit_look(p);
    for (uint32_t i = 0; i < p->input_count && !e && !ahead_planned(p); i++)
        e = input_look(&p->inputs[i]);
    return e ? e : keeper_check(p);
}

err *pipeline_later(pipeline *p) {
    err *e = p->later;
    p->later = NULL;
    return e;
}

static err *step(pipeline *p, trigger_verdict *verdict) {
    int64_t until_ms = INT64_MAX;
    err *e = pipeline_later(p);
    if (!e) e = look_around(p);
    if (e) return e;
    if (ahead_planned(p)) return finish_earlier(p, verdict);
    if (closing_is_open(p)) return run_batch(p, verdict);
    trigger_work work = find_work(p, &until_ms);
    /* Bounded inputs end a run of any trigger: the rest comes out at once. */
    bool ends = !p->bounded_run && all_inputs_are_done(p);
    if (ends && !work.is_empty_batch_due) {
        *verdict = (trigger_verdict){ .action = TRIGGER_DONE };
        return NULL;
    }
    *verdict = ends ? (trigger_verdict){ .action = TRIGGER_RUN }
                    : trigger_ask(&p->trigger, clock_now_ms(p->system.clock), work);
    if (verdict->action == TRIGGER_WAIT && until_ms < verdict->until_ms)
        verdict->until_ms = until_ms;
    return verdict->action == TRIGGER_RUN ? run_in_time(p, verdict) : NULL;
}

err *pipeline_step(pipeline *p, trigger_verdict *verdict) {
    err *e = step(p, verdict);
    if (!e && verdict->action != TRIGGER_RUN) commit_rest_no_longer(p);
    return e;
}

err *pipeline_finish(pipeline *p) {
    bool ran;
    if (p->finished || !p->bounded_run || !p->plan->flush) return NULL;
    p->finished = true;
    err *e = batch_run(p, true, &ran);
    while (!e && closing_is_open(p) && !*p->system.stop) e = batch_run(p, true, &ran);
    return e;
}

/* What a bounded run could not read, though it is there. */
static void tell_held_back(const input *in, logger *log) {
    for (uint32_t i = 0; i < in->partition_count; i++) {
        const sl_partition *at = &in->partitions[i];
        if (at->is_stalled && at->position >= at->end)
            log_warn(log, "an open transaction held the rest back", log_text("topic", at->topic),
                     log_number("partition", at->number), log_number("offset", at->position));
    }
}

static void summarize_source(const input *in, logger *log) {
    const source_counters *c = &in->counters;
    if (in->targets) tell_held_back(in, log);
    char *name = mem_copy_text(in->plan->name.data, in->plan->name.len);
    log_info(log, "source done", log_text("source", name), log_number("read", c->read),
             log_number("passed", c->passed), log_number("filtered", c->filtered),
             log_number("duplicate", c->duplicate), log_number("late", c->late),
             log_number("quarantined", c->quarantined), log_number("skipped", c->skipped),
             log_number("late_windows", c->late_windows),
             log_number("partly_quarantined", c->partly_quarantined), log_number("lost", c->lost));
    mem_free(name);
}

static void summarize_sink(const out_sink *s, logger *log) {
    char *name = mem_copy_text(s->plan->name.data, s->plan->name.len);
    log_info(log, "sink done", log_text("sink", name), log_number("rows", s->counters.rows),
             log_number("retracted", s->counters.retracted),
             log_number("refused", s->counters.refused));
    mem_free(name);
}

void pipeline_summary(const pipeline *p, logger *log) {
    for (uint32_t i = 0; i < p->input_count; i++) summarize_source(&p->inputs[i], log);
    for (uint32_t i = 0; i < p->out.count; i++) summarize_sink(&p->out.sinks[i], log);
    log_info(log, "done", log_number("batches", p->counters.batches),
             log_number("empty", p->counters.empty_batches),
             log_number("overran", p->counters.overran),
             log_number("redelivered", p->counters.redelivered),
             log_number("next_batch", p->batch));
}
