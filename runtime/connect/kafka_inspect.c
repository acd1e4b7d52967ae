#include "runtime/connect/kafka_inspect.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/clock.h"
#include "runtime/base/json_text.h"
#include "runtime/base/mem.h"
#include "runtime/connect/kafka_ask.h"
#include "runtime/connect/kafka_fetch.h"
#include "runtime/connect/kafka_produce.h"
#include "runtime/connect/kafka_near.h"
#include "runtime/connect/kafka_options.h"
#include "runtime/connect/kafka_pattern.h"
#include "runtime/connect/kafka_try.h"
#include "runtime/connect/options.h"

enum {
    RECENT_MS = 600000,     /* over which the rate of a topic is measured */
    MOST_SAMPLE = 64 << 10, /* bytes of a record that is told */
    MOST_TOPICS = 100,      /* of a pattern that are looked at */
};

static const kafka_setting settings[] = {
    { "enable.auto.commit", "false", NULL },
    { "enable.auto.offset.store", "false", NULL },
    { "allow.auto.create.topics", "false", NULL },
    { "enable.partition.eof", "true", NULL },
    { "fetch.wait.max.ms", "50", NULL },
};

/* One end while it is looked at. */
typedef struct work {
    kafka_client client;
    const kafka_inspection *wanted;
    const sl_system *system;
    int64_t now_ms; /* Unix ms */
    char *group;    /* of a source; NULL: none */
    bool has_rules; /* rights must be tried */
    buf *out;
} work;

/* -- offsets */

static rd_kafka_topic_partition_list_t *partitions_of(const char *topic, int32_t count,
                                                      int64_t offset) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);
    for (int32_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, topic, i)->offset = offset;
    return list;
}

/* Records behind the group's committed offsets; false: it has committed none. */
static bool count_behind(work *w, const char *topic, int32_t count, const int64_t *ends,
                         int64_t *behind) {
    rd_kafka_topic_partition_list_t *list =
        partitions_of(topic, count, RD_KAFKA_OFFSET_INVALID);
    bool any = rd_kafka_committed(w->client.rk, list, KAFKA_ASK_MS) == RD_KAFKA_RESP_ERR_NO_ERROR;
    bool found = false;
    *behind = 0;
    for (int32_t i = 0; any && i < count; i++) {
        if (list->elems[i].offset < 0) continue;
        found = true;
        *behind += ends[i] - list->elems[i].offset;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return found;
}

/* Records since `now - RECENT_MS`. */
static int64_t count_recent(work *w, const char *topic, int32_t count, const int64_t *ends) {
    rd_kafka_topic_partition_list_t *list = partitions_of(topic, count, w->now_ms - RECENT_MS);
    int64_t recent = -1;
    if (!rd_kafka_offsets_for_times(w->client.rk, list, KAFKA_ASK_MS)) {
        recent = 0;
        for (int32_t i = 0; i < count; i++)
            if (list->elems[i].offset >= 0) recent += ends[i] - list->elems[i].offset;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return recent;
}

/* A record to be looked at. */
typedef struct sample {
    int32_t partition;
    int64_t offset; /* RD_KAFKA_OFFSET_END: there is none */
} sample;

/* `last`: the last record of the partition that has most. */
static void say_offsets(work *w, const char *topic, int32_t count, sample *last) {
    int64_t *ends = mem_alloc((size_t)count * sizeof *ends), records = 0, begin, behind,
            most = 0;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int32_t i = 0; i < count; i++) {
        code = rd_kafka_query_watermark_offsets(w->client.rk, topic, i, &begin, &ends[i],
                                                KAFKA_ASK_MS);
        if (code) break;
        records += ends[i] - begin;
        if (ends[i] - begin <= most) continue;
        most = ends[i] - begin;
        *last = (sample){ .partition = i, .offset = ends[i] - 1 };
    }
    if (code) {
        kafka_say_text(w->out, "offsets_error", rd_kafka_err2name(code));
    } else {
        kafka_say_number(w->out, "records", records);
        kafka_say_number(w->out, "recent", count_recent(w, topic, count, ends));
        kafka_say_number(w->out, "recent_ms", RECENT_MS);
        if (w->group && count_behind(w, topic, count, ends, &behind))
            kafka_say_number(w->out, "committed", behind);
    }
    mem_free(ends);
}

/* -- topics */

static int least_replicas(const rd_kafka_metadata_topic_t *topic) {
    int least = topic->partition_cnt ? topic->partitions[0].replica_cnt : 0;
    for (int i = 1; i < topic->partition_cnt; i++)
        if (topic->partitions[i].replica_cnt < least) least = topic->partitions[i].replica_cnt;
    return least;
}

/* A record's value, where it is text of a size to look at. */
static void say_value(work *w, const buf *value) {
    if (!value->len || value->len > MOST_SAMPLE || !json_text_is_utf8(value->data, value->len))
        return;
    buf_put_text(w->out, "\"value\":");
    json_text_put(w->out, value->data, value->len);
    buf_put_char(w->out, ',');
}

/* Where nobody asks for rights, an empty topic need not be read. */
static void try_read(work *w, const char *topic, sample last) {
    if (!w->has_rules && last.offset < 0) return;
    buf value;
    buf_init(&value);
    rd_kafka_resp_err_t code =
        kafka_try_read(&w->client, topic, last.partition, last.offset, &value);
    if (w->has_rules) kafka_say_flag(w->out, "tried", true);
    if (code) kafka_say_text(w->out, "read_error", rd_kafka_err2name(code));
    say_value(w, &value);
    buf_done(&value);
}

static void try_write(work *w, const char *topic, int64_t max_bytes) {
    if (!w->has_rules) return;
    bool tried;
    rd_kafka_resp_err_t code =
        kafka_try_write(w->wanted->options, w->system, topic, max_bytes, &tried);
    kafka_say_flag(w->out, "tried", tried);
    if (code) kafka_say_text(w->out, "write_error", rd_kafka_err2name(code));
}

static void say_missing(work *w, const char *topic) {
    kafka_say_flag(w->out, "missing", true);
    char *near = kafka_near_topic(&w->client, topic);
    if (near) kafka_say_text(w->out, "near", near);
    mem_free(near);
    if (w->wanted->is_source) return;
    int32_t partitions = (int32_t)option_number(w->wanted->options, "partitions", 1);
    kafka_ask_creatable(&w->client, topic, partitions, w->out);
}

static void say_topic(work *w, const rd_kafka_metadata_topic_t *topic) {
    if (topic->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
        (!topic->err && !topic->partition_cnt)) {
        say_missing(w, topic->topic);
        return;
    }
    if (topic->err) {
        kafka_say_text(w->out, "error", rd_kafka_err2name(topic->err));
        return;
    }
    kafka_say_number(w->out, "partitions", topic->partition_cnt);
    kafka_say_number(w->out, "replicas", least_replicas(topic));
    int64_t max_bytes;
    kafka_ask_configs(&w->client, RD_KAFKA_RESOURCE_TOPIC, topic->topic, w->out, &max_bytes);
    if (!w->wanted->is_source) {
        try_write(w, topic->topic, max_bytes);
        return;
    }
    sample last = { .offset = RD_KAFKA_OFFSET_END };
    say_offsets(w, topic->topic, topic->partition_cnt, &last);
    try_read(w, topic->topic, last);
}

static void look_at_topic(work *w, const char *name) {
    rd_kafka_topic_t *topic = rd_kafka_topic_new(w->client.rk, name, NULL);
    const rd_kafka_metadata_t *answer = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(w->client.rk, 0, topic, &answer, KAFKA_ASK_MS);
    buf_put_char(w->out, '{');
    kafka_say_text(w->out, "name", name);
    if (code || answer->topic_cnt < 1)
        kafka_say_text(w->out, "error", rd_kafka_err2name(code ? code : RD_KAFKA_RESP_ERR_UNKNOWN));
    else
        say_topic(w, &answer->topics[0]);
    kafka_say_end(w->out, '}');
    buf_put_char(w->out, ',');
    if (answer) rd_kafka_metadata_destroy(answer);
    rd_kafka_topic_destroy(topic);
}

/* Those that a pattern means now. */
static void look_at_matching(work *w, const kafka_pattern *pattern) {
    const rd_kafka_metadata_t *answer = NULL;
    uint32_t count = 0;
    buf_put_text(w->out, "\"topics\":[");
    if (!rd_kafka_metadata(w->client.rk, 1, NULL, &answer, KAFKA_ASK_MS)) {
        const char **names = kafka_pattern_names(pattern, answer, &count);
        for (uint32_t i = 0; i < count && i < MOST_TOPICS; i++) look_at_topic(w, names[i]);
        mem_free(names);
        rd_kafka_metadata_destroy(answer);
    }
    kafka_say_end(w->out, ']');
    buf_put_char(w->out, ',');
}

/* The texts of `value`: one, or a list. */
static void look_at_topics(work *w, const sl_value *value) {
    buf_put_text(w->out, "\"topics\":[");
    bool is_list = value && value->kind == SL_TABLE;
    uint32_t count = !value ? 0 : is_list ? value->item_count
                                          : value->kind == SL_TEXT;
    for (uint32_t i = 0; i < count; i++) {
        const sl_value *item = is_list ? &value->items[i] : value;
        if (item->kind != SL_TEXT) continue;
        char *name = mem_copy_text(item->text.data, item->text.len);
        look_at_topic(w, name);
        mem_free(name);
    }
    kafka_say_end(w->out, ']');
    buf_put_char(w->out, ',');
}

/* -- the cluster */

static void say_broker(work *w, const rd_kafka_metadata_t *answer) {
    static const char no_rules[] = "\"authorizer.class.name\":\"\"";
    size_t before = w->out->len;
    char id[16];
    snprintf(id, sizeof id, "%d", answer->broker_cnt ? (int)answer->brokers[0].id : 0);
    buf_put_text(w->out, "\"broker\":{");
    kafka_ask_configs(&w->client, RD_KAFKA_RESOURCE_BROKER, id, w->out, NULL);
    kafka_say_end(w->out, '}');
    buf_put_char(w->out, ',');
    w->has_rules = !strstr(buf_text(w->out) + before, no_rules);
}

static void say_cluster(work *w) {
    const rd_kafka_metadata_t *answer = NULL;
    char *cluster = rd_kafka_clusterid(w->client.rk, KAFKA_ASK_MS);
    kafka_say_text(w->out, "client", rd_kafka_version_str());
    kafka_say_text(w->out, "cluster", cluster);
    if (cluster) rd_kafka_mem_free(w->client.rk, cluster);
    if (!rd_kafka_metadata(w->client.rk, 0, NULL, &answer, KAFKA_ASK_MS)) {
        kafka_say_number(w->out, "broker_count", answer->broker_cnt);
        say_broker(w, answer);
        rd_kafka_metadata_destroy(answer);
    }
    if (w->has_rules) kafka_ask_acls(&w->client, w->out);
}

/* `reads`, `writes`: why librdkafka does it; empty: it does not. */
static void say_way(work *w) {
    kafka_fetch *fetch = NULL;
    kafka_producer *producer = NULL;
    const sl_value *options = w->wanted->options;
    bool is_source = w->wanted->is_source;
    char *reason = is_source ? kafka_fetch_try(&w->client, options, w->system, &fetch)
                             : kafka_producer_new(&w->client, options, w->system, NULL, &producer);
    kafka_say_text(w->out, is_source ? "reads" : "writes", reason ? reason : "");
    kafka_fetch_close(fetch);
    kafka_producer_free(producer);
    mem_free(reason);
}

static void look(work *w) {
    say_cluster(w);
    say_way(w);
    if (w->group) {
        buf_put_text(w->out, "\"group\":{");
        kafka_ask_group(&w->client, w->group, w->out);
        kafka_say_end(w->out, '}');
        buf_put_char(w->out, ',');
    }
    const sl_value *options = w->wanted->options;
    kafka_pattern pattern = { 0 };
    err *e = w->wanted->is_source ? kafka_pattern_read(&pattern, options) : NULL;
    if (e) kafka_say_text(w->out, "error", e->message);
    err_free(e);
    if (pattern.is_set)
        look_at_matching(w, &pattern);
    else
        look_at_topics(w, kafka_option(options, w->wanted->is_source ? "topics" : "topic"));
    kafka_pattern_done(&pattern);
}

static err *open_client(work *w, const sl_system *system) {
    enum { OWN = sizeof settings / sizeof *settings };
    kafka_setting all[OWN + 1];
    memcpy(all, settings, sizeof settings);
    all[OWN] = (kafka_setting){ "group.id", w->group ? w->group : system->pipeline, NULL };
    return kafka_client_open(&w->client, RD_KAFKA_CONSUMER, w->wanted->options, system, all,
                             OWN + 1, NULL);
}

err *kafka_inspect(const kafka_inspection *wanted, const sl_system *system, buf *out,
                   bool *reached) {
    work w = { .wanted = wanted, .system = system, .out = out };
    w.now_ms = clock_now_ms(system->clock);
    if (wanted->is_source) w.group = option_copy(wanted->options, "group", NULL);
    err *e = open_client(&w, system);
    bool is_open = !e;
    buf_put_char(out, '{');
    kafka_say_text(out, "brokers", is_open ? w.client.brokers : NULL);
    if (!e) e = kafka_client_await(&w.client);
    *reached = !e;
    if (!e) look(&w);
    bool is_stopped = e && e->code == ERR_STOPPED;
    if (e && !is_stopped) {
        kafka_say_text(out, "error", e->message);
        err_free(e);
        e = NULL;
    }
    kafka_say_end(out, '}');
    if (is_open) kafka_client_close(&w.client);
    mem_free(w.group);
    return e;
}
