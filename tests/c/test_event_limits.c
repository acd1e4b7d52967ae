/* How much a batch takes, against a model that gives record by record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/event/limits.h"

#define COUNTS(...) ((const int64_t[]){ __VA_ARGS__ })

static void assert_shares(const int64_t *backlogs, uint32_t count, uint64_t batch, int64_t limit,
                          const int64_t *wanted) {
    int64_t shares[8];
    limits_share(backlogs, count, batch, limit, shares);
    for (uint32_t p = 0; p < count; p++) assert_int_equal(shares[p], wanted[p]);
}

static void what_fits_is_taken_whole(void **state) {
    (void)state;
    int64_t shares[3];
    assert_false(limits_share(COUNTS(3, 0, 7), 3, 0, 10, shares));
    assert_shares(COUNTS(3, 0, 7), 3, 0, 10, COUNTS(3, 0, 7));
    assert_true(limits_share(COUNTS(3, 0, 7), 3, 0, 9, shares));
    assert_false(limits_share(NULL, 0, 0, 9, shares));
}

static void turns_rotate_by_batch_over_partitions_with_backlog(void **state) {
    (void)state;
    const int64_t *backlogs = COUNTS(5, 0, 5, 5);
    assert_shares(backlogs, 4, 0, 1, COUNTS(1, 0, 0, 0));
    assert_shares(backlogs, 4, 1, 1, COUNTS(0, 0, 1, 0));
    assert_shares(backlogs, 4, 2, 1, COUNTS(0, 0, 0, 1));
    assert_shares(backlogs, 4, 3, 1, COUNTS(1, 0, 0, 0));
    assert_shares(backlogs, 4, 2, 2, COUNTS(1, 0, 0, 1));
    assert_shares(backlogs, 4, UINT64_MAX, 2, COUNTS(1, 0, 1, 0));
}

static void a_small_partition_is_not_starved_by_a_large_one(void **state) {
    (void)state;
    assert_shares(COUNTS(1000000, 1), 2, 0, 100, COUNTS(99, 1));
}

static void the_rest_goes_in_proportion_ties_to_the_lower(void **state) {
    (void)state;
    assert_shares(COUNTS(11, 31), 2, 0, 22, COUNTS(6, 16));
    assert_shares(COUNTS(10, 10, 10), 3, 5, 10, COUNTS(4, 3, 3));
    assert_shares(COUNTS(10, 10, 10), 3, 5, 11, COUNTS(4, 4, 3));
    assert_shares(COUNTS(4, 3), 2, 0, 4, COUNTS(2, 2)); /* left 3:2 of 2: 1.2 and 0.8 */
}

static void unknown_ends_share_without_overflow(void **state) {
    (void)state;
    int64_t max = INT64_MAX;
    assert_shares(COUNTS(max, max), 2, 0, 500000, COUNTS(250000, 250000));
    assert_shares(COUNTS(max, max, max), 3, 0, max, COUNTS(max / 3 + 1, max / 3, max / 3));
    assert_int_equal(limits_backlog(7, INT64_MAX), INT64_MAX); /* still not known */
    assert_int_equal(limits_backlog(7, INT64_MAX - 1), INT64_MAX - 8);
    assert_int_equal(limits_backlog(-7, INT64_MAX), INT64_MAX);
    assert_int_equal(limits_backlog(9, 7), 0);
}

/* Whole numbers only: gives one by one to whoever is owed most, the lower partition first. */
static void model(const int64_t *backlogs, int count, uint64_t batch, int64_t limit,
                  int64_t *shares) {
    int with[8], b = 0;
    int64_t left[8], sum = 0;
    memset(shares, 0, 8 * sizeof *shares);
    for (int p = 0; p < count; p++) {
        if (backlogs[p]) with[b++] = p;
    }
    for (int i = 0; i < b && limit > 0; i++,
             limit--) shares[with[(batch + (uint64_t)i) % (uint64_t)b]]++;
    for (int p = 0; p < count; p++) sum += left[p] = backlogs[p] - shares[p];
    int64_t rest = limit < sum ? limit : sum, owed[8];
    int64_t given = 0;
    for (int p = 0; p < count; p++) {
        int64_t quota = sum ? rest * left[p] / sum : 0;
        owed[p] = sum ? rest * left[p] - quota * sum : 0;
        shares[p] += quota;
        given += quota;
    }
    for (; given < rest; given++) {
        int best = 0;
        for (int p = 1; p < count; p++) best = owed[p] > owed[best] ? p : best;
        shares[best]++;
        owed[best] = -1;
    }
}

static void shares_are_those_of_the_model_and_never_exceed_the_limit(void **state) {
    (void)state;
    for (int i = 0; i < 100000; i++) {
        int64_t backlogs[8], shares[8], wanted[8], sum = 0, taken = 0;
        int count = 1 + rand() % 8;
        for (int p = 0; p < count; p++) {
            backlogs[p] = rand() % 3 ? rand() % (rand() % 2 ? 10 : 10000) : 0;
            sum += backlogs[p];
        }
        int64_t limit = 1 + rand() % (rand() % 2 ? 12 : 20000);
        uint64_t batch = (uint64_t)rand();
        bool is_cut = limits_share(backlogs, (uint32_t)count, batch, limit, shares);
        model(backlogs, count, batch, limit, wanted);
        for (int p = 0; p < count; p++) {
            assert_int_equal(shares[p], wanted[p]);
            assert_true(shares[p] <= backlogs[p]);
            taken += shares[p];
        }
        assert_int_equal(taken, sum < limit ? sum : limit);
        assert_int_equal(is_cut, sum > limit);
    }
}

static void the_rate_accrues_since_the_last_batch_began(void **state) {
    (void)state;
    limits_rate rate;
    limits_rate_init(&rate, 100, 5000);
    assert_int_equal(limits_rate_has(&rate, 5000), 0);
    assert_int_equal(limits_rate_has(&rate, 6000), 100);
    limits_rate_begin(&rate, 6000);
    assert_int_equal(limits_rate_has(&rate, 6009), 0);
    assert_int_equal(limits_rate_due(&rate), 6010);
    assert_int_equal(limits_rate_has(&rate, 6010), 1);
    assert_int_equal(limits_rate_has(&rate, 5000), 0);
}

static void parts_of_records_are_carried_so_that_small_batches_keep_the_rate(void **state) {
    (void)state;
    limits_rate rate;
    limits_rate_init(&rate, 1500, 0);
    int64_t taken = 0;
    for (int64_t now = 1; now <= 10000; now++) {
        taken += limits_rate_has(&rate, now);
        limits_rate_begin(&rate, now);
    }
    assert_in_range(taken, 14999, 15000);
}

static void a_record_is_there_when_it_is_due(void **state) {
    (void)state;
    for (int i = 0; i < 100000; i++) {
        limits_rate rate;
        limits_rate_init(&rate, (double)(1 + rand() % 100000) / (double)(1 + rand() % 1000), 0);
        limits_rate_begin(&rate, rand() % 1000);
        assert_true(limits_rate_has(&rate, limits_rate_due(&rate)) >= 1);
    }
    limits_rate slow;
    limits_rate_init(&slow, 1e-300, 0);
    assert_int_equal(limits_rate_due(&slow), INT64_MAX);
}

static void without_a_rate_there_is_no_brake(void **state) {
    (void)state;
    limits_rate rate;
    limits_rate_init(&rate, 0, 5000);
    assert_int_equal(limits_rate_has(&rate, 5000), INT64_MAX);
    assert_int_equal(limits_rate_due(&rate), 5000);
    limits_rate_init(&rate, 1e300, 0);
    assert_int_equal(limits_rate_has(&rate, INT64_MAX), INT64_MAX);
}

static void the_grant_says_whether_the_brake_is_what_limits(void **state) {
    (void)state;
    limits_rate rate;
    limits_rate_init(&rate, 100, 0);
    limits_grant slow = limits_grant_of(500, &rate, 1000), full = limits_grant_of(500, &rate, 5000);
    assert_int_equal(slow.records, 100);
    assert_true(slow.is_by_rate);
    assert_int_equal(full.records, 500);
    assert_false(full.is_by_rate);
}

static void min_records_waits_from_the_last_batch_with_records(void **state) {
    (void)state;
    assert_int_equal(limits_due(10, 500, 9, 1000), 1500);
    assert_int_equal(limits_due(10, 500, 10, 1000), INT64_MIN);
    assert_int_equal(limits_due(10, 500, 0, INT64_MIN), INT64_MIN);
    assert_int_equal(limits_due(0, 0, 0, 1000), INT64_MIN);
    assert_int_equal(limits_due(10, INT64_MAX, 9, 1000), INT64_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fits_is_taken_whole),
        cmocka_unit_test(turns_rotate_by_batch_over_partitions_with_backlog),
        cmocka_unit_test(a_small_partition_is_not_starved_by_a_large_one),
        cmocka_unit_test(the_rest_goes_in_proportion_ties_to_the_lower),
        cmocka_unit_test(unknown_ends_share_without_overflow),
        cmocka_unit_test(shares_are_those_of_the_model_and_never_exceed_the_limit),
        cmocka_unit_test(the_rate_accrues_since_the_last_batch_began),
        cmocka_unit_test(parts_of_records_are_carried_so_that_small_batches_keep_the_rate),
        cmocka_unit_test(a_record_is_there_when_it_is_due),
        cmocka_unit_test(without_a_rate_there_is_no_brake),
        cmocka_unit_test(the_grant_says_whether_the_brake_is_what_limits),
        cmocka_unit_test(min_records_waits_from_the_last_batch_with_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
