/* Threads of a crew that the system does not give. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/flow/crew.h"

static int threads_left; /* that the system gives */

typedef int (*create_thread)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

/* Stands in front of libc's. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *arg) {
    create_thread real = (create_thread)(uintptr_t)dlsym(RTLD_NEXT, "pthread_create");
    return threads_left-- > 0 ? real(thread, attributes, run, arg) : EAGAIN;
}

static void a_thread_that_cannot_be_had_is_an_error(void **state) {
    (void)state;
    worker *workers[4] = { NULL };
    for (int given = 0; given < 4; given++) {
        crew *c;
        threads_left = given;
        err *e = crew_new(workers, 4, &c);
        assert_int_equal(e != NULL, given < 3);
        if (e) assert_int_equal(e->code, ERR_IO);
        err_free(e);
        crew_free(c, NULL);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_that_cannot_be_had_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
