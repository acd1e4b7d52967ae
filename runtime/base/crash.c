#include "runtime/base/crash.h"

#ifdef SLUICE_CRASH_POINTS
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { NAME_BYTES = 64,
       CODE_EXIT = 99 };

typedef enum crash_mode { CRASH_KILL,
                          CRASH_STOP,
                          CRASH_EXIT,
                          CRASH_DELAY } crash_mode;

typedef struct crash_order {
    char name[NAME_BYTES]; /* "": none */
    long nth;              /* from 1 */
    crash_mode mode;
    long delay_ms; /* of CRASH_DELAY */
} crash_order;

/* What the environment asked for. State of the process, as the environment is; test builds only. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static crash_order order;
static atomic_long reached;

/* A typo in a test's order must not look like a run without a crash. */
static void refuse(const char *text) {
    fprintf(stderr, "SLUICE_CRASH=%s: wanted NAME[:NTH[:kill|stop|exit|delay=MS]]\n", text);
    _exit(CODE_EXIT);
}

static bool read_mode(const char *text, crash_order *o) {
    static const char *const MODES[] = { "kill", "stop", "exit" };
    for (int i = 0; i < 3; i++)
        if (strcmp(text, MODES[i]) == 0) {
            o->mode = (crash_mode)i;
            return true;
        }
    char *end = NULL;
    if (strncmp(text, "delay=", 6) != 0) return false;
    o->mode = CRASH_DELAY;
    o->delay_ms = strtol(text + 6, &end, 10);
    return end != text + 6 && !*end && o->delay_ms >= 0;
}

static void read_order(void) {
    const char *text = getenv("SLUICE_CRASH");
    if (!text || !*text) return;
    size_t len = strcspn(text, ":");
    if (!len || len >= NAME_BYTES) refuse(text);
    memcpy(order.name, text, len);
    order.nth = 1;
    if (!text[len]) return;
    char *end = NULL;
    order.nth = strtol(text + len + 1, &end, 10);
    if (order.nth < 1 || (*end && *end != ':')) refuse(text);
    if (*end && !read_mode(end + 1, &order)) refuse(text);
}

/* Told before it happens, so that the test knows that it did. */
static void tell(const char *name) {
    char line[NAME_BYTES + 32];
    int len = snprintf(line, sizeof line, "crash point %s\n", name);
    ssize_t written = write(STDERR_FILENO, line, (size_t)len);
    (void)written;
}

static void wait_ms(long ms) {
    struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
    while (nanosleep(&left, &left) && errno == EINTR)
        ;
}

void crash_point(const char *name) {
    pthread_once(&once, read_order);
    if (strcmp(name, order.name) != 0) return;
    if (atomic_fetch_add(&reached, 1) + 1 != order.nth) return;
    tell(name);
    switch (order.mode) {
    case CRASH_KILL: kill(getpid(), SIGKILL); break;
    case CRASH_STOP: kill(getpid(), SIGSTOP); break;
    case CRASH_EXIT: _exit(CODE_EXIT);
    case CRASH_DELAY: wait_ms(order.delay_ms); break;
    }
}

bool fault_is(const char *name) {
    const char *at = getenv("SLUICE_FAULT");
    size_t wanted = strlen(name);
    while (at && *at) {
        size_t len = strcspn(at, ",");
        if (len == wanted && memcmp(at, name, len) == 0) return true;
        at += len + (at[len] == ',');
    }
    return false;
}
#endif
