/* DESIGN. All that goes by the plan is made for the new one beside the running one (struct reload),
 * then the two change places. Taking it back is the same exchange once more: so nothing is undone
 * step by step, and the old script is whole for as long as it may be needed. */
#include "runtime/flow/reload.h"

#include <inttypes.h>
#include <string.h>

#include "runtime/base/crash.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/flow/ahead.h"
#include "runtime/flow/backfill.h"
#include "runtime/flow/blank.h"
#include "runtime/flow/commit.h"
#include "runtime/flow/held.h"
#include "runtime/flow/keeper_inside.h"
#include "runtime/flow/local.h"
#include "runtime/flow/reload_inside.h"
#include "runtime/flow/shadow.h"
#include "runtime/flow/walk.h"
#include "runtime/operator/emit_close.h"
#include "runtime/script/trying.h"

#define SWAP(type, a, b) \
    do {                 \
        type kept = (a); \
        (a) = (b);       \
        (b) = kept;      \
    } while (0)

/* -- made beside */

static int64_t pace_of(const sl_plan *plan) {
    return plan->checkpoint.url.data ? plan->checkpoint.commit_interval_ms : 0;
}

static reload *new_reload(const pipeline *p, worker **workers, uint32_t count) {
    reload *r = mem_zalloc(1, sizeof *r);
    r->worker_count = count;
    r->workers = mem_alloc(r->worker_count * sizeof(worker *));
    memcpy(r->workers, workers, r->worker_count * sizeof(worker *));
    r->plan = script_plan(workers[0]->script);
    stages_init(&r->stages, r->plan);
    buf_init(&r->changes);
    r->rows_before = mem_zalloc(r->plan->sink_count + 1, sizeof *r->rows_before);
    r->chunk_room = p->chunk_room;
    r->chunks = mem_zalloc(r->chunk_room, sizeof(chunk *));
    for (uint32_t i = 0; i < r->chunk_room; i++) r->chunks[i] = chunk_new(r->plan->step_count);
    r->input_count = r->plan->source_count;
    r->inputs = mem_zalloc(r->input_count + 1, sizeof *r->inputs);
    int64_t now_ms = clock_steady_ms(p->system.clock);
    for (uint32_t i = 0; i < r->input_count; i++) {
        reload_input *in = &r->inputs[i];
        in->plan = &r->plan->sources[i];
        in->blanks = mem_zalloc(in->plan->field_count + 1, sizeof *in->blanks);
        limits_rate_init(&in->rate, in->plan->max_rate, now_ms);
    }
    trigger_init(&r->trigger, r->plan->trigger, r->plan->interval_ms, pace_of(r->plan));
    return r;
}

void reload_free(reload *r) {
    while (r) {
        reload *next = r->next;
        stages_done(&r->stages);
        /* the plan belongs to worker 0's script */
        for (uint32_t i = r->worker_count; i > 0; i--) worker_free(r->workers[i - 1], r->plan);
        for (uint32_t i = 0; i < r->chunk_room; i++) chunk_free(r->chunks[i]);
        for (uint32_t i = 0; i < r->input_count; i++) mem_free(r->inputs[i].blanks);
        takeover_done(&r->state);
        shape_maps_done(&r->maps);
        buf_done(&r->changes);
        mem_free(r->workers);
        mem_free(r->depths);
        mem_free(r->chunks);
        mem_free(r->rows_before);
        mem_free(r->inputs);
        mem_free(r->shape);
        mem_free(r->refilled);
        mem_free(r);
        r = next;
    }
}

/* Scripts are closed by whoever has time for it. `other`: of which sinks may be shared, too. */
static void retire(pipeline *p, reload *r, const reload *other) {
    reload_close_sinks(p, r, other);
    r->next = p->retired;
    p->retired = r;
}

reload *reload_take_retired(pipeline *p) {
    reload *r = p->retired;
    p->retired = NULL;
    return r;
}

void reload_chain(reload *r, reload *behind) {
    while (r->next) r = r->next;
    r->next = behind;
}

script **reload_take_scripts(reload *r, uint32_t *count) {
    script **scripts = NULL;
    *count = 0;
    for (; r; r = r->next) {
        scripts = mem_realloc(scripts, (*count + r->worker_count) * sizeof(script *));
        for (uint32_t i = 0; i < r->worker_count; i++) {
            scripts[(*count)++] = r->workers[i]->script;
            r->workers[i]->script = NULL;
        }
    }
    return scripts;
}

/* -- the state */

static err *refuse_shape(const sl_compat *compat) {
    return err_new(ERR_REFUSED, "%.*s; %.*s", (int)compat->message.len, compat->message.data,
                   (int)compat->ways_out.len, compat->ways_out.data);
}

/* Compare the shapes, and decide what becomes of each table. */
static err *decide_state(const pipeline *p, reload *r) {
    const sl_string *was = &p->plan->checkpoint.shape, *now = &r->plan->checkpoint.shape;
    const sl_compat *compat = NULL;
    bool differs = !held_is_text(was, now);
    if (differs) {
        char *shape = mem_copy_text(was->data, was->len);
        err *e = script_compat(r->workers[0]->script, shape, &compat);
        mem_free(shape);
        if (e) return e;
        if (compat->verdict == SL_COMPAT_REFUSED) return refuse_shape(compat);
        for (uint32_t i = 1; !e && i < r->worker_count; i++)
            e = shape_prepare(r->workers[i], was, compat);
        if (e) return e;
        buf_put(&r->changes, compat->message.data, compat->message.len);
        if (compat->message.len) buf_put_char(&r->changes, '\n');
    }
    r->compat = compat;
    bool is_mapped = compat && compat->verdict == SL_COMPAT_ACCEPTED;
    if (is_mapped) shape_maps_init(&r->maps, r->plan, compat);
    takeover_init(&r->state, p->plan, r->plan, is_mapped ? compat : NULL,
                  is_mapped ? &r->maps.by : NULL);
    if (fault_is("state_stays")) takeover_leave(&r->state);
    if (p->keeper) r->shape = mem_copy_text(now->data ? now->data : "", now->len);
    r->has_other_shape = differs;
    return reload_check_state(p, r, differs);
}

/* Watermarks and rows that are still to come out go by the stage's name. */
static void copy_stages(const pipeline *p, reload *r) {
    for (uint32_t a = 0; a < r->plan->aggregate_count; a++)
        for (uint32_t n = 0; n < p->plan->aggregate_count; n++) {
            const stage_run *was = &p->stages.aggregates[n];
            stage_run *now = &r->stages.aggregates[a];
            if (!held_is_text(&r->plan->aggregates[a].name, &p->plan->aggregates[n].name)) continue;
            now->watermark = was->watermark;
            now->closing = was->closing;
            now->closing_next = was->closing_next;
        }
    for (uint32_t d = 0; d < r->plan->distinct_count; d++)
        for (uint32_t n = 0; n < p->plan->distinct_count; n++)
            if (held_is_text(&r->plan->distincts[d].name, &p->plan->distincts[n].name))
                r->stages.distincts[d].watermark = p->stages.distincts[n].watermark;
}

/* -- the exchange */

static void exchange_inputs(pipeline *p, reload *r) {
    for (uint32_t i = 0; i < p->input_count; i++) {
        input *in = &p->inputs[i];
        reload_input *other = &r->inputs[i];
        bool has_other_rate = in->plan->max_rate != other->plan->max_rate;
        SWAP(const sl_source *, in->plan, other->plan);
        SWAP(struct blank_field *, in->blanks, other->blanks);
        if (has_other_rate) SWAP(limits_rate, in->rate, other->rate);
        in->watermark.rules = in->plan->time;
    }
}

/* When the next batch runs stays, where it goes by the same rule; else the first runs at once, as
 * at a start. */
static void exchange_trigger(pipeline *p, reload *r) {
    trigger *t = &p->trigger, *other = &r->trigger;
    bool is_same = t->kind == other->kind && t->interval_ms == other->interval_ms &&
                   t->pace_ms == other->pace_ms;
    if (!is_same) t->due_ms = INT64_MIN, t->batch_count = 0;
    SWAP(int32_t, t->kind, other->kind);
    SWAP(int64_t, t->interval_ms, other->interval_ms);
    SWAP(int64_t, t->pace_ms, other->pace_ms);
}

static void exchange_kept(pipeline *p, reload *r) {
    keeper *k = p->keeper;
    if (!k) return;
    SWAP(char *, k->shape, r->shape);
    SWAP(bool, k->has_other_shape, r->has_other_shape);
}

/* The pipeline's and those of `r` change places. */
static void exchange(pipeline *p, reload *r) {
    unsigned chunk_now = p->chunk_now;
    crew_exchange(p->crew, r->workers);
    SWAP(const sl_plan *, p->plan, r->plan);
    SWAP(stages, p->stages, r->stages);
    SWAP(uint32_t *, p->depths, r->depths);
    SWAP(chunk **, p->chunks, r->chunks);
    SWAP(uint32_t *, p->rows_before, r->rows_before);
    SWAP(bool, p->adapts, r->adapts);
    p->chunk_now = r->chunk_now;
    r->chunk_now = chunk_now;
    SWAP(delivery, p->out, r->out);
    SWAP(char *, p->refilled, r->refilled);
    exchange_inputs(p, r);
    exchange_trigger(p, r);
    p->system.script = p->sink_system.script = crew_worker(p->crew, 0)->script;
    exchange_kept(p, r);
    err_free(commit_follow_sinks(p)); /* then commits are waited for */
}

/* Depths and chunks of a plan are walk.c's to find: it works on the pipeline. */
static void exchange_first(pipeline *p, reload *r) {
    bool is_other = p->keeper && (p->keeper->has_other_shape || r->has_other_shape);
    r->has_other_shape = is_other;
    exchange(p, r);
    walk_init(p);
    onward_list_reset(&p->onward);
}

static void exchange_tables(pipeline *p, const takeover *state, worker **others, bool back) {
    for (uint32_t i = 0; i < crew_count(p->crew); i++) {
        worker *running = crew_worker(p->crew, i);
        worker *old = back ? others[i] : running, *new = back ? running : others[i];
        emit_close_forget(running);
        emit_close_forget(others[i]);
        takeover_exchange(state, old, new);
    }
}

/* -- swap */

bool reload_may_swap(const pipeline *p) {
    return !p->finished && !ahead_planned(p) && !p->fills;
}

/* All that can fail. */
static err *prepare(pipeline *p, reload *r) {
    err *e = p->fills ? err_new(ERR_REFUSED, "what is new in the script that runs is filled by "
                                             "its first batch: wait for that")
                      : reload_check(p, r->plan, r->worker_count);
    if (!e) e = decide_state(p, r);
    /* what the base's threads ask of the plan */
    if (!e && p->local && p->local->base) e = local_catch_up(p);
    if (!e) e = reload_open_sinks(p, r);
    if (!e) e = reload_copy_state(p, r);
    return e ? e : backfill_swap(p, r->workers, r->compat, &r->refilled);
}

static char *text_of_changes(const reload *r) {
    static const char logic[] = "logic only";
    size_t len = r->changes.len;
    while (len && r->changes.data[len - 1] == '\n') len--;
    return len ? mem_copy_text(r->changes.data, len) : mem_copy_text(logic, sizeof logic - 1);
}

/* One that has done nothing yet steps back for the next: what it took over is as it was. */
static reload *take_off(pipeline *p) {
    reload *r = p->trial;
    if (!r) return NULL;
    exchange_tables(p, &r->state, r->workers, true);
    exchange(p, r);
    p->trial = NULL;
    return r;
}

/* The next one is refused. */
static void put_on_again(pipeline *p, reload *r) {
    exchange_tables(p, &r->state, r->workers, false);
    exchange(p, r);
    p->trial = r;
}

err *reload_swap(pipeline *p, worker **workers, uint32_t count, char **changes) {
    reload *before = take_off(p);
    reload *r = new_reload(p, workers, count);
    r->before = before;
    commit_settle_for_later(p);
    err *e = p->later ? err_new(ERR_STOPPED, "the run ends") : prepare(p, r);
    backfill_drop(p); /* it has borrowed a script */
    r->before = NULL;
    if (e) {
        retire(p, r, before);
        if (before) put_on_again(p, before);
        return e;
    }
    shadow_drop(p->shadow, "another text of the script took over meanwhile");
    copy_stages(p, r);
    exchange_tables(p, &r->state, r->workers, false);
    exchange_first(p, r);
    if (before) retire(p, before, r);
    r->batch = p->batch;
    p->trial = r;
    if (changes) *changes = text_of_changes(r);
    if (p->keeper) err_free(keeper_keep_script(p)); /* costs a replay, not the run */
    crash_point("reload_taken");
    return NULL;
}

/* -- on trial */

err *reload_judge(const pipeline *p) {
    for (uint32_t i = 0; p->trial && i < crew_count(p->crew); i++)
        if (script_was_interrupted(crew_worker(p->crew, i)->script))
            return err_new(ERR_SCRIPT, "a call into the script took longer than script_timeout "
                                       "(%" PRId64 " ms)",
                           p->plan->script_timeout_ms);
    return NULL;
}

bool reload_goes_back(const pipeline *p, const err *why) {
    if (!p->trial) return false;
    switch (why->code) {
    case ERR_SCRIPT:
    case ERR_DATA:
    case ERR_STATE: return true;
    default: return false;
    }
}

static const out_sink *sink_that_keeps(const pipeline *p) {
    return p->trial ? delivery_keeper(&p->out, &p->trial->out) : NULL;
}

bool reload_has_left(const pipeline *p) { return sink_that_keeps(p) != NULL; }

static bool may_take_back(const pipeline *p, const err *why) {
    switch (why->code) {
    case ERR_IO:
    case ERR_BROKER:
    case ERR_MISSING:
    case ERR_AUTH: return true;
    default: return reload_goes_back(p, why);
    }
}

bool reload_takes_back(const pipeline *p, err **why) {
    if (!p->trial || !commit_leaves_no_trace(p) || !may_take_back(p, *why)) return false;
    const out_sink *keeps = sink_that_keeps(p);
    if (keeps)
        *why = err_wrap(*why,
                        "the new script failed in its first batch, of which sink `%.*s` has rows "
                        "already, so the old one cannot do it: put right what failed and run it "
                        "again",
                        (int)keeps->plan->name.len, keeps->plan->name.data);
    return !keeps;
}

void reload_back(pipeline *p, err *why) {
    log_error(p->system.log, "the new script failed, the old one is back and does the batch again",
              log_text("reason", why->message), log_number("batch", p->batch));
    mem_free(p->went_back);
    p->went_back = mem_copy_text(why->message, strlen(why->message));
    err_free(why);
    retire(p, take_off(p), NULL);
    crash_point("reload_back");
}

void reload_settle(pipeline *p) {
    reload *r = p->trial;
    if (!r) return;
    p->trial = NULL;
    retire(p, r, NULL);
}

void reload_end(pipeline *p) {
    reload_settle(p);
    reload_free(reload_take_retired(p));
    mem_free(p->went_back);
}
