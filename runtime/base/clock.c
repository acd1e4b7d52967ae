#include "runtime/base/clock.h"

#include <assert.h>
#include <time.h>

static int64_t read_ms(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clock_now_ms(const clock_source *clock) {
    return clock->manual ? clock->manual_ms : read_ms(CLOCK_REALTIME);
}

int64_t clock_steady_ms(const clock_source *clock) {
    return clock->manual ? clock->manual_ms : read_ms(CLOCK_MONOTONIC);
}

int64_t clock_thread_ms(void) { return read_ms(CLOCK_THREAD_CPUTIME_ID); }

int64_t clock_steady_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void clock_doze(int64_t ms) {
    int64_t until_ms = read_ms(CLOCK_MONOTONIC) + ms;
    struct timespec until = { .tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000 };
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

void clock_advance(clock_source *clock, int64_t ms) {
    assert(clock->manual && ms >= 0);
    clock->manual_ms += ms;
}
