/* A clock that jumps: loaded before libc (LD_PRELOAD), it adds to what the clocks say two numbers
 * of the file SLUICE_CLOCK, which a test changes while the process runs: ms for the time of day, ms
 * for the steady clock. What the kernel keeps to by itself (poll, nanosleep: spans) needs nothing;
 * a wait until a moment is, as in the kernel, over when the clock says so, which may be never.
 *
 * What a jump does to a wait: pthread_cond_timedwait(3), "Timed Wait Semantics" (POSIX 2008). */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

enum { SLICE_MS = 10,
       STEADY_MOST_S = 1000000000 }; /* a moment beyond that is one of the time of day */

static const int64_t *offsets;

__attribute__((constructor)) static void map_offsets(void) {
    const char *path = getenv("SLUICE_CLOCK");
    int fd = path ? open(path, O_RDONLY) : -1;
    void *map = fd < 0 ? MAP_FAILED : mmap(NULL, 16, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) _exit(99);
    close(fd);
    offsets = map;
}

static int64_t offset_ms(clockid_t id) {
    if (!offsets) return 0;
    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) return offsets[0];
    return id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE ? offsets[1] : 0;
}

static void add_ms(struct timespec *t, int64_t ms) {
    int64_t ns = t->tv_nsec + ms % 1000 * 1000000;
    t->tv_sec += ms / 1000 + ns / 1000000000;
    t->tv_nsec = ns % 1000000000;
    if (t->tv_nsec < 0) t->tv_sec--, t->tv_nsec += 1000000000;
}

static struct timespec real_clock(clockid_t id) {
    struct timespec t;
    syscall(SYS_clock_gettime, id, &t);
    return t;
}

int clock_gettime(clockid_t id, struct timespec *t) {
    if (syscall(SYS_clock_gettime, id, t)) return -1;
    add_ms(t, offset_ms(id));
    return 0;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    *t = (struct timeval){ .tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000 };
    return 0;
}

time_t time(time_t *t) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (t) *t = now.tv_sec;
    return now.tv_sec;
}

int timespec_get(struct timespec *t, int base) {
    return base == TIME_UTC && !clock_gettime(CLOCK_REALTIME, t) ? base : 0;
}

/* One slice of a wait; 0 before the moment: a wakeup without a cause, as every caller must take. */
static int wait_slice(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t id,
                      const struct timespec *until) {
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "pthread_cond_clockwait");
    struct timespec now, end = real_clock(CLOCK_MONOTONIC);
    clock_gettime(id, &now);
    int64_t left_ms = (until->tv_sec - now.tv_sec) * 1000;
    left_ms += (until->tv_nsec - now.tv_nsec) / 1000000;
    add_ms(&end, left_ms > SLICE_MS ? SLICE_MS : left_ms < 0 ? 0
                                                             : left_ms);
    int result = real(cond, mutex, CLOCK_MONOTONIC, &end);
    return result == ETIMEDOUT && left_ms > SLICE_MS ? 0 : result;
}

static clockid_t clock_of(const struct timespec *until) {
    return until->tv_sec > STEADY_MOST_S ? CLOCK_REALTIME : CLOCK_MONOTONIC;
}

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until) {
    return wait_slice(cond, mutex, clock_of(until), until);
}

int pthread_cond_clockwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                           clockid_t id, const struct timespec *restrict until) {
    return wait_slice(cond, mutex, id, until);
}

int cnd_timedwait(cnd_t *restrict cond, mtx_t *restrict mutex,
                  const struct timespec *restrict until) {
    pthread_mutex_t *lock = (pthread_mutex_t *)mutex;
    int result = wait_slice((pthread_cond_t *)cond, lock, clock_of(until), until);
    return result == ETIMEDOUT ? thrd_timedout : result ? thrd_error
                                                        : thrd_success;
}
