/* Where a source begins: option `start` becomes an absolute offset for each partition, once, so
 * that the first record comes after 25 ms instead of 584 (facts: logical offsets) and `latest`
 * means one moment. */
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

static err *check_offset(kafka_source *s, const rd_kafka_topic_partition_t *at, int64_t begin,
                         int64_t end, int64_t *position, int64_t *lost) {
    if (*position >= begin && *position <= end) return NULL;
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
        return check_offset(s, at, begin, end, position, lost);
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

err *kafka_start(kafka_source *s, const sl_value *options) {
    static const sl_value latest = { .kind = SL_TEXT, .text = { "latest", 6, 0 } };
    const sl_value *start = kafka_option(options, "start");
    if (!start) start = &latest;
    s->only = kafka_option(options, "partitions");
    const sl_value *time = start->kind == SL_TABLE ? kafka_option(start, "timestamp") : NULL;
    bool by_time = time && time->kind == SL_NUMBER;
    err *e = check_only(s);
    rd_kafka_topic_partition_list_t *begin = all_partitions(s), *end = all_partitions(s),
                                    *match = all_partitions(s);
    if (!e && !by_time) e = check_names(s, start);
    if (!e) e = ask_offsets(s, KAFKA_ASK_BEGIN, begin);
    if (!e) e = ask_offsets(s, KAFKA_ASK_END, end);
    if (!e && by_time) e = ask_offsets(s, (int64_t)time->number, match);
    for (int i = 0; !e && i < begin->cnt; i++) {
        const rd_kafka_topic_partition_t *at = &begin->elems[i];
        int64_t position = match->elems[i].offset, lost = 0;
        if (!by_time) e = place(s, start, at, at->offset, end->elems[i].offset, &position, &lost);
        /* no match, or one behind the last stable offset: the end */
        if (by_time && (position < 0 || position > end->elems[i].offset))
            position = end->elems[i].offset;
        if (!e)
            e = kafka_partition_add(s, topic_named(s, at->topic), at->partition, position,
                                    at->offset, end->elems[i].offset, false);
        if (!e) s->partitions[s->count - 1]->lost = lost;
    }
    rd_kafka_topic_partition_list_destroy(begin);
    rd_kafka_topic_partition_list_destroy(end);
    rd_kafka_topic_partition_list_destroy(match);
    return e;
}
