/* DESIGN. Debian's librdkafka waits by C11: until a moment of the time of day. When the system's
 * clock is set back by an hour, such a wait lasts an hour longer (seen: a transaction that stood
 * still until it timed out). The program's own definitions of both calls come before the C
 * library's for every library in the process, and nobody but librdkafka calls them: so moments are
 * those of the steady clock, which nobody sets. One built without C11's threads is as it is. */
#include <errno.h>
#include <pthread.h>
#include <threads.h>
#include <time.h>

#include "runtime/base/clock.h"
#include "runtime/connect/kafka_client.h"

int64_t kafka_now_ms(void) {
    static const clock_source real = { .manual = false };
    return clock_steady_ms(&real);
}

int timespec_get(struct timespec *moment, int base) {
    return base == TIME_UTC && !clock_gettime(CLOCK_MONOTONIC, moment) ? base : 0;
}

/* glibc's cnd_t and mtx_t are its pthread_cond_t and pthread_mutex_t (nptl/cnd_timedwait.c). */
int cnd_timedwait(cnd_t *restrict cond, mtx_t *restrict mutex,
                  const struct timespec *restrict moment) {
    int result = pthread_cond_clockwait((pthread_cond_t *)cond, (pthread_mutex_t *)mutex,
                                        CLOCK_MONOTONIC, moment);
    return result == ETIMEDOUT ? thrd_timedout : result ? thrd_error
                                                        : thrd_success;
}
