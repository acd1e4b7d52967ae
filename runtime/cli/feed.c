#include "runtime/cli/feed.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "runtime/base/arena.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/cli/feed_record.h"
#include "runtime/cli/plan_options.h"
#include "runtime/cli/thread.h"
#include "runtime/connect/kafka_sink.h"
#include "runtime/connect/options.h"

enum {
    RATE = 2000,      /* events a second of a source */
    STEP_MS = 100,    /* few large batches: the broker gives one a partition and request */
    STEP_MOST = 1000, /* events of a source at once */
    PAST_MS = 5000,   /* what is there at the start */
    PAST_EVENTS = 10000,
    LONG_PAST_EVENTS = 20000,
    LONG_PAST_PANES = 400, /* a past of more panes than this is not made */
    PER_INTERVAL = 60000,  /* events between batches: what the broker keeps, with room to spare */
    MOST_UNREAD = 100000,
    MOST_UNREAD_BYTES = 12 << 20,
    SEED = 1,
};

/* A topic that is fed. */
typedef struct feed_topic {
    sl_value settings[1];
    sl_value table;
    sl_sink plan;
    void *sink;           /* owned */
    sl_message *messages; /* of the step; owned, STEP_MOST */
    uint32_t count;
} feed_topic;

typedef struct feed_source {
    uint32_t number;       /* in the plan */
    const sl_source *plan; /* borrowed */
    feed_topic *topics;    /* owned */
    uint32_t topic_count;
    int32_t *partitions; /* those that are read; owned */
    uint32_t partition_count;
    int64_t made;          /* events, the past included */
    uint64_t bytes;        /* of them */
    double rate;           /* a second */
    double due;            /* events that should have been made; the past left out */
    _Atomic uint64_t read; /* by the pipeline */
} feed_source;

struct feed {
    script *script; /* owned */
    const sl_plan *plan;
    sl_system system;
    volatile int stop;    /* ends the sinks' waits */
    feed_source *sources; /* owned */
    uint32_t source_count;
    arena memory; /* of the step */
    void (*on_trouble)(void *, const char *);
    void *arg;
    atomic_bool is_ending;
    pthread_t thread;
    bool has_thread;
};

static const clock_source real = { 0 };

/* -- making */

static err *make(feed *f, feed_source *s, int64_t now_ms) {
    const char *text;
    size_t len;
    int64_t i = s->made;
    err *e = script_event(f->script, s->number, i, SEED, now_ms, &text, &len);
    if (e)
        return err_wrap(e, "event %lld of source `%.*s`", (long long)i, (int)s->plan->name.len,
                        s->plan->name.data);
    feed_topic *t = &s->topics[i % s->topic_count];
    int64_t turn = i / s->topic_count;
    sl_message *m = &t->messages[t->count];
    *m = (sl_message){
        .value = { .data = arena_copy(&f->memory, text, len), .len = (uint32_t)len },
        .partition = s->partitions[turn % s->partition_count],
        .row = t->count++,
    };
    feed_record(s->plan, i, now_ms, &f->memory, m);
    s->made++;
    s->bytes += len;
    return NULL;
}

/* Write what was made and wait until the broker has it. */
static err *deliver(feed *f, feed_source *s) {
    err *e = NULL;
    const sl_rejection *rejections;
    uint32_t rejected;
    for (uint32_t t = 0; !e && t < s->topic_count; t++) {
        feed_topic *topic = &s->topics[t];
        if (!topic->count) continue;
        e = kafka_sink_ops.begin(topic->sink, 0, clock_now_ms(&real));
        if (!e) e = kafka_sink_ops.write(topic->sink, topic->messages, topic->count);
        if (!e) e = kafka_sink_ops.flush(topic->sink, &rejections, &rejected);
        topic->count = 0;
    }
    arena_reset(&f->memory, 1 << 20);
    return e;
}

/* -- the past */

static int64_t longest_delay(const sl_plan *plan) {
    int64_t delay = 0;
    for (uint32_t i = 0; i < plan->source_count; i++)
        if (plan->sources[i].time.delay_ms > delay) delay = plan->sources[i].time.delay_ms;
    return delay;
}

/* How far back the past goes: where results come when windows close, so far that some do at once.
 */
static int64_t past_of(const sl_plan *plan) {
    int64_t past_ms = PAST_MS, delay_ms = longest_delay(plan);
    for (uint32_t i = 0; i < plan->aggregate_count; i++) {
        const sl_aggregate *a = &plan->aggregates[i];
        bool waits = a->window.kind != SL_WINDOW_NONE && (a->mode == SL_APPEND || a->final);
        if (!waits) continue;
        int64_t span_ms =
            delay_ms + 2 * a->window.size_ms + a->window.allowed_lateness_ms + PAST_MS;
        bool is_small = span_ms / a->window.pane_ms <= LONG_PAST_PANES;
        if (is_small && span_ms > past_ms) past_ms = span_ms;
    }
    return past_ms;
}

static err *make_past(feed *f, feed_source *s, int64_t past_ms) {
    int64_t count = past_ms > PAST_MS ? LONG_PAST_EVENTS : PAST_EVENTS,
            now_ms = clock_now_ms(&real);
    err *e = NULL;
    for (int64_t i = 0; !e && i < count && !*f->system.stop; i++) {
        e = make(f, s, now_ms - past_ms + past_ms * i / count);
        bool is_full = (i + 1) % STEP_MOST == 0 || i + 1 == count;
        if (!e && is_full) e = deliver(f, s);
        if (s->bytes > MOST_UNREAD_BYTES) break;
    }
    return e ? e : deliver(f, s);
}

err *feed_past(feed *f) {
    err *e = NULL;
    int64_t past_ms = past_of(f->plan);
    for (uint32_t i = 0; !e && i < f->source_count; i++) e = make_past(f, &f->sources[i], past_ms);
    return e;
}

/* -- the present */

static bool is_far_behind(const feed_source *s) {
    uint64_t unread = (uint64_t)s->made - atomic_load(&s->read);
    double each = s->made ? (double)s->bytes / (double)s->made : 0;
    return unread > MOST_UNREAD || (double)unread * each > MOST_UNREAD_BYTES;
}

static err *step(feed *f, feed_source *s, int64_t elapsed_ms) {
    s->due += s->rate * (double)elapsed_ms / 1000;
    if (s->due > STEP_MOST) s->due = STEP_MOST; /* time that was missed is not made up for */
    if (is_far_behind(s)) s->due = 0;
    err *e = NULL;
    for (; !e && s->due >= 1; s->due--) e = make(f, s, clock_now_ms(&real));
    return e ? e : deliver(f, s);
}

static void *run(void *arg) {
    feed *f = arg;
    int64_t last_ms = clock_steady_ms(&real);
    err *e = NULL;
    while (!e && !atomic_load(&f->is_ending)) {
        int64_t now_ms = clock_steady_ms(&real), left_ms = last_ms + STEP_MS - now_ms;
        if (left_ms > 0) {
            struct timespec rest = { .tv_nsec = left_ms * 1000000 };
            nanosleep(&rest, NULL);
            continue;
        }
        for (uint32_t i = 0; !e && i < f->source_count; i++)
            e = step(f, &f->sources[i], now_ms - last_ms);
        last_ms = now_ms;
    }
    if (e && !atomic_load(&f->is_ending)) f->on_trouble(f->arg, e->message);
    err_free(e);
    return NULL;
}

err *feed_start(feed *f, void (*on_trouble)(void *, const char *), void *arg) {
    f->on_trouble = on_trouble;
    f->arg = arg;
    if (!f->source_count) return NULL;
    f->has_thread = thread_start(&f->thread, run, f);
    return f->has_thread ? NULL : err_new(ERR_IO, "no thread for feeding");
}

void feed_note_read(feed *f, uint32_t source, uint64_t read) {
    for (uint32_t i = 0; i < f->source_count; i++)
        if (f->sources[i].number == source) atomic_store(&f->sources[i].read, read);
}

/* -- life */

static void choose_partitions(feed_source *s) {
    const sl_value *given = option_table(s->plan->options, "partitions");
    s->partition_count = given && given->item_count ? given->item_count : FEED_PARTITIONS;
    s->partitions = mem_alloc(s->partition_count * sizeof *s->partitions);
    for (uint32_t p = 0; p < s->partition_count; p++)
        s->partitions[p] =
            given && given->item_count ? (int32_t)given->items[p].number : (int32_t)p;
}

static err *open_topic(feed *f, feed_topic *t, sl_string name) {
    t->settings[0] = plan_option("topic", name);
    t->table = plan_table("", t->settings, 1);
    t->plan = (sl_sink){ .name = name, .connector = plan_text("kafka"), .options = &t->table };
    t->messages = mem_alloc(STEP_MOST * sizeof *t->messages);
    return err_wrap(kafka_sink_ops.open(&t->plan, &f->system, &t->sink), "feeding topic %.*s",
                    (int)name.len, name.data);
}

static err *open_source(feed *f, feed_source *s, uint32_t number) {
    s->number = number;
    s->plan = &f->plan->sources[number];
    s->rate = RATE;
    int64_t interval_ms = f->plan->trigger == SL_INTERVAL ? f->plan->interval_ms : 0;
    if (interval_ms > PER_INTERVAL * 1000LL / RATE)
        s->rate = PER_INTERVAL * 1000.0 / (double)interval_ms;
    choose_partitions(s);
    const sl_value *topics = option_find(s->plan->options, "topics");
    uint32_t count = topics->kind == SL_TABLE ? topics->item_count : 1;
    const sl_value *items = topics->kind == SL_TABLE ? topics->items : topics;
    s->topics = mem_zalloc(count, sizeof *s->topics);
    for (uint32_t t = 0; t < count; t++) {
        s->topic_count = t + 1;
        err *e = open_topic(f, &s->topics[t], items[t].text);
        if (e) return e;
    }
    return NULL;
}

err *feed_open(script *s, const sl_system *system, feed **out) {
    feed *f = mem_zalloc(1, sizeof *f);
    err *e = NULL;
    *out = f;
    f->script = s;
    f->plan = script_plan(s);
    f->system = *system;
    f->system.stop = &f->stop;
    arena_init(&f->memory, 1 << 20);
    f->sources = mem_zalloc(f->plan->source_count, sizeof *f->sources);
    for (uint32_t i = 0; !e && i < f->plan->source_count; i++)
        if (plan_is(&f->plan->sources[i].connector, "kafka"))
            e = open_source(f, &f->sources[f->source_count++], i);
    return e;
}

static void close_source(feed_source *s) {
    for (uint32_t t = 0; t < s->topic_count; t++) {
        if (s->topics[t].sink) kafka_sink_ops.close(s->topics[t].sink);
        mem_free(s->topics[t].messages);
    }
    mem_free(s->topics);
    mem_free(s->partitions);
}

void feed_close(feed *f) {
    if (!f) return;
    atomic_store(&f->is_ending, true);
    f->stop = 1;
    if (f->has_thread) pthread_join(f->thread, NULL);
    for (uint32_t i = 0; i < f->source_count; i++) close_source(&f->sources[i]);
    mem_free(f->sources);
    arena_done(&f->memory);
    script_close(f->script);
    mem_free(f);
}
