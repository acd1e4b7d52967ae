/* Crash points and faults. The file under test is taken in whole where the library was built
 * without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#ifndef SLUICE_CRASH_POINTS
#define SLUICE_CRASH_POINTS
#include "runtime/base/crash.c"
#else
#include "runtime/base/crash.h"

#include <signal.h>
#include <stdlib.h>
#endif

/* Reach "a", "b", "a", .. in a child under `order`; its wait status. */
static int child(const char *crash, int times) {
    pid_t pid = fork();
    if (!pid) {
        setenv("SLUICE_CRASH", crash, 1);
        close(STDERR_FILENO);
        for (int i = 0; i < times; i++) {
            crash_point("a");
            crash_point("b");
        }
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    if (WIFSTOPPED(status)) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    return status;
}

static void the_nth_time_it_is_reached(void **state) {
    (void)state;
    assert_int_equal(WTERMSIG(child("a", 1)), SIGKILL);
    assert_int_equal(child("c", 3), 0);
    assert_int_equal(child("b:4", 3), 0);
    assert_int_equal(WTERMSIG(child("b:3", 3)), SIGKILL);
    assert_int_equal(child("", 3), 0);
}

static void it_is_killed_stopped_ended_or_delayed(void **state) {
    (void)state;
    assert_int_equal(WTERMSIG(child("a:2:kill", 2)), SIGKILL);
    assert_true(WIFSTOPPED(child("a:2:stop", 2)));
    assert_int_equal(WEXITSTATUS(child("a:2:exit", 2)), 99);
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    assert_int_equal(child("a:1:delay=60", 2), 0);
    clock_gettime(CLOCK_MONOTONIC, &to);
    assert_true((to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000 >= 59);
}

static void an_order_that_cannot_be_read_ends_the_process(void **state) {
    (void)state;
    static const char *const WRONG[] = { "a:0", "a:x", "a:1:", "a:1:kil", "a:1:delay=",
                                         "a:1:delay=x" };
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++)
        assert_int_equal(WEXITSTATUS(child(WRONG[i], 1)), 99);
}

static void a_fault_is_one_of_the_list(void **state) {
    (void)state;
    unsetenv("SLUICE_FAULT");
    assert_false(fault_is("no_fsync"));
    setenv("SLUICE_FAULT", "no_fsync,missing_offset_is_start", 1);
    assert_true(fault_is("no_fsync"));
    assert_true(fault_is("missing_offset_is_start"));
    assert_false(fault_is("no_fsyn"));
    assert_false(fault_is("missing_offset"));
    unsetenv("SLUICE_FAULT");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nth_time_it_is_reached),
        cmocka_unit_test(it_is_killed_stopped_ended_or_delayed),
        cmocka_unit_test(an_order_that_cannot_be_read_ends_the_process),
        cmocka_unit_test(a_fault_is_one_of_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
