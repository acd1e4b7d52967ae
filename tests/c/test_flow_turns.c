/* Turns of several workers: shares take chunks in order, chunks are collected in order, and a walk
 * that fails gets as far as one worker would have. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/flow/turns.h"

enum { WORKERS = 4,
       PLACES = 7,
       SHARES = 3,
       DEPTH = 2,
       CHUNKS = 3000,
       NOWHERE = -1 };

/* Where a chunk's turn fails. */
typedef struct failure {
    int64_t chunk;
    turn_kind kind;
    uint32_t level, share;
} failure;

typedef struct world {
    turns *turns;
    uint64_t cut, collected;
    uint64_t at[PLACES];     /* chunk that was cut into each place */
    uint64_t levels[CHUNKS]; /* functions done */
    atomic_ullong next[SHARES][DEPTH + 1];
    atomic_int in_share[SHARES], in_collect;
    failure fails[2];
    atomic_ullong wrong; /* asserts are for the main thread */
} world;

static bool cut(void *arg, uint32_t place) {
    world *x = arg;
    if (x->cut == CHUNKS) return false;
    x->at[place] = x->cut++;
    return true;
}

static void expect(world *x, bool is_right) {
    if (!is_right) x->wrong++;
}

static void do_share(world *x, const turn *t) {
    expect(x, x->in_share[t->share]++ == 0);
    expect(x, x->levels[t->number] == t->level + 1);
    expect(x, x->next[t->share][t->level]++ == t->number);
    if (t->number % 5 == 0) sched_yield();
    x->in_share[t->share]--;
}

static void do_collect(world *x, const turn *t) {
    expect(x, x->in_collect++ == 0);
    expect(x, x->levels[t->number] == DEPTH + 1);
    for (uint32_t s = 0; s < SHARES; s++) expect(x, x->next[s][DEPTH] > t->number);
    expect(x, x->collected++ == t->number);
    x->in_collect--;
}

static bool fails(const world *x, const turn *t) {
    for (uint32_t i = 0; i < 2; i++) {
        const failure *f = &x->fails[i];
        if (f->chunk == (int64_t)t->number && f->kind == t->kind && f->level == t->level &&
            (t->kind != TURN_SHARE || f->share == t->share))
            return true;
    }
    return false;
}

static void work(world *x, uint32_t number) {
    turn t;
    while (turns_take(x->turns, number, &t)) {
        expect(x, x->at[t.place] == t.number);
        if (t.kind == TURN_FUNCTIONS) expect(x, x->levels[t.number]++ == t.level);
        if (t.kind == TURN_SHARE) do_share(x, &t);
        if (t.kind == TURN_COLLECT) do_collect(x, &t);
        turns_done(x->turns, &t, fails(x, &t));
    }
}

typedef struct member {
    world *world;
    uint32_t number;
} member;

static void *run(void *arg) {
    const member *m = arg;
    work(m->world, m->number);
    return NULL;
}

static void walk(world *x, uint32_t workers) {
    pthread_t threads[WORKERS];
    member members[WORKERS];
    turns *t = x->turns;
    failure keep[2];
    memcpy(keep, x->fails, sizeof keep);
    memset(x, 0, sizeof *x);
    memcpy(x->fails, keep, sizeof keep);
    x->turns = t;
    turns_begin(t, DEPTH, true, cut, x);
    for (uint32_t i = 0; i < workers; i++) {
        members[i] = (member){ x, i };
        pthread_create(&threads[i], NULL, run, &members[i]);
    }
    for (uint32_t i = 0; i < workers; i++) pthread_join(threads[i], NULL);
    assert_int_equal(x->wrong, 0);
}

static void shares_and_collecting_keep_the_order(void **state) {
    static world x;
    (void)state;
    x = (world){ .fails = { { .chunk = NOWHERE }, { .chunk = NOWHERE } } };
    x.turns = turns_new(PLACES, SHARES);
    for (uint32_t workers = 1; workers <= WORKERS; workers++) {
        walk(&x, workers);
        assert_int_equal(x.collected, CHUNKS);
    }
    turns_free(x.turns);
}

static void what_comes_before_a_failure_goes_on(void **state) {
    static world x;
    (void)state;
    x = (world){ .fails = { { 503, TURN_FUNCTIONS, 0, 0 }, { 501, TURN_SHARE, 1, 2 } } };
    x.turns = turns_new(PLACES, SHARES);
    for (uint32_t workers = 1; workers <= WORKERS; workers++) {
        for (uint32_t again = 0; again < 50; again++) {
            walk(&x, workers);
            assert_int_equal(x.collected, 501);
            /* its other shares may fail more to the point */
            for (uint32_t s = 0; s < SHARES; s++) assert_true(x.next[s][1] >= 502);
        }
    }
    turns_free(x.turns);
}

static void without_state_chunks_are_only_collected(void **state) {
    static world x;
    (void)state;
    x = (world){ .fails = { { .chunk = NOWHERE }, { .chunk = NOWHERE } } };
    x.turns = turns_new(1, SHARES);
    turns_begin(x.turns, 0, false, cut, &x);
    turn t;
    for (uint64_t n = 0; turns_take(x.turns, 0, &t); n++) {
        assert_int_equal(t.kind, n % 2 ? TURN_COLLECT : TURN_FUNCTIONS);
        assert_int_equal(t.number, n / 2);
        turns_done(x.turns, &t, false);
    }
    assert_int_equal(x.cut, CHUNKS);
    turns_free(x.turns);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_and_collecting_keep_the_order),
        cmocka_unit_test(what_comes_before_a_failure_goes_on),
        cmocka_unit_test(without_state_chunks_are_only_collected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
