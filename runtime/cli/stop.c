#include "runtime/cli/stop.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The only mutable state of the process outside structs: signal handlers have no argument. */
static volatile sig_atomic_t asked;
static volatile sig_atomic_t overdue;

static void on_signal(int number) {
    if (asked) _exit(128 + number);
    asked = 1;
}

void stop_install(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

const volatile int *stop_asked(void) { return &asked; }

const volatile int *stop_overdue(void) { return &overdue; }

static void *watch(void *arg) {
    int64_t timeout_ms = (int64_t)(intptr_t)arg;
    struct timespec tick = { .tv_nsec = 50 * 1000 * 1000 };
    while (!asked) nanosleep(&tick, NULL);
    for (int64_t waited = 0; waited < timeout_ms; waited += 50) nanosleep(&tick, NULL);
    overdue = 1;
    return NULL;
}

void stop_watch(int64_t timeout_ms) {
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for main: they end its waits */
    if (!pthread_create(&thread, NULL, watch, (void *)(intptr_t)timeout_ms)) pthread_detach(thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}
