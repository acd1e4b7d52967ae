#include "runtime/flow/commit_inside.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "runtime/base/crash.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/flow/ahead.h"
#include "runtime/flow/keeper_inside.h"
#include "runtime/flow/record.h"
#include "runtime/flow/reload.h"

enum {
    FIRST_REST_MS = 50, /* before it is tried again */
    LONGEST_REST_MS = 2000,
    SLICE_MS = 20,
    TELL_MS = 10000, /* between two lines about it */
};

/* -- one try after the other */

/* Sleep, but not beyond the moment at which waiting is over. */
static void rest(const pipeline *p, int64_t ms) {
    for (; ms > 0 && !*p->sink_system.stop; ms -= SLICE_MS)
        nanosleep(&(struct timespec){ .tv_nsec = SLICE_MS * 1000000 }, NULL);
}

static bool may_pass(const err *e) {
    return e->retriable && e->code != ERR_FENCED && e->code != ERR_STOPPED;
}

/* Give up what the ledger has begun; NULL: it can begin again. */
static err *give_up(const pipeline *p, int64_t *rest_ms) {
    const keeper *k = p->keeper;
    err *e = k->ops->abort(k->ledger);
    while (e && may_pass(e) && !*p->sink_system.stop) {
        rest(p, *rest_ms);
        if (*rest_ms < LONGEST_REST_MS) *rest_ms *= 2;
        err_free(e);
        e = k->ops->abort(k->ledger);
    }
    return e;
}

static uint64_t number_of(const commit_work *work) { return work->batch ? work->batch - 1 : 0; }

static void tell(const pipeline *p, const commit_work *work, const err *e, int64_t *told_ms) {
    int64_t now = clock_steady_ms(p->system.clock);
    if (*told_ms != INT64_MIN && now - *told_ms < TELL_MS) return;
    *told_ms = now;
    log_warn(p->system.log, "batch not committed, delivering it again",
             log_text("reason", e->message), log_number("batch", number_of(work)));
}

/* Told to stop while something does not work that may work later. Takes `e`. */
static err *stopped(const commit_work *work, err *e) {
    err *s = err_new(ERR_STOPPED, "stopped before batch %" PRIu64 " was committed: %s",
                     number_of(work), e->message);
    err_free(e);
    return s;
}

err *commit_try(pipeline *p, commit_once *once, bool begins, const commit_work *work) {
    int64_t rest_ms = FIRST_REST_MS, told_ms = INT64_MIN;
    for (uint32_t tries = 1;; tries++) {
        err *e = once(p, work);
        if (!e && tries > 1)
            log_info(p->system.log, "batch committed after all",
                     log_number("batch", number_of(work)), log_number("tries", tries));
        if (!e || !may_pass(e)) return e;
        tell(p, work, e, &told_ms);
        p->keeper->redelivered++;
        err *fatal = begins ? give_up(p, &rest_ms) : NULL;
        if (fatal) {
            err_free(e);
            return fatal;
        }
        if (*p->sink_system.stop) return stopped(work, e);
        err_free(e);
        rest(p, rest_ms);
        if (rest_ms < LONGEST_REST_MS) rest_ms *= 2;
    }
}

err *commit_text(const keeper *k, const pointer *which, const sl_mark *marks, uint32_t count) {
    char text[SL_POINTER_BYTES];
    pointer_write(which, text);
    return k->ops->commit(k->ledger, text, marks, count);
}

/* Of a script on trial, where it costs nothing to go back: what goes wrong with most rows is not
 * the rows' fault. */
static err *judge_refusals(const pipeline *p) {
    if (!p->trial || p->keeper->plan->delivery != SL_EXACTLY_ONCE) return NULL;
    if (reload_has_left(p)) return NULL; /* it would end the run */
    double share = 1;
    for (uint32_t i = 0; i < p->input_count; i++)
        if (p->inputs[i].plan->max_bad_share < share) share = p->inputs[i].plan->max_bad_share;
    return delivery_judge(&p->out, share);
}

/* Make the object behind the sinks, whose positions it holds. */
static err *save_now(pipeline *p, const commit_work *work) {
    keeper *k = p->keeper;
    err *e = commit_save(p, work);
    k->running.p = k->saved;
    return e;
}

static err *try_batch(pipeline *p, const commit_work *work) {
    keeper *k = p->keeper;
    promise *it = &k->running;
    k->was_asked = false;
    err *e = keeper_check_ours(p); /* nobody else does, while one commit follows the other */
    if (!e) e = k->ops->begin(k->ledger);
    if (!e) e = keeper_step(p, "begun");
    if (!e) e = delivery_run(&p->out, number_of(work), work->now_ms);
    if (!e) e = judge_refusals(p);
    if (!e) e = keeper_step(p, "produced");
    if (!e && k->has_positions) e = save_now(p, work);
    if (!e) e = checkpoint_wait(k->checkpoint, &it->p);
    if (!e) e = keeper_step(p, "written");
    if (e) return e;
    k->was_asked = true;
    return commit_text(k, &it->p, it->marks, it->count);
}

err *commit_tries(pipeline *p, const commit_work *work) {
    return commit_try(p, try_batch, true, work);
}

err *commit_end_tries(pipeline *p, int64_t began_ms, int64_t ended_ms, err *e) {
    keeper *k = p->keeper;
    p->counters.redelivered += atomic_exchange(&k->redelivered, 0);
    if (e) return e;
    k->current = k->running.p;
    k->committed_ms = ended_ms;
    k->commit_ms = ended_ms - began_ms;
    return NULL;
}

/* -- a batch */

void commit_promise(const keeper *k, promise *it) {
    promise_forget(it);
    it->p = k->saved;
    it->count = k->mark_count;
    it->marks = mem_alloc((it->count + 1) * sizeof *it->marks);
    if (it->count) memcpy(it->marks, k->marks, it->count * sizeof *it->marks);
}

void promise_forget(promise *it) {
    mem_free(it->marks);
    *it = (promise){ 0 };
}

void promise_move(promise *to, promise *from) {
    promise_forget(to);
    *to = *from;
    *from = (promise){ 0 };
}

/* What it was, and its object. */
static err *put_down(pipeline *p, const commit_work *work) {
    keeper *k = p->keeper;
    keeper_collect_marks(p, work->batch);
    buf_reset(&k->record);
    record_put(&k->record, p, work->view);
    return k->has_positions ? NULL : commit_save(p, work);
}

/* The log alone says what the batch was where nothing is kept. */
static void note_record(const pipeline *p, const commit_work *work) {
    buf record;
    if (p->system.log->level > LOG_DEBUG) return;
    buf_init(&record);
    if (!p->keeper) record_put(&record, p, work->view);
    record_log(p, p->keeper ? &p->keeper->record : &record);
    buf_done(&record);
}

err *commit_begin(pipeline *p, const commit_work *work) {
    bool is_held = commit_is_beside(p) || beside_rests(p);
    delivery_note_made(&p->out);
    if (!is_held) delivery_hand_over(&p->out);
    err *e = p->keeper ? put_down(p, work) : NULL;
    if (e || !p->beside || p->trial) return e; /* what failed on trial must be there still */
    note_record(p, work);
    if (is_held)
        beside_hold(p, work);
    else
        beside_begin(p, work);
    return NULL;
}

err *commit_await(pipeline *p, const commit_work *work) {
    keeper *k = p->keeper;
    if (!k) return delivery_run(&p->out, number_of(work), work->now_ms);
    int64_t began_ms = clock_steady_ms(p->system.clock);
    commit_promise(k, &k->running);
    err *e = commit_tries(p, work);
    e = commit_end_tries(p, began_ms, clock_steady_ms(p->system.clock), e);
    return e ? e : keeper_step(p, "committed");
}

void commit_add(pipeline *p, const commit_work *work) {
    delivery_count(&p->out);
    p->counters.nulled_numbers += work->nulled_numbers;
    p->counters.batches += work->batches;
}

void commit_count(pipeline *p, const commit_work *work) {
    note_record(p, work);
    commit_add(p, work);
}

err *commit_applied(pipeline *p) {
    keeper *k = p->keeper;
    if (!k) return NULL;
    k->has_other_shape = false;
    ahead_forget(p);
    checkpoint_committed(k->checkpoint, &k->current, k->running.marks, k->running.count);
    return keeper_step(p, "applied");
}

void commit_given_up(pipeline *p) {
    if (p->keeper) checkpoint_given_up(p->keeper->checkpoint);
}

bool commit_leaves_no_trace(const pipeline *p) {
    const keeper *k = p->keeper;
    return k && k->plan->delivery == SL_EXACTLY_ONCE && !k->was_asked;
}

err *commit_take_back(pipeline *p) {
    int64_t rest_ms = FIRST_REST_MS;
    err *e = fault_is("rows_stay") ? NULL : give_up(p, &rest_ms);
    commit_given_up(p);
    return e;
}

/* -- without a batch */

static err *try_pointer(pipeline *p, const commit_work *work) {
    keeper *k = p->keeper;
    promise *it = &k->running;
    err *e = k->ops->begin(k->ledger);
    if (!e && work->next) e = checkpoint_wait(k->checkpoint, &it->p);
    return e ? e : commit_text(k, &it->p, it->marks, it->count);
}

static err *commit_pointer(pipeline *p, const commit_work *work) {
    int64_t began_ms = clock_steady_ms(p->system.clock);
    commit_promise(p->keeper, &p->keeper->running);
    err *e = commit_try(p, try_pointer, true, work);
    return commit_end_tries(p, began_ms, clock_steady_ms(p->system.clock), e);
}

/* Files that are appended to, and positions that no ledger knows, stand in an object. */
static bool needs_object(const pipeline *p) {
    const keeper *k = p->keeper;
    for (uint32_t i = 0; i < p->input_count; i++)
        if (!keeper_marks(k, p->inputs[i].plan)) return true;
    return k->has_positions;
}

err *commit_genesis(pipeline *p) {
    keeper *k = p->keeper;
    uint32_t count = p->plan->aggregate_count + p->plan->distinct_count;
    int64_t *none = mem_alloc((count + 1) * sizeof *none);
    for (uint32_t i = 0; i < count; i++) none[i] = WATERMARK_NONE;
    commit_work work = { .now_ms = clock_now_ms(p->system.clock) };
    err *e = NULL;
    if (needs_object(p)) {
        work.next = none;
        e = commit_save(p, &work);
    } else {
        k->saved = pointer_new(POINTER_GENESIS, 0, k->mark_count);
    }
    if (!e) e = commit_pointer(p, &work);
    mem_free(none);
    if (e) return e;
    crash_point("flow_genesis");
    checkpoint_committed(k->checkpoint, &k->current, k->running.marks, k->running.count);
    return NULL;
}

err *commit_again(pipeline *p) {
    keeper *k = p->keeper;
    commit_work work = { .batch = k->current.batch };
    k->saved = k->current;
    return commit_pointer(p, &work);
}
