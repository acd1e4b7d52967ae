/* What a copy of the process that crashes, hangs or eats memory tells its parent. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/child.h"

static void tell(void *arg, char *text, size_t room) { snprintf(text, room, "at %s", (char *)arg); }

static void end_well(void *arg, child_note *note) {
    (void)arg;
    note->at = 17;
}

static void stop_at(child_note *note, int number) {
    note->at = 5;
    raise(number);
}

static void fault(void *arg, child_note *note) {
    (void)arg;
    stop_at(note, SIGSEGV);
}

static void be_killed(void *arg, child_note *note) {
    (void)arg;
    stop_at(note, SIGKILL);
}

static void give_up(void *arg, child_note *note) {
    (void)arg;
    note->at = 6;
    abort();
}

static int deeper(volatile char *above) {
    volatile char room[4096];
    room[0] = *above;
    return deeper(room) + room[0];
}

static void overflow(void *arg, child_note *note) {
    volatile char first = 1;
    (void)arg;
    note->at = 8;
    note->at = (uint64_t)deeper(&first);
}

static void burn(void *arg, child_note *note) {
    (void)arg;
    for (uint64_t i = 0; i < 3; i++) {
        child_step(note, i);
        for (volatile int k = 0; i == 2 || k < 1000000; k = k < 1000000 ? k + 1 : k)
            ;
    }
}

static void hang(void *arg, child_note *note) {
    (void)arg;
    (void)note;
    pause();
}

static void exit_badly(void *arg, child_note *note) {
    (void)arg;
    (void)note;
    _exit(1);
}

static child_end run(void (*what)(void *, child_note *), child_result *result) {
    char where[] = "a.lua:7";
    int64_t patience_ms = what == hang ? 100 : 1000000;
    child_run(&(child_options){
                  .run = what, .place = tell, .arg = where, .patience_ms = patience_ms },
              result);
    return result->end;
}

static void how_it_ended_is_told(void **state) {
    (void)state;
    child_result r;
    assert_int_equal(run(end_well, &r), CHILD_DONE);
    assert_int_equal(r.at, 17);
    assert_int_equal(run(fault, &r), CHILD_CRASHED);
    assert_int_equal(r.signal, SIGSEGV);
    assert_int_equal(r.at, 5);
    assert_string_equal(r.place, "at a.lua:7");
    assert_int_equal(run(give_up, &r), CHILD_CRASHED);
    assert_int_equal(r.signal, SIGABRT);
    assert_string_equal(r.place, "at a.lua:7");
    assert_int_equal(run(be_killed, &r), CHILD_CRASHED);
    assert_int_equal(r.signal, SIGKILL);
    assert_string_equal(r.place, "");
    assert_int_equal(run(exit_badly, &r), CHILD_LOST);
}

static void an_overflow_of_the_stack_is_told(void **state) {
    (void)state;
    child_result r;
    assert_int_equal(run(overflow, &r), CHILD_CRASHED);
    assert_int_equal(r.signal, SIGSEGV);
    assert_int_equal(r.at, 8);
    assert_string_equal(r.place, "at a.lua:7");
}

static void a_step_without_end_is_told(void **state) {
    (void)state;
    char where[] = "a.lua:7";
    child_result r;
    child_run(&(child_options){ .run = burn,
                                .place = tell,
                                .arg = where,
                                .step_ms = 200,
                                .patience_ms = 1000000 },
              &r);
    assert_int_equal(r.end, CHILD_CRASHED);
    assert_int_equal(r.signal, CHILD_HANGS);
    assert_int_equal(r.at, 2);
    assert_string_equal(r.place, "at a.lua:7");
}

static void what_gets_nowhere_is_ended(void **state) {
    (void)state;
    child_result r;
    assert_int_equal(run(hang, &r), CHILD_LOST);
}

static void who_is_asked_to_stop_waits_for_none(void **state) {
    (void)state;
    const volatile int stop = 1;
    child_result r;
    child_run(&(child_options){ .run = hang, .patience_ms = 1000000, .stop = &stop }, &r);
    assert_int_equal(r.end, CHILD_LOST);
}

static void free_memory_is_known(void **state) {
    (void)state;
    assert_in_range(child_free_bytes(), 1 << 20, INT64_C(1) << 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(how_it_ended_is_told),
        cmocka_unit_test(an_overflow_of_the_stack_is_told),
        cmocka_unit_test(a_step_without_end_is_told),
        cmocka_unit_test(what_gets_nowhere_is_ended),
        cmocka_unit_test(who_is_asked_to_stop_waits_for_none),
        cmocka_unit_test(free_memory_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
