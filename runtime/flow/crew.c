#include "runtime/flow/crew.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "runtime/base/mem.h"

typedef struct member {
    crew *crew;
    worker *worker;
    laps laps;
    pthread_t thread; /* not for worker 0 */
    err *error;       /* of the last phase */
} member;

struct crew {
    member *members; /* owned */
    uint32_t count;
    uint32_t thread_count; /* members [1, thread_count) have one */
    bool is_alone;         /* in a copy of the process: they are not there */
    worker *failed;        /* of the last error; borrowed */
    pthread_mutex_t lock;  /* guards what follows */
    pthread_cond_t begin, done;
    uint64_t round;   /* number of the phase that runs */
    uint32_t running; /* threads still in it */
    bool quit;
    crew_phase phase;
    void *arg;
};

static void run_phase(crew *c, member *m) {
    m->worker->laps = &m->laps;
    laps_mark(&m->laps);
    m->error = c->phase(m->worker, c->arg);
}

static void *member_main(void *arg) {
    member *m = arg;
    crew *c = m->crew;
    uint64_t seen = 0;
    pthread_mutex_lock(&c->lock);
    for (;;) {
        while (c->round == seen && !c->quit) pthread_cond_wait(&c->begin, &c->lock);
        if (c->quit) break;
        seen = c->round;
        pthread_mutex_unlock(&c->lock);
        run_phase(c, m);
        pthread_mutex_lock(&c->lock);
        if (--c->running == 0) pthread_cond_signal(&c->done);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

static err *start_threads(crew *c) {
    for (c->thread_count = 1; c->thread_count < c->count; c->thread_count++) {
        member *m = &c->members[c->thread_count];
        int number = pthread_create(&m->thread, NULL, member_main, m);
        if (number)
            return err_new(ERR_IO, "starting worker %u of %u: %s", c->thread_count, c->count,
                           strerror(number));
    }
    return NULL;
}

err *crew_new(worker **workers, uint32_t count, crew **out) {
    crew *c = *out = mem_zalloc(1, sizeof *c);
    c->members = mem_zalloc(count, sizeof *c->members);
    c->count = count;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->begin, NULL);
    pthread_cond_init(&c->done, NULL);
    for (uint32_t i = 0; i < count; i++)
        c->members[i] = (member){ .crew = c, .worker = workers[i] };
    return start_threads(c);
}

static void run_threads(crew *c) {
    pthread_mutex_lock(&c->lock);
    c->running = c->count - 1;
    c->round++;
    pthread_cond_broadcast(&c->begin);
    pthread_mutex_unlock(&c->lock);
    run_phase(c, &c->members[0]);
    pthread_mutex_lock(&c->lock);
    while (c->running) pthread_cond_wait(&c->done, &c->lock);
    pthread_mutex_unlock(&c->lock);
}

/* Whether what made worker `a` fail comes before what made `b` fail: with one worker it would have
 * been met first. */
static bool failed_before(const worker *a, const worker *b) {
    if (a->failed_at[0] != b->failed_at[0]) return a->failed_at[0] < b->failed_at[0];
    return a->failed_at[1] < b->failed_at[1];
}

/* The error that comes first in the batch; the others are freed. */
static err *first_error(crew *c) {
    member *first = NULL;
    for (uint32_t i = 0; i < c->count; i++) {
        member *m = &c->members[i];
        if (m->error && (!first || failed_before(m->worker, first->worker))) first = m;
    }
    err *e = first ? first->error : NULL;
    if (first) c->failed = first->worker;
    for (uint32_t i = 0; i < c->count; i++) {
        if (&c->members[i] != first) err_free(c->members[i].error);
        c->members[i].error = NULL;
    }
    return e;
}

err *crew_run(crew *c, crew_phase phase, void *arg, bool threaded) {
    c->phase = phase; /* between phases nobody but this thread looks */
    c->arg = arg;
    if (threaded && c->count > 1 && !c->is_alone)
        run_threads(c);
    else
        for (uint32_t i = 0; i < c->count; i++) run_phase(c, &c->members[i]);
    laps_mark(&c->members[0].laps); /* waits for others are nobody's */
    return first_error(c);
}

void crew_be_alone(crew *c) { c->is_alone = true; }

worker *crew_failed(const crew *c) { return c->failed; }

uint32_t crew_count(const crew *c) { return c->count; }

worker *crew_worker(const crew *c, uint32_t number) { return c->members[number].worker; }

laps *crew_laps(const crew *c, uint32_t number) { return &c->members[number].laps; }

static int64_t cpu_ns(clockid_t clock) {
    struct timespec t = { 0 };
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t crew_cpu_ns(const crew *c) {
    int64_t sum = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
    for (uint32_t i = 1; i < c->thread_count; i++) {
        clockid_t clock;
        if (!pthread_getcpuclockid(c->members[i].thread, &clock)) sum += cpu_ns(clock);
    }
    return sum;
}

void crew_exchange(crew *c, worker **workers) {
    pthread_mutex_lock(&c->lock); /* what they are must be seen by the threads */
    for (uint32_t i = 0; i < c->count; i++) {
        worker *old = c->members[i].worker;
        c->members[i].worker = workers[i];
        workers[i]->laps = &c->members[i].laps;
        workers[i] = old;
    }
    c->failed = NULL;
    pthread_mutex_unlock(&c->lock);
}

void crew_free(crew *c, const sl_plan *plan) {
    if (!c) return;
    pthread_mutex_lock(&c->lock);
    c->quit = true;
    pthread_cond_broadcast(&c->begin);
    pthread_mutex_unlock(&c->lock);
    for (uint32_t i = 1; i < c->thread_count; i++) pthread_join(c->members[i].thread, NULL);
    /* The plan belongs to worker 0's script: it goes last. */
    for (uint32_t i = c->count; i > 0; i--) worker_free(c->members[i - 1].worker, plan);
    pthread_cond_destroy(&c->begin);
    pthread_cond_destroy(&c->done);
    pthread_mutex_destroy(&c->lock);
    mem_free(c->members);
    mem_free(c);
}
