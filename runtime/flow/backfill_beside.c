/* DESIGN. What a reload fills is read by a thread beside the run, round by round. It is found
 * against the text that the exchange compares with, which for as long as one is on trial and has
 * done nothing is the one before it; once that is another, it begins anew. Calls into the script
 * are watched as beside: one that takes too long costs the text, not the run. */
#include <inttypes.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/flow/backfill_inside.h"
#include "runtime/flow/held.h"
#include "runtime/flow/reload_inside.h"
#include "runtime/script/trying.h"

enum { SMALL_GAP = 100000, /* records that are read in the pause */
       MOST_ROUNDS = 16,   /* a run that is faster than this reads is caught up in the pause */
       PAUSE_MS = 30000 };

/* -- reading */

/* A call that takes longer than it may. thread: the watchdog's. */
static void on_stuck(void *arg, const char *message, bool last) {
    backfill *b = arg;
    log_warn(b->p->system.log, "a call into the script that is being filled takes too long",
             log_text("where", message));
    if (last) b->has_hung = true;
}

static void read_beside(void *arg) {
    backfill *b = arg;
    script_set_beside(b->by, on_stuck, b);
    b->error = backfill_read(b);
    script_set_beside(b->by, NULL, NULL);
}

static err *go_on_beside(backfill *b) {
    err *e = b->thread ? NULL : jobs_new(false, &b->thread);
    if (e) return e;
    backfill_aim(b);
    b->rounds++;
    b->ticket = jobs_add(b->thread, read_beside, b);
    return NULL;
}

/* -- when */

static char *base_shape(const pipeline *p) {
    const sl_string *shape = &reload_base(p)->checkpoint.shape;
    return mem_copy_text(shape->data ? shape->data : "", shape->len);
}

/* Whether what was read is what the exchange to these wants. */
static bool is_for(const backfill *b, const pipeline *p, worker **workers) {
    char *base = base_shape(p);
    bool is_same = b->by == workers[0]->script && b->base && !strcmp(b->base, base);
    mem_free(base);
    return is_same;
}

/* What is to be filled if these take over; NULL: nothing, or they are refused. */
static fill_list *find_fills(const pipeline *p, worker **workers, uint32_t count) {
    const sl_plan *plan = script_plan(workers[0]->script);
    const sl_string *was = &reload_base(p)->checkpoint.shape;
    const sl_compat *compat = NULL;
    err *e = reload_check(p, plan, count);
    char *shape = base_shape(p);
    if (!e && !held_is_text(was, &plan->checkpoint.shape))
        e = script_compat(workers[0]->script, shape, &compat);
    mem_free(shape);
    bool is_taken = !e && compat && compat->verdict == SL_COMPAT_ACCEPTED;
    err_free(e);
    return is_taken ? backfill_keep(compat) : NULL;
}

/* A start has filled something, and its record waits for the first batch. */
static bool has_filled(const pipeline *p) {
    return p->trial ? p->trial->refilled != NULL : p->refilled != NULL;
}

/* Begin. False: it is the swap's to say what is wrong, or nothing is. */
static bool begin_beside(pipeline *p, worker **workers, uint32_t count) {
    fill_list *fills = has_filled(p) ? NULL : find_fills(p, workers, count);
    backfill *b = NULL;
    if (!fills) return false;
    err *e = backfill_new(p, script_plan(workers[0]->script), workers[0], fills, NULL, &b);
    if (!e) b->is_beside = b->view.on_trial = true;
    if (e || b->is_empty || (e = go_on_beside(b))) {
        err_free(e);
        backfill_free(b);
        backfill_forget(fills);
        return false;
    }
    b->own_fills = fills;
    b->base = base_shape(p);
    p->refill = b;
    log_info(p->system.log, "what is new is being filled", log_number("records", 0),
             log_number("since", b->since_ms));
    return true;
}

static err *hung(const backfill *b) {
    return err_new(ERR_SCRIPT,
                   "a call into the script does not return, script_timeout is %" PRId64 " ms; it "
                   "was over records that are read again for `backfill`",
                   b->plan->script_timeout_ms);
}

/* A round is done. */
static bool is_caught_up(backfill *b) {
    backfill_aim(b);
    if (backfill_left(b) <= SMALL_GAP || b->rounds >= MOST_ROUNDS) return true;
    err *e = go_on_beside(b);
    err_free(e);
    return e != NULL;
}

bool backfill_is_ready(pipeline *p, worker **workers, uint32_t count, err **why) {
    backfill *b = p->refill;
    *why = NULL;
    if (p->fills) return true;
    if (!b) return !begin_beside(p, workers, count);
    if (!is_for(b, p, workers)) b->stop = 1;
    if (!jobs_wait_some(b->thread, b->ticket, 0)) {
        *why = b->has_hung ? hung(b) : NULL;
        return false;
    }
    if (b->stop) {
        backfill_drop(p);
        return !begin_beside(p, workers, count);
    }
    if (!b->error) return is_caught_up(b);
    *why = b->error;
    b->error = NULL;
    return false;
}

/* -- the exchange */

/* What was read beside for this script, or nothing yet. */
static err *take_beside(pipeline *p, worker **workers, const fill_list *fills,
                        backfill **out) {
    backfill *b = p->refill;
    err *e = NULL;
    if (b && !is_for(b, p, workers)) backfill_drop(p);
    b = p->refill;
    p->refill = NULL;
    if (!b) e = backfill_new(p, script_plan(workers[0]->script), workers[0], fills, NULL, &b);
    *out = b;
    if (e) return e;
    if (b->thread) jobs_wait(b->thread, b->ticket, NULL);
    e = b->error;
    b->error = NULL;
    b->view.on_trial = true;
    b->deadline_ms = clock_steady_ms(&(clock_source){ 0 }) + PAUSE_MS;
    backfill_aim(b);
    return e;
}

err *backfill_swap(pipeline *p, worker **workers, const sl_compat *compat, char **record) {
    *record = !compat && p->refilled ? mem_copy_text(p->refilled, strlen(p->refilled)) : NULL;
    if (!compat) return NULL;
    if (p->refilled)
        return err_new(ERR_REFUSED, "what is new in the script that runs is filled by its first "
                                    "batch: wait for that");
    fill_list *fills = backfill_keep(compat);
    backfill *b = NULL;
    if (!fills) return NULL;
    err *e = take_beside(p, workers, fills, &b);
    if (!e) e = backfill_read_here(p, b);
    if (!e) *record = backfill_put(p, b, workers);
    backfill_free(b);
    backfill_forget(fills);
    return e;
}

backfill *backfill_give_up(pipeline *p) {
    backfill *b = p->refill;
    p->refill = NULL;
    if (b) b->stop = 1;
    return b;
}

void backfill_drop(pipeline *p) { backfill_free(backfill_give_up(p)); }

bool backfill_progress(const pipeline *p, uint64_t *done, uint64_t *left) {
    if (!p->refill) return false;
    *done = p->refill->done;
    *left = p->refill->left;
    return true;
}
