/* DESIGN. Main begins a commit, and takes it in; the thread does what is between. What stands in
 * `beside` is main's, but for `outcome` and `ended_ms`, and `work` is not touched, until the job is
 * waited for; until then rows that were handed over, k->running and the ledger are the thread's.
 * What is held is main's all the time: rows are copied into boxes of their own, and handed over
 * when the thread has nothing to do. */
#include <assert.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/flow/ahead.h"
#include "runtime/flow/behind.h"
#include "runtime/flow/commit_inside.h"
#include "runtime/flow/deaths.h"

enum { MOST_HOLD_MS = 500 };

/* -- whether there is one */

static err *beside_new(const pipeline *p, beside **out) {
    beside *b = mem_zalloc(1, sizeof *b);
    err *e = jobs_new(false, &b->thread);
    bool follows = p->keeper && p->keeper->plan->delivery != SL_EXACTLY_ONCE;
    if (!e && follows) e = behind_new(&b->behind);
    if (!e) {
        *out = b;
        return NULL;
    }
    jobs_free(b->thread);
    mem_free(b);
    return e;
}

void commit_close(pipeline *p) {
    beside *b = p->beside;
    if (!b) return;
    jobs_free(b->thread);
    behind_free(b->behind);
    promise_forget(&b->promised);
    mem_free(b);
    p->beside = NULL;
}

err *commit_follow_sinks(pipeline *p) {
    bool has_positions = false;
    for (uint32_t i = 0; i < p->out.count; i++)
        has_positions |= p->out.sinks[i].ops->position != NULL;
    if (p->keeper) p->keeper->has_positions = has_positions;
    bool goes_beside = p->overlaps && !has_positions && !delivery_is_in_script(&p->out) &&
                       !(p->keeper && ahead_is_on(p));
    if (goes_beside == (p->beside != NULL)) return NULL;
    if (goes_beside) return beside_new(p, &p->beside);
    commit_close(p);
    return NULL;
}

/* -- one begins */

/* thread: that of commits */
static void run_commit(void *arg) {
    pipeline *p = arg;
    beside *b = p->beside;
    const commit_work *work = &b->work;
    b->outcome = p->keeper ? commit_tries(p, work)
                           : delivery_run(&p->out, work->batch - 1, work->now_ms);
    b->ended_ms = clock_steady_ms(p->system.clock);
}

static void launch(pipeline *p, const commit_work *work) {
    beside *b = p->beside;
    assert(!b->is_on);
    b->work = *work;
    b->began_ms = clock_steady_ms(p->system.clock);
    bool is_awake = b->began_ms < b->awake_until_ms;
    b->rests_until_ms = b->began_ms + (is_awake ? 0 : COMMIT_REST_MS);
    b->is_on = true;
    if (b->behind)
        behind_begin(p);
    else
        b->ticket = jobs_add(b->thread, run_commit, p);
}

/* What it shows is the running batch's. */
static commit_work without_views(const commit_work *work) {
    commit_work it = *work;
    it.view = NULL;
    it.next = NULL;
    return it;
}

void beside_begin(pipeline *p, const commit_work *work) {
    commit_work it = without_views(work);
    bool has_lent = delivery_borrows(&p->out);
    if (p->keeper && !p->beside->behind) commit_promise(p->keeper, &p->keeper->running);
    launch(p, &it);
    for (uint32_t i = 0; i < p->input_count; i++) input_park(&p->inputs[i], has_lent);
}

/* Another batch follows at once, and can take what is held with it. */
static bool rests(const pipeline *p) {
    return p->was_cut_short && clock_steady_ms(p->system.clock) < p->beside->rests_until_ms;
}

/* Whether the running batch may be committed together with others: its rows are few, and take
 * nothing back, for what takes rows back leaves before all others; and it was short, since what is
 * held waits for the end of a batch. */
static bool may_hold(const pipeline *p) {
    const keeper *k = p->keeper;
    return k && !p->trial && p->batch_ms < MOST_HOLD_MS && delivery_may_hold(&p->out) &&
           !checkpoint_is_behind(k->checkpoint);
}

bool beside_rests(const pipeline *p) {
    return p->beside && !p->beside->behind && rests(p) && may_hold(p) &&
           !deaths_are_ahead(p->deaths, p->batch);
}

/* Commit what is held. */
static void launch_held(pipeline *p) {
    beside *b = p->beside;
    commit_work work = b->waiting;
    b->holds = false;
    b->waiting = (commit_work){ 0 };
    promise_move(&p->keeper->running, &b->promised);
    delivery_hand_over_held(&p->out);
    for (uint32_t i = 0; i < p->input_count; i++) input_park_held(&p->inputs[i]);
    launch(p, &work);
}

void beside_hold(pipeline *p, const commit_work *work) {
    beside *b = p->beside;
    uint64_t nulled = b->waiting.nulled_numbers;
    uint32_t batches = b->waiting.batches;
    b->holds = true;
    b->waiting = without_views(work);
    b->waiting.nulled_numbers += nulled;
    b->waiting.batches += batches;
    commit_promise(p->keeper, &b->promised);
    delivery_hold(&p->out, work->now_ms);
    for (uint32_t i = 0; i < p->input_count; i++) input_hold(&p->inputs[i]);
    if (!b->is_on && !rests(p)) launch_held(p);
}

static void drop_held(pipeline *p) {
    beside *b = p->beside;
    if (!b->holds) return;
    b->holds = false;
    b->waiting = (commit_work){ 0 };
    promise_forget(&b->promised);
    delivery_drop_held(&p->out);
    for (uint32_t i = 0; i < p->input_count; i++) {
        input_park_held(&p->inputs[i]);
        input_release_parked(&p->inputs[i], false);
    }
}

/* -- and is over */

bool commit_is_beside(const pipeline *p) {
    return p->beside && (p->beside->is_on || p->beside->holds);
}

bool commit_is_open(const pipeline *p) {
    return commit_is_beside(p) || (p->keeper && checkpoint_underway(p->keeper->checkpoint) > 0);
}

int64_t commit_began_ms(const pipeline *p) { return p->beside->began_ms; }

bool commit_wait(const pipeline *p, int64_t most_ms) {
    const beside *b = p->beside;
    return b->behind ? behind_wait(b, most_ms) : jobs_wait_some(b->thread, b->ticket, most_ms);
}

int64_t commit_next_ms(const pipeline *p) {
    const beside *b = p->beside;
    if (!b) return INT64_MIN;
    if (b->holds && b->is_on) return INT64_MAX; /* it leaves when the one that is beside is over */
    int64_t next_ms = b->is_on ? b->began_ms + b->took_ms : INT64_MIN;
    int64_t paced_ms = b->behind ? behind_next_ms(p) : INT64_MIN;
    return saturate_sub(next_ms > paced_ms ? next_ms : paced_ms, p->batch_ms);
}

int64_t commit_follows_ms(const pipeline *p) {
    if (!p->beside || !p->beside->behind || p->was_cut_short) return INT64_MIN;
    return saturate_add(clock_steady_ms(p->system.clock), behind_pace_ms());
}

/* Takes `e`. */
static err *take_outcome(pipeline *p, err *e) {
    const beside *b = p->beside;
    if (!p->keeper) return e;
    e = commit_end_tries(p, b->began_ms, b->ended_ms, e);
    return e ? e : keeper_step(p, "committed");
}

/* Wait for the one that is beside, and take it in. */
static err *settle_one(pipeline *p) {
    beside *b = p->beside;
    jobs_wait(b->thread, b->ticket, NULL);
    b->is_on = false;
    b->took_ms = b->ended_ms - b->began_ms;
    err *e = take_outcome(p, b->outcome);
    b->outcome = NULL;
    if (e) {
        p->batch = p->keeper ? p->keeper->current.batch : b->work.batch - 1;
        commit_given_up(p);
    } else {
        commit_add(p, &b->work);
    }
    for (uint32_t i = 0; i < p->input_count; i++) input_release_parked(&p->inputs[i], !e);
    if (!e) e = commit_applied(p);
    if (e) drop_held(p);
    return e;
}

/* Take it in if it is over. */
static err *take_in(pipeline *p) {
    return p->beside->is_on && commit_wait(p, 0) ? settle_one(p) : NULL;
}

err *commit_look(pipeline *p) {
    beside *b = p->beside;
    if (!b) return NULL;
    if (b->behind) return b->is_on && commit_wait(p, 0) ? behind_make_way(p) : behind_look(p);
    err *e = take_in(p);
    if (!e && !b->is_on && b->holds && !rests(p)) launch_held(p);
    return e;
}

void commit_rest_no_longer(pipeline *p) {
    beside *b = p->beside;
    if (b && b->holds && !b->is_on) launch_held(p);
}

err *commit_make_way(pipeline *p) {
    if (!p->beside || p->trial) return commit_settle(p);
    if (p->beside->behind) return behind_make_way(p);
    beside *b = p->beside;
    err *e = take_in(p);
    if (e || may_hold(p)) return e;
    if (b->holds && !b->is_on)
        b->awake_until_ms = clock_steady_ms(p->system.clock) + COMMIT_AWAKE_MS;
    return commit_settle(p);
}

err *commit_settle(pipeline *p) {
    beside *b = p->beside;
    err *e = NULL;
    if (b && b->behind) return behind_settle(p);
    while (b && !e && (b->is_on || b->holds)) {
        if (!b->is_on) launch_held(p);
        e = settle_one(p);
    }
    return e;
}

void commit_settle_for_later(pipeline *p) {
    err *e = commit_settle(p);
    p->later = err_join(p->later, e);
}

err *commit_settle_before(pipeline *p, err *e) {
    err *first = commit_settle(p);
    if (!first) return e;
    err_free(e);
    return first;
}
