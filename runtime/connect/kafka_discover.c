#include "runtime/connect/kafka_discover.h"

#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/mem.h"
#include "runtime/connect/kafka_near.h"
#include "runtime/connect/kafka_options.h"

enum { SUGGESTED_PARTITIONS = 4 };

/* Add a topic at the end. The list may move, what it points to does not. */
static kafka_topic *add_topic(kafka_source *s, const char *name, size_t len) {
    kafka_topic *topic = mem_zalloc(1, sizeof *topic);
    topic->name = mem_copy_text(name, len);
    if (s->client.rk) topic->handle = rd_kafka_topic_new(s->client.rk, topic->name, NULL);
    pthread_mutex_lock(&s->lock);
    if (s->topic_count == s->topic_room) {
        s->topic_room = s->topic_room ? 2 * s->topic_room : 8;
        s->topics = mem_realloc(s->topics, s->topic_room * sizeof(kafka_topic *));
    }
    s->topics[s->topic_count++] = topic;
    pthread_mutex_unlock(&s->lock);
    return topic;
}

static err *read_names(kafka_source *s, const sl_value *topics) {
    bool is_list = topics && topics->kind == SL_TABLE;
    uint32_t count = !topics ? 0 : is_list ? topics->item_count
                                           : 1;
    const sl_value *items = is_list ? topics->items : topics;
    if (!count) return err_new(ERR_PLAN, "option topics: a name or a list of names is wanted");
    for (uint32_t i = 0; i < count; i++) add_topic(s, items[i].text.data, items[i].text.len);
    return NULL;
}

err *kafka_discover_read(kafka_source *s, const sl_value *options) {
    err *e = kafka_pattern_read(&s->pattern, options);
    if (e || s->pattern.is_set) return e;
    return read_names(s, kafka_option(options, "topics"));
}

void kafka_discover_done(kafka_source *s) {
    for (uint32_t i = 0; i < s->topic_count; i++) {
        mem_free(s->topics[i]->name);
        mem_free(s->topics[i]);
    }
    mem_free(s->topics);
    kafka_pattern_done(&s->pattern);
}

static bool is_known(const kafka_source *s, const char *name) {
    for (uint32_t i = 0; i < s->topic_count; i++)
        if (strcmp(s->topics[i]->name, name) == 0) return true;
    return false;
}

void kafka_discover_new(kafka_source *s, const rd_kafka_metadata_t *answer) {
    uint32_t count;
    if (!s->pattern.is_set) return;
    const char **names = kafka_pattern_names(&s->pattern, answer, &count);
    for (uint32_t i = 0; i < count; i++)
        if (!is_known(s, names[i])) add_topic(s, names[i], strlen(names[i]));
    mem_free(names);
}

/* Ask the cluster for all its topics, and take those that match. */
static err *find_matching(kafka_source *s) {
    const rd_kafka_metadata_t *answer = NULL;
    err *e = kafka_client_await(&s->client);
    if (e) return e;
    rd_kafka_resp_err_t code = rd_kafka_metadata(s->client.rk, 1, NULL, &answer, KAFKA_START_MS);
    if (code)
        return err_new(ERR_BROKER, "asking %s for its topics: %s", s->client.brokers,
                       rd_kafka_err2str(code));
    kafka_discover_new(s, answer);
    rd_kafka_metadata_destroy(answer);
    if (s->topic_count) return NULL;
    return err_new(ERR_BROKER,
                   "no topic on %s has a name that matches the pattern `%.*s` as a whole "
                   "(one must be there at the start, others may come later)",
                   s->client.brokers, (int)s->pattern.text.len, s->pattern.text.data);
}

/* All that are missing in one message, each with the command that makes it. */
static err *missing_topics(kafka_source *s, const bool *is_missing) {
    buf names, commands, meant;
    uint32_t count = 0;
    buf_init(&names);
    buf_init(&commands);
    buf_init(&meant);
    for (uint32_t i = 0; i < s->topic_count; i++) {
        if (!is_missing[i]) continue;
        char *command = kafka_create_command(&s->client, s->topics[i]->name, SUGGESTED_PARTITIONS);
        buf_printf(&names, "%s%s", count++ ? ", " : "", s->topics[i]->name);
        buf_printf(&commands, "%s%s", commands.len ? "; " : "", command);
        char *near = kafka_near_topic(&s->client, s->topics[i]->name);
        if (near) buf_printf(&meant, "%s`%s`", meant.len ? ", " : ": did you mean ", near);
        mem_free(near);
        mem_free(command);
    }
    bool one = count == 1;
    err *e = err_new(ERR_MISSING,
                     "topic%s %s %s not exist on %s%s%s (check the name%s, or make %s: %s)",
                     one ? "" : "s", buf_text(&names), one ? "does" : "do", s->client.brokers,
                     buf_text(&meant), meant.len ? "?" : "", one ? "" : "s", one ? "it" : "them",
                     buf_text(&commands));
    buf_done(&names);
    buf_done(&commands);
    buf_done(&meant);
    return e;
}

/* Ask for each topic once; `*missing`: how many there are not. */
static err *ask_all(kafka_source *s, bool *is_missing, uint32_t *missing) {
    *missing = 0;
    for (uint32_t i = 0; i < s->topic_count; i++) {
        kafka_topic *topic = s->topics[i];
        is_missing[i] = false;
        if (topic->partition_count) continue;
        err *e = kafka_client_partitions(&s->client, topic->handle, &topic->partition_count,
                                         &is_missing[i]);
        if (e) return e;
        if (is_missing[i]) topic->partition_count = 0;
        *missing += is_missing[i];
    }
    return NULL;
}

err *kafka_discover(kafka_source *s, int32_t *total) {
    err *e = s->pattern.is_set && !s->topic_count ? find_matching(s) : NULL;
    if (e) return e;
    int64_t start_ms = kafka_now_ms();
    bool *is_missing = mem_zalloc(s->topic_count, sizeof *is_missing);
    uint32_t missing = 0;
    for (;;) { /* a topic may be new: the brokers do not learn of it at once */
        e = ask_all(s, is_missing, &missing);
        if (e || !missing || kafka_now_ms() - start_ms >= KAFKA_UNKNOWN_MS) break;
        rd_kafka_poll(s->client.rk, KAFKA_SLICE_MS);
    }
    if (!e && missing) e = missing_topics(s, is_missing);
    mem_free(is_missing);
    *total = 0;
    for (uint32_t i = 0; !e && i < s->topic_count; i++) *total += s->topics[i]->partition_count;
    return e;
}
