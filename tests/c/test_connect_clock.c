/* How librdkafka waits, when its clock is set: it asks C11 for moments and waits until them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <threads.h>
#include <time.h>

#include "runtime/connect/kafka_client.h"

/* By the time of day it would be a moment long past, or hours away once the clock was set back. */
static void a_moment_is_one_of_the_clock_that_nobody_sets(void **state) {
    (void)state;
    enum { WAIT_MS = 30 };
    struct timespec moment;
    cnd_t cond;
    mtx_t lock;
    cnd_init(&cond);
    mtx_init(&lock, mtx_plain);
    mtx_lock(&lock);
    int64_t before_ms = kafka_now_ms();
    assert_int_equal(timespec_get(&moment, TIME_UTC), TIME_UTC);
    assert_in_range(moment.tv_sec, before_ms / 1000, before_ms / 1000 + 60);
    moment.tv_nsec += WAIT_MS * 1000000L;
    moment.tv_sec += moment.tv_nsec / 1000000000L;
    moment.tv_nsec %= 1000000000L;
    assert_int_equal(cnd_timedwait(&cond, &lock, &moment), thrd_timedout);
    assert_in_range(kafka_now_ms() - before_ms, WAIT_MS - 1, 60000);
    mtx_unlock(&lock);
    mtx_destroy(&lock);
    cnd_destroy(&cond);
}

/* It is the program's definitions that librdkafka gets: a poll is over in time. */
static void librdkafka_waits_by_it(void **state) {
    (void)state;
    enum { WAIT_MS = 30 };
    char text[256];
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, NULL, text, sizeof text);
    int64_t before_ms = kafka_now_ms();
    rd_kafka_poll(rk, WAIT_MS);
    assert_in_range(kafka_now_ms() - before_ms, WAIT_MS - 1, 60000);
    rd_kafka_destroy(rk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_moment_is_one_of_the_clock_that_nobody_sets),
        cmocka_unit_test(librdkafka_waits_by_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
