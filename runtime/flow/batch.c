/* DESIGN. The steps stand in batch_run, in order; each is a function of this file or one call into
 * a layer below. Records are walked in chunks (operator/work.h); what comes of them is collected in
 * the batch's order, so that nothing depends on which worker did what. */
#include "runtime/flow/batch.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/crash.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/flow/ahead.h"
#include "runtime/flow/backfill.h"
#include "runtime/flow/budget.h"
#include "runtime/flow/closing.h"
#include "runtime/flow/collect.h"
#include "runtime/flow/commit.h"
#include "runtime/flow/deaths.h"
#include "runtime/flow/early.h"
#include "runtime/flow/locate.h"
#include "runtime/flow/probe.h"
#include "runtime/flow/record.h"
#include "runtime/flow/reload.h"
#include "runtime/flow/shadow.h"
#include "runtime/flow/suspect.h"
#include "runtime/flow/walk.h"
#include "runtime/operator/distinct.h"
#include "runtime/operator/operators.h"

enum { THREADED_RECORDS = 4 * VECTOR_ROWS };

/* A batch while it runs. */
typedef struct batch {
    pipeline *p;
    batch_view view;
    source_view *sources;       /* owned */
    aggregate_view *aggregates; /* owned */
    distinct_view *distincts;   /* owned */
    int64_t *next;              /* watermarks of aggregates, then of distincts, at its end; owned */
    bool threaded;
    uint32_t next_source, next_record; /* to be cut */
    uint32_t aggregate;                /* being emitted */
    commit_work work;                  /* to be committed */
    int64_t waited_ms;                 /* for the commit of the batch before */
} batch;

/* What operators are shown of the plan and its stages. */
static void make_views(batch *b) {
    pipeline *p = b->p;
    uint32_t aggregates = p->plan->aggregate_count, distincts = p->plan->distinct_count;
    b->view.plan = p->plan;
    b->view.poison = p->poison.count ? &p->poison : NULL;
    b->view.on_trial = p->trial || p->on_trial;
    b->view.sources = b->sources = mem_zalloc(p->input_count, sizeof *b->sources);
    b->view.aggregates = b->aggregates = mem_zalloc(aggregates, sizeof *b->aggregates);
    b->view.distincts = b->distincts = mem_zalloc(distincts, sizeof *b->distincts);
    for (uint32_t a = 0; a < p->plan->aggregate_count; a++) {
        p->stages.aggregates[a].reached = false;
        b->aggregates[a].watermark_before = b->aggregates[a].watermark_after =
            p->stages.aggregates[a].watermark;
    }
    for (uint32_t d = 0; d < p->plan->distinct_count; d++)
        b->distincts[d].watermark_before = p->stages.distincts[d].watermark;
    closing_begin(p);
}

static void free_views(batch *b) {
    mem_free(b->sources);
    mem_free(b->aggregates);
    mem_free(b->distincts);
    mem_free(b->next);
    b->next = NULL;
}

/* Decide what the batch is: its number, processing time, the watermarks that judge it. */
static void batch_plan(batch *b, pipeline *p, bool flush) {
    const recorded *planned = ahead_planned(p);
    *b = (batch){ .p = p };
    b->view = (batch_view){ .batch = p->batch,
                            .now_ms = planned ? planned->now_ms : pipeline_now_ms(p),
                            .is_flush = planned ? planned->is_flush : flush };
    make_views(b);
}

/* The ranges of all sources: what has come, or what a batch that died was to read. */
static err *plan_inputs(pipeline *p, const batch_view *view) {
    closing_hold_inputs(p);
    for (uint32_t i = 0; i < p->input_count; i++) {
        const recorded_source *was;
        if (!ahead_planned(p)) {
            input_plan(&p->inputs[i], p->batch, view->now_ms);
            continue;
        }
        err *e = ahead_source(p, i, &was);
        if (!e) e = input_plan_again(&p->inputs[i], was, view->now_ms);
        if (e) return e;
    }
    return NULL;
}

/* Bring the records; ranges are final afterwards. */
static err *fetch_inputs(pipeline *p) {
    for (uint32_t i = 0; i < p->input_count; i++) {
        input *in = &p->inputs[i];
        err *e = ahead_planned(p) ? input_fetch_again(in) : input_fetch(in);
        if (e) return e;
    }
    return NULL;
}

/* What the batch reads, planned and fetched. */
static err *batch_fetch(batch *b) {
    pipeline *p = b->p;
    err *e = plan_inputs(p, &b->view);
    if (!e) e = fetch_inputs(p);
    p->was_cut_short = false;
    for (uint32_t i = 0; i < p->input_count && !e; i++) e = keeper_check_records(p, &p->inputs[i]);
    for (uint32_t i = 0; i < p->input_count; i++) p->was_cut_short |= p->inputs[i].was_cut_short;
    return e;
}

/* Show workers what there is. */
static void batch_view_inputs(batch *b) {
    pipeline *p = b->p;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < p->input_count; i++) {
        input *in = &p->inputs[i];
        b->sources[i] = (source_view){
            .partitions = in->partitions,
            .partition_count = in->partition_count,
            .places = in->ranks,
            .headers = in->headers,
            .records = in->load.records.items,
            .record_count = in->load.records.count,
            .skew_limit_ms = watermark_skew_limit(&in->plan->time, b->view.now_ms,
                                                  in->plan->bounded, p->system.clock->manual),
        };
        sum += in->load.records.count;
    }
    b->threaded = p->always_threaded || sum >= THREADED_RECORDS;
}

/* Cut the next chunk off the records. False: none are left. */
static bool cut_records(void *arg, chunk *c) {
    batch *b = arg;
    const pipeline *p = b->p;
    while (b->next_source < p->input_count) {
        uint32_t left = b->sources[b->next_source].record_count - b->next_record;
        if (left) {
            locate_chunk(p, c, b->next_source, b->next_record);
            c->record_count = probe_cut(p, &b->sources[c->source], b->next_record);
            b->next_record += c->record_count;
            return true;
        }
        b->next_source++;
        b->next_record = 0;
    }
    return false;
}

/* Decode, stamp, prepare, group and fold every record. */
static err *batch_walk(batch *b) {
    pipeline *p = b->p;
    walk_plan plan = { .cut = cut_records, .arg = b, .threaded = b->threaded };
    b->next_source = b->next_record = 0;
    if (b->threaded && early_plan(p)) plan.beside = early_fetch;
    for (uint32_t i = 0; i < p->input_count; i++) {
        uint32_t depth = p->depths[p->plan->sources[i].step];
        if (b->sources[i].record_count && depth > plan.depth) plan.depth = depth;
    }
    return walk_chunks(p, &b->view, &plan);
}

/* Ends and verdicts of all sources. */
static err *judge(batch *b) {
    pipeline *p = b->p;
    for (uint32_t i = 0; i < p->input_count; i++) {
        const recorded_source *was;
        input *in = &p->inputs[i];
        err *e = NULL;
        if (ahead_planned(p))
            e = ahead_source(p, i, &was);
        else if (closing_stands_still(p))
            input_judge_none(in, p->since_ms);
        else
            e = input_judge(in, p->since_ms);
        if (e) return e;
        if (ahead_planned(p)) input_judge_again(in, was);
    }
    return NULL;
}

/* What the batch takes from outside is decided before its first row. */
static err *batch_foresee(batch *b) {
    pipeline *p = b->p;
    if (!ahead_is_on(p)) return NULL;
    err *e = judge(b);
    if (!e && !ahead_planned(p)) e = ahead_put(p, &b->view);
    return e;
}

/* The watermarks move: what they close comes out from this batch on. */
static err *batch_settle(batch *b) {
    pipeline *p = b->p;
    err *e = ahead_is_on(p) ? NULL : judge(b);
    if (e) return e;
    bool stands_still = closing_stands_still(p);
    for (uint32_t i = 0; i < p->input_count; i++) {
        if (!stands_still) input_settle(&p->inputs[i]);
        if (b->view.is_flush) watermark_finish(&p->inputs[i].watermark);
    }
    watermark_input *sources = mem_alloc(p->input_count * sizeof *sources);
    for (uint32_t i = 0; i < p->input_count; i++)
        sources[i] = watermark_input_of(&p->inputs[i].watermark);
    b->next = batch_meet(p, sources);
    mem_free(sources);
    if (stands_still && !b->view.is_flush) stages_stand(&p->stages, b->next);
    for (uint32_t a = 0; a < p->plan->aggregate_count; a++)
        b->aggregates[a].watermark_after = b->next[a];
    for (uint32_t d = 0; d < p->plan->distinct_count; d++)
        b->distincts[d].watermark_after = b->next[p->plan->aggregate_count + d];
    return NULL;
}

static err *emit_phase(worker *w, void *arg) {
    batch *b = arg;
    outbox *boxes = collect_boxes(b->p, w->number);
    return emit_aggregate(w, &b->view, b->aggregate, b->p->stages.aggregates[b->aggregate].reached,
                          boxes, boxes + SL_MAX_OUTPUTS);
}

static err *batch_emit(batch *b) {
    const sl_plan *plan = b->p->plan;
    for (b->aggregate = 0; b->aggregate < plan->aggregate_count; b->aggregate++) {
        collect_begin(b->p);
        err *e = closing_emit(b->p, &b->view, &b->aggregates[b->aggregate], b->aggregate,
                              b->threaded);
        if (!e) e = crew_run(b->p->crew, emit_phase, b, b->threaded);
        if (e) return b->view.on_trial ? e : locate_record(b->p, &b->view, e);
        collect_notes(b->p, &b->view);
        e = collect_results(b->p, b->aggregate);
        laps_add(b->p->laps, LAP_COLLECT);
        if (!e && plan->steps[plan->aggregates[b->aggregate].step].going_on)
            e = walk_results(b->p, &b->view, b->aggregate, b->threaded);
        if (e) return e;
    }
    return NULL;
}

static err *forget_phase(worker *w, void *arg) {
    distinct_forget(w, &((batch *)arg)->view);
    return NULL;
}

static err *try_phase(worker *w, void *arg) {
    const batch *b = arg;
    err *e = NULL;
    for (uint32_t a = 0; !e && a < b->view.plan->aggregate_count; a++)
        e = emit_try(w, &b->view, a);
    return e;
}

/* A text on trial closes no window as a rule: what it would make of those that are open. */
static err *batch_try(batch *b) {
    return b->p->trial ? crew_run(b->p->crew, try_phase, b, b->threaded) : NULL;
}

/* Keys that distincts need no longer go. */
static err *batch_forget(batch *b) {
    if (!b->p->plan->distinct_count) return NULL;
    return crew_run(b->p->crew, forget_phase, b, b->threaded);
}

/* What comes next goes on from here. */
static void move_on(batch *b) {
    pipeline *p = b->p;
    for (uint32_t a = 0; a < p->plan->aggregate_count; a++)
        p->stages.aggregates[a].watermark = b->next[a];
    for (uint32_t d = 0; d < p->plan->distinct_count; d++)
        p->stages.distincts[d].watermark = b->next[p->plan->aggregate_count + d];
    closing_keep(p);
    p->batch++;
    backfill_done(p);
}

static void begin_workers(pipeline *p, uint64_t number) {
    delivery_reset(&p->out);
    for (uint32_t w = 0; w < crew_count(p->crew); w++)
        worker_begin(crew_worker(p->crew, w), p->plan);
    budget_stamp(p, number + 1);
}

static void end_workers(const pipeline *p, bool done) {
    for (uint32_t i = 0; i < crew_count(p->crew); i++) {
        worker_end(crew_worker(p->crew, i), p->plan, done);
        crew_worker(p->crew, i)->nulled_numbers = 0;
    }
}

/* What was done stays, or leaves no trace. It counts once it is committed (commit_settle). */
static void batch_end(batch *b, bool done) {
    pipeline *p = b->p;
    bool is_beside = done && commit_is_beside(p);
    end_workers(p, done);
    if (done && !is_beside) commit_count(p, &b->work);
    if (done) move_on(b);
    for (uint32_t i = 0; i < p->input_count && !is_beside; i++)
        input_release(&p->inputs[i], done);
    free_views(b);
}

static bool is_empty(const pipeline *p) {
    for (uint32_t i = 0; i < p->input_count; i++)
        if (input_reads(&p->inputs[i])) return false;
    return true;
}

static uint64_t nulled_numbers(const pipeline *p) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < crew_count(p->crew); i++)
        sum += crew_worker(p->crew, i)->nulled_numbers;
    return sum;
}

/* Nothing is in the running batch's way (`all`: what is before it is committed), and we go on. */
static err *settle_last(batch *b, bool all) {
    pipeline *p = b->p;
    if (!commit_is_open(p)) return NULL;
    int64_t began_ms = clock_steady_ms(p->system.clock);
    err *e = all ? commit_settle(p) : commit_make_way(p);
    b->waited_ms = clock_steady_ms(p->system.clock) - began_ms;
    laps_add(p->laps, LAP_DELIVER);
    return e || commit_is_open(p) || !p->keeper ? e : keeper_check_ours(p);
}

/* Runs have ended in this batch: find out of which record. What is behind is safe first. */
static err *batch_suspect(batch *b) {
    err *e = settle_last(b, true);
    if (!e) suspect_look(b->p, &b->view);
    return e;
}

/* Hand over what the batch made, and commit it where something is kept. */
static err *batch_deliver(batch *b) {
    pipeline *p = b->p;
    err *e = keeper_step(p, "processed");
    if (!e) e = settle_last(b, deaths_are_ahead(p->deaths, b->view.batch));
    if (e) return e;
    b->work = (commit_work){
        .view = &b->view,
        .batch = b->view.batch + 1,
        .now_ms = b->view.now_ms,
        .next = b->next,
        .is_flushed = b->view.is_flush,
        .batches = 1,
        .nulled_numbers = nulled_numbers(p),
    };
    e = commit_begin(p, &b->work);
    laps_add(p->laps, LAP_SAVE);
    return e || commit_is_beside(p) ? e : commit_await(p, &b->work);
}

/* Take in what the batch reads; false: nothing came and nothing is due. */
static err *batch_begin(batch *b, bool *runs) {
    pipeline *p = b->p;
    begin_workers(p, b->view.batch);
    err *e = batch_fetch(b);
    batch_view_inputs(b);
    *runs = e || b->view.is_flush || ahead_planned(p) || !is_empty(p) ||
            batch_is_due(p, b->view.now_ms);
    if (!e && *runs) pipeline_expect(p, commit_follows_ms(p));
    if (!e && *runs) e = keeper_step(p, "fetched");
    if (!e && *runs) e = batch_foresee(b);
    if (!e && *runs) e = keeper_step(p, "planned");
    return e;
}

/* From records to what leaves. */
static err *batch_work(batch *b) {
    deaths_enter(b->p->deaths, b->view.batch);
    err *e = batch_walk(b);
    crash_point("functions_done");
    if (!e) e = collect_check(b->p);
    if (!e) e = batch_settle(b);
    if (!e) e = batch_emit(b);
    if (!e) e = batch_try(b);
    if (!e) e = batch_forget(b);
    deaths_leave(b->p->deaths, b->view.batch);
    return e ? e : budget_check(b->p);
}

/* The same records once more, by the script that the failed one took over from. */
static err *batch_again(batch *b, err *why) {
    pipeline *p = b->p;
    free_views(b);
    end_workers(p, fault_is("counts_stay"));
    reload_back(p, why);
    make_views(b);
    for (uint32_t i = 0; i < p->input_count; i++) input_begin_again(&p->inputs[i], b->view.now_ms);
    begin_workers(p, b->view.batch);
    batch_view_inputs(b);
    err *e = ahead_is_on(p) ? ahead_put_again(p, &b->view) : NULL;
    return e ? e : batch_work(b);
}

/* Hand over. Under exactly-once nothing is out before the commit is asked for: what sinks refuse of
 * a script on trial is done by the old one, too. */
static err *deliver(batch *b) {
    pipeline *p = b->p;
    err *why = batch_deliver(b);
    if (!why || !reload_takes_back(p, &why)) return why;
    err *e = commit_take_back(p);
    if (e) {
        err_free(why);
        return e;
    }
    e = batch_again(b, why);
    delivery_may_repeat(&p->out);
    return e ? e : batch_deliver(b);
}

/* The batch failed. Takes `e`. */
static err *give_up(pipeline *p, err *e) {
    e = commit_settle_before(p, e);
    commit_given_up(p);
    return e;
}

err *batch_run(pipeline *p, bool flush, bool *ran) {
    batch b;
    int64_t began_ms = clock_steady_ms(p->system.clock);
    laps_mark(p->laps);
    *ran = false;
    err *e = backfill_due(p);
    if (e) return e;
    batch_plan(&b, p, flush);
    e = batch_begin(&b, ran);
    bool fetched = !e; /* else its records are not all there to be done again */
    laps_add(p->laps, LAP_FETCH);
    if (!*ran) {
        batch_end(&b, false);
        return NULL;
    }
    trigger_begin(&p->trigger, b.view.now_ms);
    if (is_empty(p)) p->counters.empty_batches++;
    if (!e && suspect_is(p, &b.view)) e = batch_suspect(&b);
    shadow_batch_begins(p);
    if (!e) e = batch_work(&b);
    if (!e) e = reload_judge(p);
    if (e && fetched && reload_goes_back(p, e)) e = batch_again(&b, e);
    if (!e) shadow_batch_is_made(p, &b.view);
    if (!e) e = deliver(&b);
    laps_add(p->laps, LAP_DELIVER);
    if (e) e = give_up(p, e);
    batch_end(&b, !e);
    if (!e && !commit_is_beside(p)) e = commit_applied(p);
    if (!e) reload_settle(p);
    if (!e) e = budget_keep(p);
    laps_add(p->laps, LAP_END);
    p->since_ms = began_ms;
    p->batch_ms = clock_steady_ms(p->system.clock) - began_ms - b.waited_ms;
    return e;
}
