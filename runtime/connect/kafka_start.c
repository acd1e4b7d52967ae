/* Where a source begins: where an earlier run has left off, or, where nothing is recorded, option
 * `start`. That becomes an absolute offset for each partition, once, so that the first record comes
 * after 25 ms instead of 584 (facts: logical offsets) and `latest` means one moment. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/connect/kafka_options.h"
#include "runtime/connect/kafka_state.h"

/* Ask for the offset of `time_ms` in every partition, all leaders at once; waits until all have
 * answered. */
static err *ask_offsets(kafka_source *s, int64_t time_ms, rd_kafka_topic_partition_list_t *list) {
    int64_t start_ms = kafka_now_ms();
    for (;;) {
        for (int i = 0; i < list->cnt; i++) list->elems[i].offset = time_ms;
        rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(s->client.rk, list, KAFKA_ANSWER_MS);
        err *e = kafka_client_check(&s->client);
        if (e) return e;
        const rd_kafka_topic_partition_t *bad = NULL;
        for (int i = 0; !code && i < list->cnt; i++) {
            bad = &list->elems[i];
            code = bad->err;
        }
        if (!code) return NULL;
        if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
            return err_new(ERR_AUTH, "Kafka at %s refused to tell the offsets of topic %s",
                           s->client.brokers, bad ? bad->topic : s->topics[0]->name);
        if (kafka_now_ms() - start_ms >= KAFKA_START_MS)
            return err_new(ERR_BROKER, "the offsets of topic %s at %s did not come within %d s: %s",
                           bad ? bad->topic : s->topics[0]->name, s->client.brokers,
                           KAFKA_START_MS / 1000, rd_kafka_err2str(code));
        rd_kafka_poll(s->client.rk, KAFKA_SLICE_MS);
    }
}

/* The entry `start[topic][number]`, or NULL. */
static const sl_value *named_start(const sl_value *start, const char *topic, int32_t number) {
    char text[16];
    snprintf(text, sizeof text, "%d", (int)number);
    return kafka_option(kafka_option(start, topic), text);
}

static err *check_offset(kafka_source *s, const rd_kafka_topic_partition_t *at, bool is_known,
                         int64_t begin, int64_t end, int64_t *position, int64_t *lost) {
    if (*position >= begin && *position <= end) return NULL;
    if (!s->goes_on && is_known)
        return err_new(ERR_BROKER,
                       "going on with topic %s partition %d: it is read up to offset %lld, the log "
                       "has %lld to %lld: records went before they were read, or the topic was "
                       "made anew (on_data_loss = \"continue\" goes on from the earliest there is)",
                       at->topic, (int)at->partition, (long long)*position, (long long)begin,
                       (long long)end);
    if (!s->goes_on)
        return err_new(ERR_BROKER,
                       "start of topic %s partition %d: offset %lld is not there, the log has "
                       "%lld to %lld (name another, or set on_data_loss = \"continue\")",
                       at->topic, (int)at->partition, (long long)*position, (long long)begin,
                       (long long)end);
    *lost = *position < begin ? begin - *position : 0;
    log_warn(s->client.log, "data lost", log_text("topic", at->topic),
             log_number("partition", at->partition), log_number("wanted", *position),
             log_number("earliest", begin), log_number("end", end), log_number("lost", *lost));
    *position = begin;
    return NULL;
}

static err *place(kafka_source *s, const sl_value *start, const rd_kafka_topic_partition_t *at,
                  int64_t begin, int64_t end, int64_t *position, int64_t *lost) {
    const sl_value *item = start;
    if (start->kind == SL_TABLE) item = named_start(start, at->topic, at->partition);
    if (!item)
        return err_new(ERR_PLAN,
                       "option start: topic %s partition %d is not named; name each partition: an "
                       "offset, \"earliest\" or \"latest\"",
                       at->topic, (int)at->partition);
    if (item->kind == SL_NUMBER) {
        *position = (int64_t)item->number;
        return check_offset(s, at, false, begin, end, position, lost);
    }
    *position = begin;
    if (item->kind != SL_TEXT ||
        !(kafka_is(&item->text, "earliest") || kafka_is(&item->text, "latest")))
        return err_new(ERR_PLAN,
                       "option start of topic %s partition %d: an offset, \"earliest\" or "
                       "\"latest\" is wanted",
                       at->topic, (int)at->partition);
    if (kafka_is(&item->text, "latest")) *position = end;
    return NULL;
}

static rd_kafka_topic_partition_list_t *all_partitions(const kafka_source *s) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
    for (uint32_t t = 0; t < s->topic_count; t++)
        for (int32_t n = 0; n < s->topics[t]->partition_count; n++)
            if (kafka_is_read(s, n)) rd_kafka_topic_partition_list_add(list, s->topics[t]->name, n);
    return list;
}

bool kafka_is_read(const kafka_source *s, int32_t number) {
    for (uint32_t i = 0; s->only && i < s->only->item_count; i++)
        if ((int32_t)s->only->items[i].number == number) return true;
    return !s->only;
}

/* A partition that is asked for and does not exist would silently never be read. */
static err *check_only(const kafka_source *s) {
    for (uint32_t i = 0; s->only && i < s->only->item_count; i++)
        for (uint32_t t = 0; t < s->topic_count; t++)
            if ((int32_t)s->only->items[i].number >= s->topics[t]->partition_count)
                return err_new(ERR_PLAN,
                               "option partitions: topic %s has no partition %d: it has %d",
                               s->topics[t]->name, (int)s->only->items[i].number,
                               (int)s->topics[t]->partition_count);
    return NULL;
}

/* Refuse names in `start` that mean nothing: a typing error would else begin somewhere else. */
static err *check_names(const kafka_source *s, const sl_value *start) {
    for (uint32_t i = 0; start->kind == SL_TABLE && i < start->item_count; i++) {
        const sl_value *item = &start->items[i];
        int name_len = (int)item->name.len;
        const kafka_topic *topic = NULL;
        for (uint32_t t = 0; t < s->topic_count; t++)
            if (kafka_is(&item->name, s->topics[t]->name)) topic = s->topics[t];
        if (!topic)
            return err_new(ERR_PLAN, "option start: %.*s is not among the topics", name_len,
                           item->name.data);
        for (uint32_t k = 0; k < item->item_count; k++) {
            char text[16];
            snprintf(text, sizeof text, "%.*s", (int)item->items[k].name.len,
                     item->items[k].name.data);
            if (atoi(text) >= topic->partition_count)
                return err_new(ERR_PLAN, "option start: topic %s has no partition %s: it has %d",
                               topic->name, text, (int)topic->partition_count);
        }
    }
    return NULL;
}

static kafka_topic *topic_named(kafka_source *s, const char *name) {
    uint32_t t = 0;
    while (strcmp(s->topics[t]->name, name) != 0) t++;
    return s->topics[t];
}

/* What the start of all partitions is made from; the lists are alike. */
typedef struct start_work {
    const sl_value *start;                                /* the option */
    bool by_time;                                         /* it is a timestamp */
    rd_kafka_topic_partition_list_t *begin, *end, *match; /* owned; offsets as the leaders told */
    int32_t *resumed;                                     /* owned; sl_resumed of each */
    int64_t *known;                                       /* owned; offset of an earlier run */
} start_work;

static void read_resumed(start_work *w, const sl_system *system) {
    int count = w->begin->cnt;
    w->resumed = mem_zalloc((size_t)count + 1, sizeof *w->resumed);
    w->known = mem_zalloc((size_t)count + 1, sizeof *w->known);
    for (int i = 0; system->resume && i < count; i++) {
        const rd_kafka_topic_partition_t *at = &w->begin->elems[i];
        w->resumed[i] =
            system->resume(system->resume_arg, at->topic, at->partition, &w->known[i]);
    }
}

static bool is_first_run(const start_work *w) {
    bool is_first = !w->begin->cnt;
    for (int i = 0; i < w->begin->cnt; i++) is_first |= w->resumed[i] == SL_FIRST_RUN;
    return is_first;
}

/* A broker that has just come back may not know yet how far its followers are: its end then lies
 * before what was read of it. */
static err *ask_ends(kafka_source *s, start_work *w) {
    enum { BEHIND_MS = 5000 };
    int64_t start_ms = kafka_now_ms();
    for (;;) {
        err *e = ask_offsets(s, KAFKA_ASK_END, w->end);
        bool is_behind = false;
        for (int i = 0; !e && i < w->end->cnt; i++)
            is_behind |= w->resumed[i] == SL_KNOWN && w->known[i] > w->end->elems[i].offset;
        if (e || !is_behind || kafka_now_ms() - start_ms > BEHIND_MS) return e;
        rd_kafka_poll(s->client.rk, KAFKA_SLICE_MS);
    }
}

/* Where partition `i` begins. */
static err *begin_at(kafka_source *s, const start_work *w, int i, int64_t *position,
                     int64_t *lost) {
    const rd_kafka_topic_partition_t *at = &w->begin->elems[i];
    int64_t end = w->end->elems[i].offset;
    *lost = 0;
    *position = at->offset;
    if (w->resumed[i] == SL_APPEARED) return NULL;
    if (w->resumed[i] == SL_KNOWN) {
        *position = w->known[i];
        return check_offset(s, at, true, at->offset, end, position, lost);
    }
    if (!w->by_time) return place(s, w->start, at, at->offset, end, position, lost);
    /* no match, or one behind the last stable offset: the end */
    *position = w->match->elems[i].offset;
    if (*position < 0 || *position > end) *position = end;
    return NULL;
}

static err *add_all(kafka_source *s, const start_work *w) {
    for (int i = 0; i < w->begin->cnt; i++) {
        const rd_kafka_topic_partition_t *at = &w->begin->elems[i];
        int64_t position, lost;
        err *e = begin_at(s, w, i, &position, &lost);
        if (!e)
            e = kafka_partition_add(s, topic_named(s, at->topic), at->partition, position,
                                    at->offset, w->end->elems[i].offset,
                                    w->resumed[i] == SL_APPEARED);
        if (e) return e;
        s->partitions[s->count - 1]->lost = lost;
    }
    return NULL;
}

err *kafka_start(kafka_source *s, const sl_value *options, const sl_system *system) {
    static const sl_value latest = { .kind = SL_TEXT, .text = { "latest", 6, 0 } };
    start_work w = { .start = kafka_option(options, "start") };
    if (!w.start) w.start = &latest;
    s->only = kafka_option(options, "partitions");
    const sl_value *time = w.start->kind == SL_TABLE ? kafka_option(w.start, "timestamp") : NULL;
    w.by_time = time && time->kind == SL_NUMBER;
    err *e = check_only(s);
    w.begin = all_partitions(s);
    w.end = all_partitions(s);
    w.match = all_partitions(s);
    read_resumed(&w, system);
    bool is_first = is_first_run(&w);
    if (!e && !w.by_time && is_first) e = check_names(s, w.start);
    if (!e) e = ask_offsets(s, KAFKA_ASK_BEGIN, w.begin);
    if (!e) e = ask_ends(s, &w);
    if (!e && w.by_time && is_first) e = ask_offsets(s, (int64_t)time->number, w.match);
    if (!e) e = add_all(s, &w);
    rd_kafka_topic_partition_list_destroy(w.begin);
    rd_kafka_topic_partition_list_destroy(w.end);
    rd_kafka_topic_partition_list_destroy(w.match);
    mem_free(w.resumed);
    mem_free(w.known);
    return e;
}
