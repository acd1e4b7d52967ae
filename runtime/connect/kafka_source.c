#include "runtime/connect/kafka_source.h"

/* DESIGN. Memory is bounded by queues that rest when they hold enough. librdkafka's: a small
 * queue, woken again by a question to the leader every 10 ms (before librdkafka 2.2) or by
 * fetch.queue.backoff.ms, reads as fast as a large one (facts: "the stall"). Limits count per
 * partition, so the handle is made anew when the topics have more partitions than the first guess.
 */

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/mem.h"
#include "runtime/connect/kafka_discover.h"
#include "runtime/connect/kafka_options.h"
#include "runtime/connect/kafka_read.h"
#include "runtime/connect/options.h"

enum {
    QUEUE_KIB = 16 * 1024,  /* of all of librdkafka's queues together */
    QUEUE_MESSAGES = 32000, /* the same; a message costs about 500 bytes beside its payload */
    GUESS_PARTITIONS = 4,
    BACKOFF_VERSION = 0x020200ff, /* first librdkafka with fetch.queue.backoff.ms */
    MAX_SETTINGS = 24,
};

static const char own_positions[] = "positions belong to the pipeline";

static const kafka_setting source_settings[] = {
    { "group.id", NULL, "sluice joins no group; the pipeline's name stands for it" },
    { "enable.auto.commit", "false", own_positions },
    { "enable.auto.offset.store", "false", own_positions },
    { "auto.offset.reset", "error", "use the option `on_data_loss`, or `start`" },
    { "enable.partition.eof", "true", "the pipeline needs the ends" },
    { "check.crcs", "true", NULL },
    { "fetch.wait.max.ms", "50", NULL },
    { "fetch.error.backoff.ms", "100", NULL },
    { "fetch.message.max.bytes", "262144", NULL },
    { "reconnect.backoff.max.ms", "2000", NULL },
};

void kafka_wake(kafka_source *s) {
    uint64_t one = 1;
    ssize_t written = write(s->wake_fd, &one, sizeof one);
    (void)written; /* full means that it is readable already */
}

static err *open_handle(kafka_source *s, const sl_source *plan, const sl_system *system,
                        int32_t partitions) {
    kafka_setting settings[MAX_SETTINGS];
    size_t count = sizeof source_settings / sizeof *source_settings;
    memcpy(settings, source_settings, sizeof source_settings);
    char kib[16], messages[16];
    int32_t share = partitions < GUESS_PARTITIONS ? GUESS_PARTITIONS : partitions;
    snprintf(kib, sizeof kib, "%d", QUEUE_KIB / share > 64 ? QUEUE_KIB / share : 64);
    snprintf(messages, sizeof messages, "%d",
             QUEUE_MESSAGES / share > 500 ? QUEUE_MESSAGES / share : 500);
    char *isolation = option_copy(plan->options, "isolation", "read_committed");
    settings[count++] = (kafka_setting){ "queued.max.messages.kbytes", kib, NULL };
    settings[count++] = (kafka_setting){ "queued.min.messages", messages, NULL };
    settings[count++] =
        (kafka_setting){ "isolation.level", isolation, "use the option `isolation`" };
    if (rd_kafka_version() >= BACKOFF_VERSION)
        settings[count++] = (kafka_setting){ "fetch.queue.backoff.ms", "10", NULL };
    err *e = kafka_client_open(&s->client, RD_KAFKA_CONSUMER, plan->options, system, settings,
                               count, NULL);
    mem_free(isolation);
    if (e) return e;
    for (uint32_t i = 0; i < s->topic_count; i++)
        s->topics[i]->handle = rd_kafka_topic_new(s->client.rk, s->topics[i]->name, NULL);
    return NULL;
}

static void close_handle(kafka_source *s) {
    for (uint32_t i = 0; i < s->topic_count; i++) {
        if (s->topics[i]->handle) rd_kafka_topic_destroy(s->topics[i]->handle);
        s->topics[i]->handle = NULL;
    }
    kafka_client_close(&s->client);
}

err *kafka_partition_add(kafka_source *s, kafka_topic *topic, int32_t number, int64_t position,
                         int64_t begin, int64_t end, bool is_new) {
    kafka_partition *p = mem_zalloc(1, sizeof *p);
    p->topic = topic;
    p->number = number;
    p->is_new = is_new;
    p->next = p->position = position;
    p->begin = begin;
    p->end = end;
    p->confirmed_ms = clock_steady_ms(s->clock);
    err *e = s->way->open(s, p);
    pthread_mutex_lock(&s->lock);
    if (s->count == s->room) {
        s->room = s->room ? 2 * s->room : 16;
        s->partitions = mem_realloc(s->partitions, s->room * sizeof *s->partitions);
    }
    s->partitions[s->count++] = p;
    s->is_changed = true;
    pthread_mutex_unlock(&s->lock);
    return e;
}

static void partition_free(const kafka_source *s, kafka_partition *p) {
    s->way->close(p);
    mem_free(p->staged.items);
    err_free(p->trouble);
    mem_free(p);
}

static bool has_gone_topic(const kafka_source *s) {
    for (uint32_t i = 0; i < s->topic_count; i++)
        if (s->topics[i]->missing_ms) return true;
    return false;
}

static void source_close(void *source) {
    kafka_source *s = source;
    kafka_watch_close(s);
    kafka_fetch_close(s->fetch);
    if (has_gone_topic(s) && !s->fetch) {
        /* rd_kafka_destroy of 2.0.2 waits for ever for a broker thread that had partitions of
         * a topic which was deleted. The process is about to end: the handle is left to it. */
        s->client.log = NULL;
        return;
    }
    for (uint32_t i = 0; i < s->count; i++) partition_free(s, s->partitions[i]);
    close_handle(s);
    kafka_discover_done(s);
    mem_free(s->partitions);
    mem_free(s->mine);
    mem_free(s->view);
    mem_free(s->leaders);
    if (s->wake_fd >= 0) close(s->wake_fd);
    pthread_cond_destroy(&s->moved);
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
}

static kafka_source *source_new(const sl_source *plan, const sl_system *system) {
    kafka_source *s = mem_zalloc(1, sizeof *s);
    pthread_condattr_t steady;
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&s->moved, &steady);
    pthread_condattr_destroy(&steady);
    pthread_mutex_init(&s->lock, NULL);
    s->clock = system->clock;
    s->expected_ms = INT64_MIN;
    s->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    const sl_value *loss = kafka_option(plan->options, "on_data_loss");
    s->goes_on = loss && kafka_is(&loss->text, "continue");
    return s;
}

/* Read by ourselves where that works, else by librdkafka. */
static void choose_way(kafka_source *s, const sl_source *plan, const sl_system *system) {
    kafka_fetch *fetch = NULL;
    char *reason = kafka_fetch_try(&s->client, plan->options, system, &fetch);
    s->way = &kafka_queue_way;
    if (!reason) {
        kafka_fetch_start(fetch, s, plan->max_bytes);
        return;
    }
    log_info(s->client.log, "reading by librdkafka", log_text("brokers", s->client.brokers),
             log_text("reason", reason));
    mem_free(reason);
}

static err *source_open(const sl_source *plan, const sl_system *system, void **source) {
    kafka_source *s = source_new(plan, system);
    int32_t total = 0;
    err *e = s->wake_fd < 0 ? err_new(ERR_IO, "eventfd: no descriptor left") : NULL;
    if (!e) e = kafka_discover_read(s, plan->options);
    if (!e) e = open_handle(s, plan, system, GUESS_PARTITIONS);
    if (!e) e = kafka_discover(s, &total);
    if (!e) choose_way(s, plan, system);
    if (!e && !s->fetch && total > GUESS_PARTITIONS) {
        close_handle(s);
        e = open_handle(s, plan, system, total);
        if (!e) e = kafka_discover(s, &total);
    }
    if (!e) e = kafka_start(s, plan->options, system);
    if (!e) e = kafka_watch_open(s);
    if (!e) {
        *source = s;
        return NULL;
    }
    source_close(s);
    return e;
}

/* A topic that was there and is unknown for KAFKA_GONE_MS. Lock held. */
static bool is_gone_for_good(const kafka_topic *topic, int64_t now_ms) {
    return topic->missing_ms && now_ms - topic->missing_ms >= KAFKA_GONE_MS;
}

/* Copy what the watchers wrote; a partition that main has not seen yet joins. */
static err *source_look(void *source, const sl_partition **partitions, uint32_t *count) {
    kafka_source *s = source;
    err *e = kafka_read_peek(s);
    if (e) return e;
    pthread_mutex_lock(&s->lock);
    if (s->view_room < s->count) {
        s->view_room = s->count;
        s->view = mem_realloc(s->view, s->count * sizeof *s->view);
        s->mine = mem_realloc(s->mine, s->count * sizeof *s->mine);
    }
    int64_t now_ms = kafka_now_ms();
    for (uint32_t i = 0; i < s->count; i++) {
        kafka_partition *p = s->partitions[i];
        /* Metadata says that there is no such topic: nobody else will confirm its end. */
        bool is_gone = is_gone_for_good(p->topic, now_ms);
        s->mine[i] = p;
        s->view[i] = (sl_partition){
            .topic = p->topic->name,
            .number = p->number,
            .is_new = p->is_new,
            .is_stalled = p->is_stalled,
            .position = p->position,
            .begin = p->begin,
            .end = is_gone ? p->position : p->end,
            .confirmed_ms = is_gone ? clock_steady_ms(s->clock) : p->confirmed_ms,
            .back_ms = p->back_ms,
            .lost = p->lost,
        };
    }
    s->mine_count = s->count;
    s->is_changed = false;
    pthread_mutex_unlock(&s->lock);
    *partitions = s->view;
    *count = s->mine_count;
    return NULL;
}

static void deadline_of(struct timespec *t, int64_t at_ms) {
    t->tv_sec = at_ms / 1000;
    t->tv_nsec = at_ms % 1000 * 1000000;
}

static bool awaits_answers(const kafka_source *s) {
    for (uint32_t i = 0; i < s->count; i++)
        if (s->partitions[i]->is_wanted) return true;
    return false;
}

static err *source_confirm(void *source, int64_t timeout_ms) {
    kafka_source *s = source;
    int64_t end_ms = kafka_now_ms() + timeout_ms;
    pthread_mutex_lock(&s->lock);
    for (uint32_t i = 0; i < s->count; i++) s->partitions[i]->is_wanted = true;
    pthread_cond_broadcast(&s->moved);
    while (awaits_answers(s) && !(s->client.stop && *s->client.stop)) {
        int64_t now_ms = kafka_now_ms();
        if (now_ms >= end_ms) break;
        struct timespec until;
        deadline_of(&until, now_ms + KAFKA_SLICE_MS < end_ms ? now_ms + KAFKA_SLICE_MS : end_ms);
        pthread_cond_timedwait(&s->moved, &s->lock, &until);
    }
    for (uint32_t i = 0; i < s->count; i++) s->partitions[i]->is_wanted = false;
    pthread_mutex_unlock(&s->lock);
    return kafka_client_check(&s->client);
}

static err *gone_topic(kafka_source *s) {
    err *e = NULL;
    pthread_mutex_lock(&s->lock);
    for (uint32_t i = 0; !e && !s->goes_on && i < s->topic_count; i++) {
        if (is_gone_for_good(s->topics[i], kafka_now_ms()))
            e = err_new(ERR_BROKER,
                        "topic %s is gone from %s (on_data_loss = \"continue\" would wait "
                        "until it is made anew)",
                        s->topics[i]->name, s->client.brokers);
    }
    pthread_mutex_unlock(&s->lock);
    return e;
}

static bool has_news(kafka_source *s) {
    pthread_mutex_lock(&s->lock);
    bool news = s->is_changed;
    s->is_changed = false;
    for (uint32_t i = 0; !news && i < s->count; i++)
        news = s->partitions[i]->end > s->partitions[i]->position;
    pthread_mutex_unlock(&s->lock);
    return news;
}

static err *source_wait(void *source, int64_t timeout_ms) {
    kafka_source *s = source;
    int64_t end_ms = kafka_now_ms() + timeout_ms;
    for (;;) {
        err *e = kafka_client_check(&s->client);
        if (!e) e = gone_topic(s);
        if (!e) e = kafka_read_peek(s);
        if (e || has_news(s)) return e;
        int64_t left_ms = end_ms - kafka_now_ms();
        if (left_ms <= 0) return NULL;
        struct pollfd wake = { .fd = s->wake_fd, .events = POLLIN };
        uint64_t times;
        if (poll(&wake, 1, (int)(left_ms < KAFKA_SLICE_MS ? left_ms : KAFKA_SLICE_MS)) > 0 &&
            read(s->wake_fd, &times, sizeof times) < 0)
            continue;
    }
}

static void source_expect(void *source, int64_t at_ms) {
    kafka_source *s = source;
    if (!s->fetch) return; /* librdkafka asks when it likes */
    pthread_mutex_lock(&s->lock);
    kafka_fetch_expect(s, at_ms);
    pthread_mutex_unlock(&s->lock);
}

const sl_source_ops kafka_source_ops = {
    .name = "kafka",
    .open = source_open,
    .look = source_look,
    .confirm = source_confirm,
    .wait = source_wait,
    .expect = source_expect,
    .fetch = kafka_read_fetch,
    .close = source_close,
};
