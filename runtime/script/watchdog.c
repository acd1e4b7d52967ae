#include "runtime/script/watchdog.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "runtime/base/clock.h"
#include "runtime/base/mem.h"
#include "runtime/script/traces.h"

/* DESIGN. The watching thread sleeps until the deadline of the call it saw last, or for IDLE_MS
 * when there is none; a call is never told about it, so that enter and leave cost one
 * uncontended lock per vector. A call that begins while it sleeps is seen when it wakes: a
 * report is late by at most IDLE_MS.
 *
 * A process that was stopped, or hardly gets a processor, is no call's fault: what the thread
 * sleeps too long is not counted. */
enum {
    IDLE_MS = 50,
    STRIKE_MS = 2,   /* between two tries to break a call: some find it in C */
    HELD_UP_MS = 50, /* it slept so much longer than asked to: all of the process was held up */
    MOST_BROKEN = 3, /* calls in a row; the next one is not tried */
};

typedef enum stage { STAGE_CALM,
                     STAGE_TOLD,
                     STAGE_OVER } stage;

struct watchdog {
    watchdog_options options;
    pthread_t thread;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t wake;
    bool closing;
    bool running;       /* a call is on */
    atomic_int hooked;  /* the hook is set; read by the caller, in handlers of signals, too */
    traces *traces;     /* borrowed; NULL: none */
    pthread_t caller;   /* whose call is on */
    uint32_t broken;    /* calls that were, within `since_ms` */
    int64_t since_ms;   /* the first of them began */
    stage stage;        /* what was reported about the call */
    int64_t started_ms; /* steady clock */
    int64_t timeout_ms;
};

static int64_t steady_ms(void) {
    return clock_steady_ms(&(clock_source){ 0 });
}

/* Wait for at most `ms`. The lock is held. */
static void doze(watchdog *w, int64_t ms) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&w->wake, &w->lock, &until);
}

/* Tell about the call that is on. The lock is held. */
static void report(watchdog *w, int64_t ran_ms, bool last) {
    buf text;
    buf_init(&text);
    w->options.describe(w->options.describe_arg, &text);
    buf_printf(&text, " has not returned for %lld ms", (long long)ran_ms);
    w->options.locate(w->options.describe_arg, &text);
    buf_printf(&text, "; %lld ms are allowed%s", (long long)w->timeout_ms,
               w->broken >= MOST_BROKEN ? "; so did those before it"
               : last                   ? "; it cannot be interrupted"
                                        : "");
    w->options.report(w->options.report_arg, buf_text(&text), last);
    buf_done(&text);
}

/* Whether most of the time since the first one was spent in calls that had to be broken. */
static bool is_hopeless(watchdog *w) {
    if (w->broken && steady_ms() - w->since_ms > 2 * (w->broken + 1) * w->timeout_ms) w->broken = 0;
    if (!w->broken) w->since_ms = w->started_ms;
    return w->broken >= MOST_BROKEN;
}

/* The call is over its time. */
static void strike(watchdog *w, int64_t ran_ms) {
    bool is_last = is_hopeless(w);
    w->stage = is_last ? STAGE_OVER : STAGE_TOLD;
    report(w, ran_ms, is_last);
    w->broken++;
    lua_sethook(w->options.L, w->options.hook, LUA_MASKCOUNT | LUA_MASKCALL | LUA_MASKRET, 1);
    w->hooked = 1;
}

static void look(watchdog *w) {
    if (!w->running) return;
    int64_t ran_ms = steady_ms() - w->started_ms;
    if (w->stage == STAGE_CALM && ran_ms > w->timeout_ms) strike(w, ran_ms);
    if (w->stage == STAGE_TOLD && w->traces) traces_interrupt(w->traces, w->caller);
    if (w->stage == STAGE_TOLD && ran_ms > w->timeout_ms + w->options.grace_ms) {
        w->stage = STAGE_OVER;
        report(w, ran_ms, true);
    }
}

/* The process was held up for `ms`: as if it had not been. The lock is held. */
static void forgive(watchdog *w, int64_t ms) {
    if (ms < HELD_UP_MS) return;
    int64_t now_ms = steady_ms();
    w->since_ms += ms;
    w->started_ms += ms;
    if (w->started_ms > now_ms) w->started_ms = now_ms; /* it began meanwhile */
}

static void *watch(void *arg) {
    watchdog *w = arg;
    pthread_mutex_lock(&w->lock);
    while (!w->closing) {
        look(w);
        int64_t ms = w->running && w->stage == STAGE_TOLD ? STRIKE_MS : IDLE_MS;
        int64_t began_ms = steady_ms();
        doze(w, ms);
        forgive(w, steady_ms() - began_ms - ms);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

watchdog *watchdog_new(const watchdog_options *options) {
    watchdog *w = mem_zalloc(1, sizeof *w);
    w->options = *options;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&w->lock, NULL);
    if (pthread_create(&w->thread, NULL, watch, w) == 0) return w;
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->wake);
    mem_free(w);
    return NULL; /* no thread to be had: go on unwatched */
}

void watchdog_free(watchdog *w) {
    if (!w) return;
    pthread_mutex_lock(&w->lock);
    w->closing = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->wake);
    mem_free(w);
}

const atomic_int *watchdog_strikes(const watchdog *w) { return &w->hooked; }

void watchdog_watch_traces(watchdog *w, traces *t) { w->traces = t; }

void watchdog_enter(watchdog *w, int64_t timeout_ms) {
    if (!w) return;
    pthread_mutex_lock(&w->lock);
    w->running = true;
    w->caller = pthread_self();
    w->stage = STAGE_CALM;
    w->started_ms = steady_ms();
    w->timeout_ms = timeout_ms;
    pthread_mutex_unlock(&w->lock);
}

void watchdog_leave(watchdog *w) {
    if (!w) return;
    pthread_mutex_lock(&w->lock);
    w->running = false;
    if (w->hooked) lua_sethook(w->options.L, NULL, 0, 0);
    w->hooked = 0;
    pthread_mutex_unlock(&w->lock);
}
