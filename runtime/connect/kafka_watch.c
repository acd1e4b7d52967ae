/* DESIGN. Watcher threads ask the leaders, so that flow never waits: for the ends of their
 * partitions, and for new partitions. A question blocks until it is answered, so there is a thread
 * a leader, and a leader has one question at a time: one that is silent holds up nobody else.
 * rd_kafka_offsets_for_times does it: all partitions of a leader at once, and it keeps its timeout,
 * which rd_kafka_query_watermark_offsets of 2.0.2 does not (seen: waits out socket.timeout.ms).
 *
 * While a fetch is under way each leader is asked every 10 ms: the answer comes over the connection
 * of the fetch requests and wakes librdkafka's broker thread, which else rests a partition up to
 * 1 s once its queue was full (facts: "the stall"; fetch.queue.backoff.ms does it since 2.2).
 * Otherwise once a second. Only ListOffsets tells the end when nothing is being fetched, and only
 * its answer is a leader's word that there is no more.
 *
 * Whether an open transaction holds the last stable offset back: the fetch answers carry the high
 * watermark, which librdkafka caches. One cached *before* the question that is above the last
 * stable offset of the answer was above it all along. Answers to our own fetches have both
 * (kafka_fetch.c). */
#include <stdio.h>
#include <string.h>

#include "runtime/base/clock.h"
#include "runtime/base/mem.h"
#include "runtime/connect/kafka_discover.h"

enum {
    BUSY_MS = 10,      /* between questions to a leader during a fetch */
    QUIET_MS = 1000,   /* otherwise */
    BEGIN_MS = 5000,   /* between questions for the earliest offsets */
    RETRY_MS = 500,    /* before a silent leader is asked again */
    REFRESH_MS = 5000, /* between questions for metadata */
    SOON_MS = 50,      /* the same when a leader says that it is none */
    SEARCH_MS = 1000,  /* the same while a leader is silent: it may have been replaced */
    NO_TASK_MS = 1000, /* longest sleep */
    AWAY_MS = 5000,    /* silence of a leader during which producers may have waited as we did */
    HELD_MS = 30000,   /* an open transaction that holds a partition back for so long is told */
    BACKOFF_VERSION = 0x020200ff,
};

/* What there is to do. */
typedef struct watch_task {
    bool is_refresh;  /* ask for metadata */
    bool is_question; /* ask `leader` */
    uint32_t leader;
    int64_t at_ms; /* nothing: not before */
} watch_task;

/* A question to a leader about all its partitions. */
typedef struct question {
    kafka_partition **partitions;                   /* in the order of `ends`; owned */
    rd_kafka_topic_partition_list_t *ends, *begins; /* owned; begins NULL: not asked */
    int64_t *cached;                                /* high watermarks before the question; owned */
} question;

/* -- choosing (lock held) */

/* When the leader is to be asked; INT64_MAX: it leads nothing. */
static int64_t due_ms(const kafka_source *s, uint32_t index, int64_t now_ms) {
    const kafka_leader *leader = &s->leaders[index];
    bool is_behind = false, leads = false;
    for (uint32_t i = 0; i < s->count; i++) {
        const kafka_partition *p = s->partitions[i];
        if (p->leader != index) continue;
        leads = true;
        if (p->is_wanted && !leader->is_silent) return now_ms;
        if (p->end > p->position) is_behind = true;
    }
    if (!leads) return INT64_MAX;
    if (leader->is_silent) return leader->retry_ms;
    if (!is_behind || now_ms >= s->busy_until_ms) return leader->asked_ms + QUIET_MS;
    bool rests = !s->fetch && rd_kafka_version() < BACKOFF_VERSION;
    return leader->asked_ms + (rests ? BUSY_MS : QUIET_MS / 10);
}

static bool any_silent(const kafka_source *s) {
    for (uint32_t i = 0; i < s->count; i++)
        if (s->leaders[s->partitions[i]->leader].is_silent) return true;
    return false;
}

static watch_task pick(kafka_source *s, int64_t now_ms) {
    watch_task task = { .at_ms = now_ms + NO_TASK_MS };
    int64_t refresh_ms = s->refreshed_ms + (any_silent(s) ? SEARCH_MS : REFRESH_MS);
    if (!s->is_refreshing) {
        task.is_refresh = refresh_ms <= now_ms;
        if (task.is_refresh) return task;
        if (refresh_ms < task.at_ms) task.at_ms = refresh_ms;
    }
    for (uint32_t i = 0; i < s->leader_count && !task.is_question; i++) {
        if (s->leaders[i].is_busy) continue;
        int64_t at_ms = due_ms(s, i, now_ms);
        task.is_question = at_ms <= now_ms;
        task.leader = i;
        if (at_ms < task.at_ms) task.at_ms = at_ms;
    }
    return task;
}

/* -- leaders (lock held) */

static uint32_t leader_index(kafka_source *s, int32_t id) {
    for (uint32_t i = 0; i < s->leader_count; i++)
        if (s->leaders[i].id == id) return i;
    s->leaders = mem_realloc(s->leaders, (s->leader_count + 1) * sizeof *s->leaders);
    kafka_leader *leader = &s->leaders[s->leader_count];
    memset(leader, 0, sizeof *leader);
    leader->id = id;
    snprintf(leader->address, sizeof leader->address, id < 0 ? "no leader" : "broker %d", (int)id);
    return s->leader_count++;
}

static void leader_silent(kafka_source *s, uint32_t index) {
    s->leaders[index].is_silent = true;
    s->leaders[index].retry_ms = kafka_now_ms() + RETRY_MS;
    for (uint32_t i = 0; i < s->count; i++) {
        kafka_partition *p = s->partitions[i];
        if (p->leader != index) continue;
        p->is_wanted = false;
        p->was_silent = true;
    }
}

/* -- questions */

rd_kafka_resp_err_t kafka_ask(kafka_source *s, const char *topic, int32_t number, int64_t *low,
                              int64_t *high) {
    const int64_t wanted[] = { KAFKA_ASK_BEGIN, KAFKA_ASK_END };
    int64_t *const told[] = { low, high };
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int i = 0; !code && i < 2; i++) {
        rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
        rd_kafka_topic_partition_list_add(list, topic, number)->offset = wanted[i];
        code = rd_kafka_offsets_for_times(s->client.rk, list, KAFKA_ANSWER_MS);
        if (!code) code = list->elems[0].err;
        *told[i] = list->elems[0].offset;
        rd_kafka_topic_partition_list_destroy(list);
    }
    return code;
}

static bool is_silence(rd_kafka_resp_err_t code) {
    return code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TRANSPORT ||
           code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || code == RD_KAFKA_RESP_ERR__RESOLVE ||
           code == RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT ||
           code == RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE;
}

/* Collect the leader's partitions. Lock held. */
static void question_init(question *q, kafka_source *s, uint32_t leader, bool with_begins) {
    q->partitions = mem_alloc(s->count * sizeof *q->partitions);
    q->cached = mem_alloc(s->count * sizeof *q->cached);
    q->ends = rd_kafka_topic_partition_list_new((int)s->count);
    for (uint32_t i = 0; i < s->count; i++) {
        kafka_partition *p = s->partitions[i];
        if (p->leader != leader) continue;
        p->is_asked = p->is_wanted && !p->topic->missing_ms;
        p->is_wanted = p->is_asked;
        if (p->topic->missing_ms) continue; /* it would spoil the answer for the others */
        q->partitions[q->ends->cnt] = p;
        q->cached[q->ends->cnt] = INT64_MIN;
        rd_kafka_topic_partition_list_add(q->ends, p->topic->name, p->number)->offset =
            KAFKA_ASK_END;
    }
    q->begins = with_begins ? rd_kafka_topic_partition_list_copy(q->ends) : NULL;
    for (int i = 0; with_begins && i < q->begins->cnt; i++)
        q->begins->elems[i].offset = KAFKA_ASK_BEGIN;
}

static void question_done(question *q) {
    mem_free(q->partitions);
    mem_free(q->cached);
    rd_kafka_topic_partition_list_destroy(q->ends);
    if (q->begins) rd_kafka_topic_partition_list_destroy(q->begins);
}

static rd_kafka_resp_err_t question_put(question *q, const kafka_source *s) {
    rd_kafka_t *rk = s->client.rk;
    for (int i = 0; !s->fetch && i < q->ends->cnt; i++) {
        int64_t low;
        const kafka_partition *p = q->partitions[i];
        rd_kafka_get_watermark_offsets(rk, p->topic->name, p->number, &low, &q->cached[i]);
    }
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(rk, q->ends, KAFKA_ANSWER_MS);
    if (!code && q->begins) code = rd_kafka_offsets_for_times(rk, q->begins, KAFKA_ANSWER_MS);
    return code;
}

/* All before an open transaction is read; its producer may have died, or hang. Lock held. */
static void note_held(kafka_source *s, kafka_partition *p, int64_t high) {
    int64_t now_ms = kafka_now_ms();
    if (!p->is_stalled || p->position < p->end) {
        if (p->is_held_told)
            log_info(s->client.log, "open transaction ended", log_text("topic", p->topic->name),
                     log_number("partition", p->number),
                     log_number("seconds", (now_ms - p->held_ms) / 1000));
        p->held_ms = 0;
        p->is_held_told = false;
        return;
    }
    if (!p->held_ms) p->held_ms = now_ms;
    if (p->is_held_told || now_ms - p->held_ms < HELD_MS) return;
    p->is_held_told = true;
    log_warn(s->client.log, "waiting for an open transaction", log_text("topic", p->topic->name),
             log_number("partition", p->number), log_number("offset", p->end),
             log_number("behind_it", high - p->end),
             log_number("seconds", (now_ms - p->held_ms) / 1000));
}

/* Write the answers down. Lock held. */
static void note_answers(kafka_source *s, const question *q, int64_t asked_ms) {
    for (int i = 0; i < q->ends->cnt; i++) {
        kafka_partition *p = q->partitions[i];
        if (p->is_asked) p->is_wanted = false;
        if (q->ends->elems[i].err) { /* leaders are being elected: metadata will tell */
            p->was_silent = true;
            continue;
        }
        if (p->was_silent && asked_ms - p->confirmed_ms >= AWAY_MS) p->back_ms = asked_ms;
        p->was_silent = false;
        bool had_more = p->end > p->position, was_stalled = p->is_stalled;
        p->end = q->ends->elems[i].offset;
        if (p->end < p->proven) p->end = p->proven;
        if (q->begins && !q->begins->elems[i].err) p->begin = q->begins->elems[i].offset;
        p->confirmed_ms = asked_ms;
        if (!s->fetch) p->is_stalled = q->cached[i] > p->end;
        note_held(s, p, s->fetch ? p->fetch.high : q->cached[i]);
        if (had_more != (p->end > p->position) || was_stalled != p->is_stalled)
            s->is_changed = true;
    }
}

/* Lock held; released while waiting for the answer. */
static void ask_leader(kafka_source *s, uint32_t index) {
    question q;
    int64_t now_ms = kafka_now_ms(), asked_ms = clock_steady_ms(s->clock);
    bool with_begins = now_ms - s->leaders[index].begun_ms >= BEGIN_MS;
    if (with_begins) s->leaders[index].begun_ms = now_ms;
    s->leaders[index].is_busy = true;
    s->leaders[index].asked_ms = now_ms;
    question_init(&q, s, index, with_begins);
    pthread_mutex_unlock(&s->lock);
    rd_kafka_resp_err_t code = q.ends->cnt ? question_put(&q, s) : 0;
    pthread_mutex_lock(&s->lock);
    s->leaders[index].is_busy = false;
    if (!code) {
        s->leaders[index].is_silent = false;
        note_answers(s, &q, asked_ms);
        if (!any_silent(s)) kafka_client_back(&s->client);
    } else {
        leader_silent(s, index);
        if (is_silence(code) && !s->is_closing)
            kafka_client_lost(&s->client, s->leaders[index].address);
    }
    question_done(&q);
    pthread_cond_broadcast(&s->moved);
}

/* -- metadata */

static void note_leaders(kafka_source *s, const rd_kafka_metadata_t *answer, kafka_topic *topic,
                         const rd_kafka_metadata_topic_t *told) {
    for (int i = 0; i < told->partition_cnt; i++) {
        const rd_kafka_metadata_partition_t *partition = &told->partitions[i];
        uint32_t index = leader_index(s, partition->leader);
        for (int b = 0; b < answer->broker_cnt; b++) {
            if (answer->brokers[b].id != partition->leader) continue;
            snprintf(s->leaders[index].address, sizeof s->leaders[index].address, "%s:%d",
                     answer->brokers[b].host, answer->brokers[b].port);
        }
        for (uint32_t k = 0; k < s->count; k++) {
            kafka_partition *p = s->partitions[k];
            if (p->topic != topic || p->number != partition->id || p->leader == index) continue;
            p->leader = index;
            kafka_fetch_moved(p);
        }
    }
}

/* Append partitions that the topic has got since; those whose leader does not tell its offsets yet
 * wait for the next refresh, and those behind them, too: the order of partitions is by number. */
static void add_new(kafka_source *s, kafka_topic *topic, int32_t count) {
    while (topic->partition_count < count) {
        int32_t number = topic->partition_count;
        int64_t low = 0, high = 0;
        if (!kafka_is_read(s, number)) {
            topic->partition_count++;
            continue;
        }
        if (kafka_ask(s, topic->name, number, &low, &high)) return;
        err *e = kafka_partition_add(s, topic, number, low, low, high, true);
        topic->partition_count++;
        if (e) log_warn(s->client.log, "new partition", log_text("error", e->message));
        if (!e)
            log_info(s->client.log, "new partition", log_text("topic", topic->name),
                     log_number("partition", number));
        err_free(e);
        kafka_wake(s);
    }
}

static const rd_kafka_metadata_topic_t *topic_in(const rd_kafka_metadata_t *answer,
                                                 const char *name) {
    for (int i = 0; i < answer->topic_cnt; i++)
        if (strcmp(answer->topics[i].topic, name) == 0) return &answer->topics[i];
    return NULL;
}

/* Take in what an answer says of one topic; an answer about all may not have it. */
static void note_topic(kafka_source *s, const rd_kafka_metadata_t *answer, kafka_topic *topic) {
    const rd_kafka_metadata_topic_t *told = topic_in(answer, topic->name);
    if (!told && !s->pattern.is_set) return;
    if (told && !told->err) add_new(s, topic, told->partition_cnt);
    pthread_mutex_lock(&s->lock);
    bool is_missing = !told || told->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    if (!is_missing) topic->missing_ms = 0;
    if (is_missing && !topic->missing_ms) topic->missing_ms = kafka_now_ms();
    if (told && !told->err) note_leaders(s, answer, topic, told);
    pthread_mutex_unlock(&s->lock);
}

/* Lock held; released while waiting for the answer. */
static void refresh(kafka_source *s) {
    s->is_refreshing = true;
    s->refreshed_ms = kafka_now_ms();
    pthread_mutex_unlock(&s->lock);
    const rd_kafka_metadata_t *answer = NULL;
    rd_kafka_resp_err_t code =
        rd_kafka_metadata(s->client.rk, s->pattern.is_set, NULL, &answer, KAFKA_ANSWER_MS);
    if (!code) kafka_discover_new(s, answer);
    /* nobody else changes the list */
    for (uint32_t t = 0; !code && t < s->topic_count; t++) note_topic(s, answer, s->topics[t]);
    if (answer) rd_kafka_metadata_destroy(answer);
    pthread_mutex_lock(&s->lock);
    s->is_refreshing = false;
    kafka_fetch_follow(s);
}

void kafka_watch_search(kafka_source *s) {
    int64_t due_ms = kafka_now_ms() + SOON_MS - REFRESH_MS;
    if (s->refreshed_ms > due_ms) s->refreshed_ms = due_ms;
    pthread_cond_broadcast(&s->moved);
}

/* -- threads */

static void *watch_run(void *arg);

/* One thread a leader, up to KAFKA_ASKERS. Lock held. */
static void add_askers(kafka_source *s) {
    uint32_t wanted = s->leader_count < KAFKA_ASKERS ? s->leader_count : KAFKA_ASKERS;
    while (s->asker_count < (wanted ? wanted : 1)) {
        if (pthread_create(&s->askers[s->asker_count], NULL, watch_run, s) != 0) return;
        s->asker_count++;
    }
}

static void *watch_run(void *arg) {
    kafka_source *s = arg;
    pthread_mutex_lock(&s->lock);
    while (!s->is_closing) {
        bool was_changed = s->is_changed;
        watch_task task = pick(s, kafka_now_ms());
        if (task.is_refresh) {
            refresh(s);
            if (!s->is_closing) add_askers(s);
        } else if (task.is_question) {
            ask_leader(s, task.leader);
        } else {
            struct timespec until = { .tv_sec = task.at_ms / 1000,
                                      .tv_nsec = task.at_ms % 1000 * 1000000 };
            pthread_cond_timedwait(&s->moved, &s->lock, &until);
        }
        if (s->is_changed && !was_changed) kafka_wake(s);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

err *kafka_watch_open(kafka_source *s) {
    pthread_mutex_lock(&s->lock);
    leader_index(s, -1); /* until metadata tells */
    add_askers(s);
    bool is_running = s->asker_count > 0;
    pthread_mutex_unlock(&s->lock);
    return is_running ? NULL : err_new(ERR_IO, "no thread left for watching Kafka");
}

void kafka_watch_close(kafka_source *s) {
    pthread_mutex_lock(&s->lock);
    s->is_closing = true;
    uint32_t count = s->asker_count;
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->lock);
    for (uint32_t i = 0; i < count; i++) pthread_join(s->askers[i], NULL);
}
