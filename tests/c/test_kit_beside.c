/* A batch beside the commit of the one before: what it may do meanwhile, and whose error counts. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/flow/commit.h"
#include "runtime/kit/kit.h"

enum { BATCH = 1000, /* so many records until bad ones can be too many */
       GIVE_UP_S = 60 };

static const char SCRIPT[] =
    "local sluice = require 'sluice'\n"
    "return sluice.pipeline { name = 'beside', trigger = 'continuous', checkpoint = %s,\n"
    "   sluice.kafka { topics = 'in', start = 'earliest', max_records = 1000,\n"
    "      min_records = 2, max_delay = '1 hour' }\n"
    "      :json { sluice.int64 'n' :required() }\n"
    "      :to(sluice.kafka { topic = 'out' }) }\n";
static const char ONCE[] = "'memory:beside', delivery = 'exactly-once'";

/* A run whose commits stop behind their beginning until a batch has come to a step. */
typedef struct held {
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    bool is_open;         /* commits go on */
    const char *opens_at; /* the second time that a batch comes there; NULL: never */
    uint32_t seen;
    bool is_third;     /* the third time, and the step lasts until the commit is over */
    uint64_t counted;  /* batches committed, by then */
    int32_t fails;     /* err_code of every commit; 0: none */
    bool is_once;      /* exactly once, else at least */
    world *world;      /* borrowed */
    pipeline pipeline; /* main's */
} held;

static err *wait_until_open(held *h) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += GIVE_UP_S;
    pthread_mutex_lock(&h->lock);
    while (!h->is_open && !pthread_cond_timedwait(&h->changed, &h->lock, &until)) continue;
    err *e = NULL;
    if (!h->is_open) e = err_new(ERR_IO, "nothing went on beside the commit");
    if (h->is_open && h->fails) e = err_new((err_code)h->fails, "the commit failed");
    pthread_mutex_unlock(&h->lock);
    return e;
}

static void open_gate(held *h) {
    pthread_mutex_lock(&h->lock);
    h->is_open = true;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
}

/* batch_step; thread: main, `begun`: that of commits */
static err *on_step(void *arg, const char *step) {
    held *h = arg;
    if (!strcmp(step, "begun")) return wait_until_open(h);
    uint32_t opens = h->is_third ? 3 : 2;
    if (!h->opens_at || strcmp(step, h->opens_at) || ++h->seen < opens) return NULL;
    h->counted = h->pipeline.counters.batches;
    open_gate(h);
    if (h->is_third) assert_true(commit_wait(&h->pipeline, GIVE_UP_S * 1000));
    return NULL;
}

static void feed(held *h, const char *key, const char *value, uint32_t count) {
    world_record r = { .offset = -1,
                       .key = (char *)(uintptr_t)key,
                       .key_len = (uint32_t)strlen(key),
                       .value = (char *)(uintptr_t)value,
                       .value_len = (uint32_t)strlen(value) };
    world_topic *in = world_topic_of(h->world, "in", 1);
    for (uint32_t i = 0; i < count; i++) world_append(&in->partitions[0], &r);
}

static void open_kept(held *h, world *w, logger *log, bool keeps) {
    static const volatile int stop;
    static int stores; /* a test that fails leaves its own behind */
    char text[sizeof SCRIPT + sizeof ONCE];
    int len = snprintf(text, sizeof text, SCRIPT, h->is_once ? ONCE : "'none'");
    script_options of_script = { .path = "p.lua",
                                 .text = text,
                                 .text_len = (size_t)len,
                                 .stop = &stop,
                                 .log = log };
    kit_options options = { .script = &of_script,
                            .stop = &stop,
                            .log = log,
                            .workers = 1,
                            .keeps = keeps,
                            .beside = true,
                            .on_step = on_step,
                            .on_step_arg = h };
    log_init(log, 2, LOG_LOGFMT, LOG_ERROR);
    world_init(w);
    snprintf(w->store, sizeof w->store, "memory:beside-%d", ++stores);
    h->world = w;
    world_topic_of(w, "in", 1);
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->changed, NULL);
    err *e = kit_open(&h->pipeline, w, &options);
    if (e) fail_msg("%s", e->message);
}

static void open_held(held *h, world *w, logger *log) { open_kept(h, w, log, true); }

static void close_held(held *h) {
    kit_close(&h->pipeline, NULL);
    world_done(h->world);
    pthread_cond_destroy(&h->changed);
    pthread_mutex_destroy(&h->lock);
}

static void step(held *h) {
    trigger_verdict verdict;
    err *e = pipeline_step(&h->pipeline, &verdict);
    if (e) fail_msg("%s", e->message);
    assert_int_equal(verdict.action, TRIGGER_RUN);
}

static void expect_counted(const held *h, uint64_t batches) {
    const pipeline *p = &h->pipeline;
    assert_int_equal(p->counters.batches, batches);
    assert_int_equal(p->inputs[0].counters.read, batches * BATCH);
    assert_int_equal(p->out.sinks[0].counters.rows, batches * BATCH);
    assert_int_equal(h->world->sinks[0]->count, batches * BATCH);
}

static void expect_row(const world_record *r, const char *key, const char *value) {
    assert_int_equal(r->key_len, strlen(key));
    assert_memory_equal(r->key, key, r->key_len);
    assert_int_equal(r->value_len, strlen(value));
    assert_memory_equal(r->value, value, r->value_len);
}

/* Its rows are made while the other's are on their way; nothing of that is told before its time. */
static void the_next_batch_is_done_while_a_commit_is_held(void **state) {
    held h = { .opens_at = "processed" };
    logger log;
    world w;
    (void)state;
    open_held(&h, &w, &log);
    feed(&h, "first", "{\"n\":1}", BATCH);
    feed(&h, "other", "{\"n\":2}", BATCH);
    step(&h);
    assert_true(commit_is_beside(&h.pipeline));
    assert_int_equal(h.pipeline.counters.batches, 0);
    assert_int_equal(h.pipeline.inputs[0].counters.read, 0);
    step(&h);
    assert_int_equal(h.counted, 0);
    err *e = commit_settle(&h.pipeline);
    assert_null(e);
    expect_counted(&h, 2);
    expect_row(&w.sinks[0]->messages[BATCH - 1], "first", "{\"n\":1}");
    expect_row(&w.sinks[0]->messages[BATCH], "other", "{\"n\":2}");
    close_held(&h);
}

static void a_commit_that_is_over_is_taken_in_by_the_next_look(void **state) {
    held h = { .is_open = true };
    trigger_verdict verdict;
    logger log;
    world w;
    (void)state;
    open_held(&h, &w, &log);
    feed(&h, "k", "{\"n\":1}", BATCH);
    step(&h);
    assert_true(commit_wait(&h.pipeline, GIVE_UP_S * 1000));
    assert_null(pipeline_step(&h.pipeline, &verdict));
    assert_int_equal(verdict.action, TRIGGER_WAIT);
    assert_false(commit_is_beside(&h.pipeline));
    expect_counted(&h, 1);
    close_held(&h);
}

/* Step until a batch fails, and say how. */
static void expect_failure(held *h, int32_t code) {
    trigger_verdict verdict;
    feed(h, "k", "{\"n\":1}", BATCH);
    feed(h, "k", "bad", BATCH);
    step(h);
    err *e = pipeline_step(&h->pipeline, &verdict);
    assert_non_null(e);
    assert_int_equal(e->code, code);
    err_free(e);
    assert_false(commit_is_beside(&h->pipeline));
}

static void a_batch_that_fails_leaves_the_one_before_committed(void **state) {
    held h = { .opens_at = "planned" };
    logger log;
    world w;
    (void)state;
    open_held(&h, &w, &log);
    expect_failure(&h, ERR_DATA);
    expect_counted(&h, 1);
    assert_int_equal(h.pipeline.batch, 1);
    close_held(&h);
}

static void a_commit_that_fails_comes_before_what_the_next_batch_met(void **state) {
    held h = { .opens_at = "planned", .fails = ERR_FENCED };
    logger log;
    world w;
    (void)state;
    open_held(&h, &w, &log);
    expect_failure(&h, ERR_FENCED);
    expect_counted(&h, 0);
    assert_int_equal(h.pipeline.batch, 0);
    close_held(&h);
}

/* Four batches, the last three of them while the first is being committed. */
static void run_four(held *h) {
    static const char *const keys[] = { "a", "b", "c", "d" };
    for (uint32_t i = 0; i < 4; i++) feed(h, keys[i], "{\"n\":1}", BATCH);
    for (uint32_t i = 0; i < 4; i++) {
        clock_advance(&h->world->clock, 1000);
        step(h);
    }
    assert_true(commit_is_beside(&h->pipeline));
}

/* In their order, each with its own time; what they count is told with them. */
static void batches_that_are_done_meanwhile_are_one_commit(void **state) {
    held h = { .is_once = true };
    logger log;
    world w;
    (void)state;
    open_held(&h, &w, &log);
    uint64_t before = w.ledger.commits;
    run_four(&h);
    assert_int_equal(h.pipeline.counters.batches, 0);
    assert_int_equal(h.pipeline.inputs[0].counters.read, 0);
    open_gate(&h);
    assert_null(commit_settle(&h.pipeline));
    assert_int_equal(w.ledger.commits, before + 2);
    expect_counted(&h, 4);
    for (uint32_t i = 0; i < 4; i++) {
        const char key[2] = { (char)('a' + i) };
        const world_record *last = &w.sinks[0]->messages[(i + 1) * BATCH - 1];
        expect_row(last, key, "{\"n\":1}");
        assert_int_equal(last->time_ms, 1000 * (1 + i));
    }
    assert_int_equal(w.ledger.items[0].mark.offset, 4 * BATCH);
    close_held(&h);
}

/* Open one that has so many records of a few bytes before it. Returns the commits until now. */
static uint64_t open_fed(held *h, world *w, logger *log, uint32_t records) {
    open_held(h, w, log);
    feed(h, "k", "{\"n\":1}", records);
    return w->ledger.commits;
}

/* Else it would wait behind what is held, and so would all that come after it. */
static void a_batch_that_finds_the_way_free_goes_with_what_is_held(void **state) {
    held h = { .is_once = true, .opens_at = "processed", .is_third = true };
    logger log;
    world w;
    (void)state;
    uint64_t before = open_fed(&h, &w, &log, 3 * BATCH);
    for (uint32_t i = 0; i < 3; i++) step(&h);
    assert_int_equal(h.pipeline.counters.batches, 1);
    assert_null(commit_settle(&h.pipeline));
    expect_counted(&h, 3);
    assert_int_equal(w.ledger.commits, before + 2);
    close_held(&h);
}

/* Step, and let what goes on beside it end, if anything does. */
static void step_alone(held *h) {
    step(h);
    assert_true(commit_wait(&h->pipeline, GIVE_UP_S * 1000));
}

/* A transaction takes a broker several ms of CPU, whatever is in it. */
static void batches_that_follow_each_other_at_once_share_a_commit(void **state) {
    held h = { .is_once = true, .is_open = true };
    logger log;
    world w;
    (void)state;
    uint64_t before = open_fed(&h, &w, &log, 6 * BATCH);
    for (uint32_t i = 0; i < 3; i++) step_alone(&h);
    assert_int_equal(w.ledger.commits, before + 1);
    expect_counted(&h, 1);
    clock_advance(&w.clock, 100); /* as long as they rest */
    step_alone(&h);
    assert_int_equal(w.ledger.commits, before + 2);
    step_alone(&h);
    assert_int_equal(w.ledger.commits, before + 2);
    expect_counted(&h, 3);
    step_alone(&h); /* none follows */
    assert_int_equal(w.ledger.commits, before + 3);
    assert_null(commit_settle(&h.pipeline));
    expect_counted(&h, 6);
    close_held(&h);
}

/* The third batch has more rows than are held: main waits for the second, which rested. */
static void nothing_rests_behind_what_main_waited_for(void **state) {
    held h = { .is_once = true, .is_open = true };
    char key[6000];
    logger log;
    world w;
    (void)state;
    uint64_t before = open_fed(&h, &w, &log, 2 * BATCH);
    snprintf(key, sizeof key, "%05900d", 0);
    feed(&h, key, "{\"n\":1}", BATCH); /* too much to be held, too */
    feed(&h, "k", "{\"n\":1}", 2 * BATCH);
    for (uint32_t i = 0; i < 2; i++) step_alone(&h);
    assert_int_equal(w.ledger.commits, before + 1);
    step_alone(&h);
    assert_int_equal(w.ledger.commits, before + 3);
    step_alone(&h);
    assert_int_equal(w.ledger.commits, before + 4);
    assert_null(commit_settle(&h.pipeline));
    expect_counted(&h, 4);
    close_held(&h);
}

/* The rest is less than min_records: who waits for more does not keep back what is done. */
static void what_is_held_leaves_where_no_batch_follows(void **state) {
    held h = { .is_once = true, .is_open = true };
    trigger_verdict verdict;
    logger log;
    world w;
    (void)state;
    uint64_t before = open_fed(&h, &w, &log, 2 * BATCH + 1);
    for (uint32_t i = 0; i < 2; i++) step_alone(&h);
    assert_int_equal(w.ledger.commits, before + 1);
    assert_null(pipeline_step(&h.pipeline, &verdict));
    assert_int_equal(verdict.action, TRIGGER_WAIT);
    assert_true(commit_wait(&h.pipeline, GIVE_UP_S * 1000));
    assert_int_equal(w.ledger.commits, before + 2);
    close_held(&h);
}

static void what_is_held_is_of_no_account_when_the_commit_fails(void **state) {
    held h = { .is_once = true, .fails = ERR_FENCED };
    logger log;
    world w;
    (void)state;
    open_held(&h, &w, &log);
    run_four(&h);
    open_gate(&h);
    err *e = commit_settle(&h.pipeline);
    assert_non_null(e);
    assert_int_equal(e->code, ERR_FENCED);
    err_free(e);
    expect_counted(&h, 0);
    assert_int_equal(h.pipeline.batch, 0);
    close_held(&h);
}

static void *open_later(void *arg) {
    nanosleep(&(struct timespec){ .tv_nsec = 200000000 }, NULL);
    open_gate(arg);
    return NULL;
}

/* It would be kept twice. */
static void a_batch_of_many_bytes_waits_for_the_commit(void **state) {
    held h = { .is_once = true };
    pthread_t opener;
    char key[6000];
    logger log;
    world w;
    (void)state;
    open_held(&h, &w, &log);
    snprintf(key, sizeof key, "%05900d", 0);
    feed(&h, "first", "{\"n\":1}", BATCH);
    feed(&h, key, "{\"n\":1}", BATCH);
    step(&h);
    assert_int_equal(pthread_create(&opener, NULL, open_later, &h), 0);
    step(&h);
    pthread_join(opener, NULL);
    assert_int_equal(h.pipeline.counters.batches, 1);
    assert_true(commit_is_beside(&h.pipeline));
    assert_null(commit_settle(&h.pipeline));
    expect_counted(&h, 2);
    close_held(&h);
}

/* Rows are all that leaves; an error of theirs is the next step's. */
static void where_nothing_is_kept_rows_leave_beside_the_next_batch(void **state) {
    held h = { 0 };
    trigger_verdict verdict;
    logger log;
    world w;
    (void)state;
    open_kept(&h, &w, &log, false);
    feed(&h, "k", "{\"n\":1}", BATCH);
    step(&h);
    assert_true(commit_is_beside(&h.pipeline));
    assert_int_equal(h.pipeline.counters.batches, 0);
    assert_null(commit_settle(&h.pipeline));
    expect_counted(&h, 1);
    w.has_failing_sink = true;
    feed(&h, "k", "{\"n\":1}", BATCH);
    step(&h);
    assert_true(commit_wait(&h.pipeline, GIVE_UP_S * 1000));
    err *e = pipeline_step(&h.pipeline, &verdict);
    assert_non_null(e);
    assert_int_equal(e->code, ERR_IO);
    err_free(e);
    expect_counted(&h, 1);
    close_held(&h);
}

/* What is closed in the middle of a commit waits for it. */
static void closing_waits_for_the_commit(void **state) {
    held h = { .is_open = true };
    logger log;
    world w;
    (void)state;
    open_held(&h, &w, &log);
    feed(&h, "k", "{\"n\":1}", BATCH);
    step(&h);
    kit_close(&h.pipeline, NULL);
    assert_int_equal(w.sinks[0]->count, BATCH);
    close_held(&h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_batch_is_done_while_a_commit_is_held),
        cmocka_unit_test(a_commit_that_is_over_is_taken_in_by_the_next_look),
        cmocka_unit_test(a_batch_that_fails_leaves_the_one_before_committed),
        cmocka_unit_test(a_commit_that_fails_comes_before_what_the_next_batch_met),
        cmocka_unit_test(batches_that_are_done_meanwhile_are_one_commit),
        cmocka_unit_test(a_batch_that_finds_the_way_free_goes_with_what_is_held),
        cmocka_unit_test(batches_that_follow_each_other_at_once_share_a_commit),
        cmocka_unit_test(nothing_rests_behind_what_main_waited_for),
        cmocka_unit_test(what_is_held_leaves_where_no_batch_follows),
        cmocka_unit_test(what_is_held_is_of_no_account_when_the_commit_fails),
        cmocka_unit_test(a_batch_of_many_bytes_waits_for_the_commit),
        cmocka_unit_test(where_nothing_is_kept_rows_leave_beside_the_next_batch),
        cmocka_unit_test(closing_waits_for_the_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
