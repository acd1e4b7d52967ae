#include "state/jobs.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "runtime/base/mem.h"

/* How often a waiting owner looks at `stop`, which is set by a signal and wakes nobody. */
enum { LOOK_MS = 20 };

typedef struct job {
    job_run *run;
    void *arg;
    struct job *next;
} job;

struct jobs {
    bool in_line; /* there is no thread, and nothing below is used but `added` and `done` */
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t more, less;
    job *first, *last;
    uint64_t added, done; /* tickets: numbers of jobs, from 1 */
    bool quit;
};

static void *jobs_main(void *arg) {
    jobs *j = arg;
    pthread_mutex_lock(&j->lock);
    for (;;) {
        while (!j->first && !j->quit) pthread_cond_wait(&j->more, &j->lock);
        job *next = j->first;
        if (!next) break;
        j->first = next->next;
        pthread_mutex_unlock(&j->lock);
        next->run(next->arg);
        mem_free(next);
        pthread_mutex_lock(&j->lock);
        j->done++;
        pthread_cond_broadcast(&j->less);
    }
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

/* Signals are for main, whose waits they end. */
static int start(jobs *j) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int number = pthread_create(&j->thread, NULL, jobs_main, j);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return number;
}

err *jobs_new(bool in_line, jobs **out) {
    jobs *j = mem_zalloc(1, sizeof *j);
    j->in_line = in_line;
    pthread_mutex_init(&j->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&j->more, &attr);
    pthread_cond_init(&j->less, &attr);
    pthread_condattr_destroy(&attr);
    int number = in_line ? 0 : start(j);
    if (number) {
        j->in_line = true;
        jobs_free(j);
        return err_new(ERR_IO, "starting a thread beside the batches: %s", strerror(number));
    }
    *out = j;
    return NULL;
}

void jobs_free(jobs *j) {
    if (!j) return;
    if (!j->in_line) {
        pthread_mutex_lock(&j->lock);
        j->quit = true;
        pthread_cond_signal(&j->more);
        pthread_mutex_unlock(&j->lock);
        pthread_join(j->thread, NULL);
    }
    pthread_cond_destroy(&j->more);
    pthread_cond_destroy(&j->less);
    pthread_mutex_destroy(&j->lock);
    mem_free(j);
}

uint64_t jobs_add(jobs *j, job_run *run, void *arg) {
    if (j->in_line) {
        run(arg);
        j->done++;
        return ++j->added;
    }
    job *next = mem_alloc(sizeof *next);
    *next = (job){ .run = run, .arg = arg };
    pthread_mutex_lock(&j->lock);
    if (j->first)
        j->last->next = next;
    else
        j->first = next;
    j->last = next;
    uint64_t ticket = ++j->added;
    pthread_cond_signal(&j->more);
    pthread_mutex_unlock(&j->lock);
    return ticket;
}

static struct timespec in_ms(int64_t ms) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += ms % 1000 * 1000000L;
    if (t.tv_nsec >= 1000000000L) {
        t.tv_nsec -= 1000000000L;
        t.tv_sec++;
    }
    return t;
}

bool jobs_wait(jobs *j, uint64_t ticket, const volatile int *stop) {
    if (j->in_line) return true;
    pthread_mutex_lock(&j->lock);
    while (j->done < ticket && !(stop && *stop)) {
        struct timespec until = in_ms(LOOK_MS);
        pthread_cond_timedwait(&j->less, &j->lock, &until);
    }
    bool done = j->done >= ticket;
    pthread_mutex_unlock(&j->lock);
    return done;
}

bool jobs_wait_some(jobs *j, uint64_t ticket, int64_t most_ms) {
    if (j->in_line) return true;
    struct timespec until = in_ms(most_ms);
    pthread_mutex_lock(&j->lock);
    while (j->done < ticket && most_ms > 0)
        if (pthread_cond_timedwait(&j->less, &j->lock, &until)) break;
    bool done = j->done >= ticket;
    pthread_mutex_unlock(&j->lock);
    return done;
}

size_t jobs_left(jobs *j) {
    if (j->in_line) return 0;
    pthread_mutex_lock(&j->lock);
    size_t left = (size_t)(j->added - j->done);
    pthread_mutex_unlock(&j->lock);
    return left;
}
