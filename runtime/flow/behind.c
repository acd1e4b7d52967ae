#include "runtime/flow/behind.h"

#include <pthread.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/flow/commit_inside.h"

enum {
    FEW = 1,      /* objects that the store may have before it before batches are paced */
    PACE_MS = 8,  /* then */
    LEAST_MS = 5, /* from one to the next: more of them would only keep broker and store busy */
};

struct behind {
    jobs *deliveries;
    promise running;      /* the commits' thread's */
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t moved; /* one is done, or there will be none */
    promise ready;        /* of the newest batch whose rows are out; no marks: there is none */
    promise done;         /* the newest that is committed and not taken in; likewise */
    bool is_committing;
    uint64_t ticket;        /* of the job that does */
    pthread_cond_t pressed; /* monotonic: */
    bool is_pressed;        /* somebody waits for the pointer */
    int64_t rests_until_ms; /* steady time */
    int64_t awake_until_ms; /* likewise; before, it does not rest */
    bool has_failed;        /* nothing more is committed */
    err *error;             /* why; NULL: taken */
};

err *behind_new(behind **out) {
    behind *b = mem_zalloc(1, sizeof *b);
    err *e = jobs_new(false, &b->deliveries);
    if (e) {
        mem_free(b);
        return e;
    }
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->moved, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&b->pressed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *out = b;
    return NULL;
}

void behind_free(behind *b) {
    if (!b) return;
    jobs_free(b->deliveries);
    promise_forget(&b->running);
    promise_forget(&b->ready);
    promise_forget(&b->done);
    err_free(b->error);
    pthread_cond_destroy(&b->moved);
    pthread_cond_destroy(&b->pressed);
    pthread_mutex_destroy(&b->lock);
    mem_free(b);
}

/* -- the commits' thread */

static err *try_pointer(pipeline *p, const commit_work *work) {
    (void)work;
    keeper *k = p->keeper;
    promise *it = &p->beside->behind->running;
    err *e = k->ops->check ? k->ops->check(k->ledger) : NULL;
    if (!e) e = k->ops->begin(k->ledger);
    if (!e) e = checkpoint_wait(k->checkpoint, &it->p);
    if (!e) e = keeper_step(p, "written");
    return e ? e : commit_text(k, &it->p, it->marks, it->count);
}

/* Batches that come meanwhile are committed by the same pointer. The lock is held. */
static void rest(behind *b, const clock_source *clock) {
    struct timespec until;
    int64_t now_ms = clock_steady_ms(clock), left_ms = b->rests_until_ms - now_ms;
    if (left_ms <= 0 || now_ms < b->awake_until_ms) return;
    if (clock->manual) return; /* resting moves none */
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += left_ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (!b->is_pressed && !pthread_cond_timedwait(&b->pressed, &b->lock, &until)) continue;
}

/* Do not rest. The lock is held. */
static void press(behind *b, bool is_pressed) {
    b->is_pressed = is_pressed;
    pthread_cond_signal(&b->pressed);
}

static void run_pointers(void *arg) {
    pipeline *p = arg;
    behind *b = p->beside->behind;
    pthread_mutex_lock(&b->lock);
    while (b->ready.marks && !b->has_failed) {
        rest(b, p->system.clock);
        b->rests_until_ms = clock_steady_ms(p->system.clock) + COMMIT_REST_MS;
        promise_move(&b->running, &b->ready);
        pthread_mutex_unlock(&b->lock);
        commit_work work = { .batch = b->running.p.batch };
        err *e = commit_try(p, try_pointer, true, &work);
        pthread_mutex_lock(&b->lock);
        b->has_failed = e != NULL;
        b->error = e;
        if (!e) promise_move(&b->done, &b->running);
        pthread_cond_signal(&b->moved);
    }
    b->is_committing = false;
    pthread_cond_signal(&b->moved);
    pthread_mutex_unlock(&b->lock);
}

/* -- the deliveries' thread */

static err *try_rows(pipeline *p, const commit_work *work) {
    err *e = keeper_step(p, "begun");
    if (!e) e = delivery_run(&p->out, work->batch - 1, work->now_ms);
    return e ? e : keeper_step(p, "produced");
}

/* The rows are out: their batch can be committed, and with it those before. */
static void make_ready(pipeline *p) {
    behind *b = p->beside->behind;
    promise it = { 0 };
    commit_promise(p->keeper, &it);
    pthread_mutex_lock(&b->lock);
    promise_move(&b->ready, &it);
    if (!b->is_committing) {
        b->is_committing = true;
        b->ticket = jobs_add(p->beside->thread, run_pointers, p);
    }
    pthread_mutex_unlock(&b->lock);
}

static void run_delivery(void *arg) {
    pipeline *p = arg;
    beside *b = p->beside;
    b->outcome = commit_try(p, try_rows, false, &b->work);
    b->ended_ms = clock_steady_ms(p->system.clock);
    if (!b->outcome) make_ready(p);
}

/* -- main */

void behind_begin(pipeline *p) {
    p->beside->ticket = jobs_add(p->beside->behind->deliveries, run_delivery, p);
}

int64_t behind_next_ms(const pipeline *p) {
    bool is_slow = checkpoint_unwritten(p->keeper->checkpoint) > FEW;
    return p->beside->began_ms + (is_slow ? PACE_MS : LEAST_MS);
}

int64_t behind_pace_ms(void) { return LEAST_MS; }

bool behind_wait(const beside *b, int64_t most_ms) {
    return jobs_wait_some(b->behind->deliveries, b->ticket, most_ms);
}

/* Take in the commits that are over. An error is told once. */
static err *take(pipeline *p) {
    keeper *k = p->keeper;
    behind *b = p->beside->behind;
    promise done = { 0 };
    pthread_mutex_lock(&b->lock);
    promise_move(&done, &b->done);
    err *e = b->error;
    b->error = NULL;
    pthread_mutex_unlock(&b->lock);
    if (done.marks) {
        k->current = done.p;
        k->committed_ms = clock_steady_ms(p->system.clock);
        k->has_other_shape = false;
        checkpoint_committed(k->checkpoint, &k->current, done.marks, done.count);
        promise_forget(&done);
    }
    return e;
}

/* The rows that are under way are out, or cannot be. */
static err *settle_rows(pipeline *p) {
    keeper *k = p->keeper;
    beside *b = p->beside;
    if (!b->is_on) return NULL;
    jobs_wait(b->behind->deliveries, b->ticket, NULL);
    b->is_on = false;
    err *e = b->outcome;
    b->outcome = NULL;
    p->counters.redelivered += atomic_exchange(&k->redelivered, 0);
    k->commit_ms = b->took_ms = b->ended_ms - b->began_ms;
    if (!e) commit_add(p, &b->work);
    for (uint32_t i = 0; i < p->input_count; i++) input_release_parked(&p->inputs[i], !e);
    return e;
}

static err *settle_pointers(pipeline *p) {
    behind *b = p->beside->behind;
    pthread_mutex_lock(&b->lock);
    uint64_t ticket = b->ticket;
    press(b, true);
    pthread_mutex_unlock(&b->lock);
    jobs_wait(p->beside->thread, ticket, NULL);
    pthread_mutex_lock(&b->lock);
    press(b, false);
    pthread_mutex_unlock(&b->lock);
    return take(p);
}

/* Some of what waits is committed. */
static err *settle_some(pipeline *p) {
    behind *b = p->beside->behind;
    pthread_mutex_lock(&b->lock);
    b->awake_until_ms = clock_steady_ms(p->system.clock) + COMMIT_AWAKE_MS;
    press(b, true);
    while (b->is_committing && !b->done.marks) pthread_cond_wait(&b->moved, &b->lock);
    press(b, false);
    pthread_mutex_unlock(&b->lock);
    return take(p);
}

/* It ends here. Takes `e`; NULL: nothing does. */
static err *end(pipeline *p, err *e) {
    keeper *k = p->keeper;
    if (!e) return NULL;
    e = err_join(e, settle_rows(p));
    e = err_join(e, settle_pointers(p));
    p->batch = k->current.batch;
    commit_given_up(p);
    return e;
}

err *behind_look(pipeline *p) { return end(p, take(p)); }

err *behind_make_way(pipeline *p) {
    err *e = settle_rows(p);
    if (!e) e = take(p);
    while (!e && checkpoint_is_behind(p->keeper->checkpoint)) e = settle_some(p);
    return end(p, e);
}

err *behind_settle(pipeline *p) {
    err *e = settle_rows(p);
    if (!e) e = settle_pointers(p);
    e = end(p, e);
    return e ? e : keeper_step(p, "applied");
}
