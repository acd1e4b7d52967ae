/* glibc's C11 threads, which librdkafka uses, by way of pthread's: the thread sanitizer sees only
 * those. Linked into the program where it is built with that. In glibc each of C11's types is
 * pthread's (nptl). cnd_timedwait is runtime/connect/kafka_clock.c's. */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

typedef struct begun {
    thrd_start_t run;
    void *arg;
} begun;

static int status_of(int number) {
    switch (number) {
    case 0: return thrd_success;
    case EBUSY: return thrd_busy;
    case ETIMEDOUT: return thrd_timedout;
    case ENOMEM: return thrd_nomem;
    default: return thrd_error;
    }
}

static void *run_begun(void *arg) {
    begun b = *(begun *)arg;
    free(arg);
    return (void *)(intptr_t)b.run(b.arg);
}

int thrd_create(thrd_t *thread, thrd_start_t run, void *arg) {
    begun *b = malloc(sizeof *b);
    if (!b) return thrd_nomem;
    *b = (begun){ run, arg };
    return status_of(pthread_create(thread, NULL, run_begun, b));
}

int thrd_join(thrd_t thread, int *result) {
    void *value = NULL;
    int status = status_of(pthread_join(thread, &value));
    if (result) *result = (int)(intptr_t)value;
    return status;
}

int thrd_detach(thrd_t thread) { return status_of(pthread_detach(thread)); }

static pthread_mutex_t *mutex_of(mtx_t *m) { return (pthread_mutex_t *)m; }
static pthread_cond_t *cond_of(cnd_t *c) { return (pthread_cond_t *)c; }

int mtx_init(mtx_t *m, int type) {
    pthread_mutexattr_t kind;
    pthread_mutexattr_init(&kind);
    if (type & mtx_recursive) pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_RECURSIVE);
    return status_of(pthread_mutex_init(mutex_of(m), &kind));
}

void mtx_destroy(mtx_t *m) { pthread_mutex_destroy(mutex_of(m)); }
int mtx_lock(mtx_t *m) { return status_of(pthread_mutex_lock(mutex_of(m))); }
int mtx_trylock(mtx_t *m) { return status_of(pthread_mutex_trylock(mutex_of(m))); }
int mtx_unlock(mtx_t *m) { return status_of(pthread_mutex_unlock(mutex_of(m))); }

int cnd_init(cnd_t *c) { return status_of(pthread_cond_init(cond_of(c), NULL)); }
void cnd_destroy(cnd_t *c) { pthread_cond_destroy(cond_of(c)); }
int cnd_signal(cnd_t *c) { return status_of(pthread_cond_signal(cond_of(c))); }
int cnd_broadcast(cnd_t *c) { return status_of(pthread_cond_broadcast(cond_of(c))); }

int cnd_wait(cnd_t *c, mtx_t *m) {
    return status_of(pthread_cond_wait(cond_of(c), mutex_of(m)));
}
