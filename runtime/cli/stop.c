#include "runtime/cli/stop.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/mem.h"
#include "runtime/cli/thread.h"

enum { TICK_MS = 20,
       SAME_MS = 10 /* so close, two signals are one: timeout(1) sends it to the group as well */ };

/* The only mutable state of the process outside structs: signal handlers have no argument. */
static volatile sig_atomic_t asked, first_ms;
static volatile sig_atomic_t overdue, at_once;
static volatile sig_atomic_t hung_up, had_terminal;
static void (*volatile end_process)(int code);
static const char *volatile last_words;
static volatile size_t last_words_len;

struct stop_watch {
    int64_t timeout_ms, grace_ms;
    void (*on_hung)(void *);
    void *arg;
    atomic_bool has_begun, is_ending;
    pthread_t thread;
    bool has_thread;
};

/* Of the steady clock, as far as it fits. */
static sig_atomic_t low_ms(void) {
    return (sig_atomic_t)(clock_steady_ms(&(clock_source){ 0 }) & 0x3fffffff);
}

static void on_signal(int number) {
    sig_atomic_t now_ms = low_ms();
    if (asked && now_ms - first_ms >= 0 && now_ms - first_ms < SAME_MS) return;
    if (asked || at_once) {
        ssize_t wrote = write(STDERR_FILENO, last_words, last_words_len);
        (void)wrote;
        end_process(128 + number);
    }
    first_ms = now_ms;
    asked = 1;
}

static void on_hangup(int number) {
    (void)number;
    hung_up = 1;
}

static bool has_terminal(void) { return isatty(0) || isatty(2); }

void stop_install(void (*end)(int code), const char *words) {
    struct sigaction action;
    end_process = end;
    last_words = words;
    last_words_len = strlen(words);
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    action.sa_handler = on_hangup;
    sigaction(SIGHUP, &action, NULL);
    had_terminal = has_terminal();
    signal(SIGPIPE, SIG_IGN);
}

void stop_at_once(void) { at_once = 1; }

void stop_ask(void) { asked = 1; }

bool stop_take_hangup(void) {
    if (!hung_up) return false;
    hung_up = 0;
    if (!had_terminal || has_terminal()) return true;
    asked = 1;
    return false;
}

const volatile int *stop_asked(void) { return &asked; }

const volatile int *stop_overdue(void) { return &overdue; }

static void *watch(void *arg) {
    stop_watch *w = arg;
    struct timespec tick = { .tv_nsec = TICK_MS * 1000 * 1000 };
    const clock_source real = { 0 };
    int64_t asked_ms = 0;
    while (!atomic_load(&w->is_ending)) {
        int64_t now_ms = clock_steady_ms(&real);
        if (asked && !asked_ms) asked_ms = now_ms;
        if (asked_ms && !atomic_load(&w->has_begun)) overdue = 1;
        if (asked_ms && now_ms - asked_ms >= w->timeout_ms) overdue = 1;
        if (asked_ms && now_ms - asked_ms >= w->timeout_ms + w->grace_ms) {
            w->on_hung(w->arg);
            return NULL;
        }
        nanosleep(&tick, NULL);
    }
    return NULL;
}

stop_watch *stop_watch_new(int64_t timeout_ms, int64_t grace_ms, void (*on_hung)(void *),
                           void *arg) {
    stop_watch *w = mem_zalloc(1, sizeof *w);
    w->timeout_ms = timeout_ms;
    w->grace_ms = grace_ms;
    w->on_hung = on_hung;
    w->arg = arg;
    w->has_thread = thread_start(&w->thread, watch, w);
    return w;
}

/* First the store, then the look: the watching thread does it the other way round. */
bool stop_watch_begin(stop_watch *w) {
    atomic_store(&w->has_begun, true);
    return !asked;
}

void stop_watch_free(stop_watch *w) {
    if (!w) return;
    atomic_store(&w->is_ending, true);
    if (w->has_thread) pthread_join(w->thread, NULL);
    mem_free(w);
}
