#include "runtime/connect/kafka_topics.h"

#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/mem.h"
#include "runtime/connect/kafka_admin.h"
#include "runtime/connect/kafka_near.h"
#include "runtime/connect/kafka_partitioner.h"

enum {
    AGAIN_MS = 5000, /* a missing topic is asked for again, not for each row */
    WARM_MS = 1000,
    NAME_BYTES = 249,
    FIRST_SLOTS = 64,
};

void kafka_topics_drop(kafka_topics *t) {
    for (uint32_t i = 0; i < t->count; i++) {
        if (t->items[i]->handle) rd_kafka_topic_destroy(t->items[i]->handle);
        t->items[i]->handle = NULL;
    }
}

void kafka_topics_done(kafka_topics *t) {
    kafka_topics_drop(t);
    for (uint32_t i = 0; i < t->count; i++) {
        mem_free(t->items[i]->name);
        mem_free(t->items[i]->reason);
        mem_free(t->items[i]);
    }
    mem_free(t->items);
    mem_free(t->slots);
    *t = (kafka_topics){ 0 };
}

static bool is_named(const kafka_target *target, const char *name, size_t len) {
    return target->name_len == len && memcmp(target->name, name, len) == 0;
}

/* The slot where `name` is, or would be. `slot_count` is a power of two, never full. */
static uint32_t *slot_of(const kafka_topics *t, const char *name, size_t len) {
    uint32_t at = kafka_murmur2(name, len) & (t->slot_count - 1);
    while (t->slots[at] && !is_named(t->items[t->slots[at] - 1], name, len))
        at = (at + 1) & (t->slot_count - 1);
    return &t->slots[at];
}

static void grow_slots(kafka_topics *t) {
    if (t->slot_count && 2 * (t->count + 1) < t->slot_count) return;
    mem_free(t->slots);
    t->slot_count = t->slot_count ? 2 * t->slot_count : FIRST_SLOTS;
    t->slots = mem_zalloc(t->slot_count, sizeof *t->slots);
    for (uint32_t i = 0; i < t->count; i++)
        *slot_of(t, t->items[i]->name, t->items[i]->name_len) = i + 1;
}

static kafka_target *add(kafka_topics *t, const char *name, size_t len) {
    grow_slots(t);
    if (t->count == t->room) {
        t->room = t->room ? 2 * t->room : 8;
        t->items = mem_realloc(t->items, t->room * sizeof *t->items);
    }
    kafka_target *target = mem_zalloc(1, sizeof *target);
    target->name = mem_copy_text(name, len);
    target->name_len = len;
    uint32_t *slot = slot_of(t, name, len);
    t->items[t->count++] = target;
    *slot = t->count;
    return target;
}

/* What Kafka allows as a topic's name. */
static bool is_name(const char *name) {
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t len = strlen(name);
    return len > 0 && len <= NAME_BYTES && strspn(name, allowed) == len &&
           strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static void refuse(kafka_target *target, char *reason) {
    mem_free(target->reason);
    target->reason = reason;
    target->asked_ms = kafka_now_ms();
}

/* All of the cluster's names are asked for, which rows with other topics each must not do. */
static void put_near(kafka_topics *t, kafka_client *c, const char *name, buf *text) {
    int64_t now_ms = kafka_now_ms();
    if (t->near_ms && now_ms - t->near_ms < AGAIN_MS) return;
    t->near_ms = now_ms;
    kafka_near_put(c, name, text);
}

static void refuse_missing(kafka_topics *t, kafka_client *c, kafka_target *target) {
    buf text;
    char *command = kafka_create_command(c, target->name, t->partitions > 0 ? t->partitions : 4);
    buf_init(&text);
    buf_printf(&text, "topic %s does not exist on %s", target->name, c->brokers);
    put_near(t, c, target->name, &text);
    buf_printf(&text, " (make it: %s; or write create = true)", command);
    mem_free(command);
    refuse(target, mem_copy_text(buf_text(&text), text.len));
    buf_done(&text);
}

/* Ask for the topic's partitions; make it if it may be. */
static err *ask(kafka_topics *t, kafka_client *c, kafka_target *target) {
    bool is_missing = false;
    err *e = kafka_client_partitions(c, target->handle, &target->partition_count, &is_missing);
    if (!e && is_missing && t->may_create) {
        e = kafka_topic_create(c, target->name, t->partitions);
        if (!e) e = kafka_client_partitions(c, target->handle, &target->partition_count, NULL);
        is_missing = false;
    }
    if (e) return e;
    if (is_missing) {
        target->partition_count = 0;
        refuse_missing(t, c, target);
        return NULL;
    }
    mem_free(target->reason);
    target->reason = NULL;
    return NULL;
}

static rd_kafka_topic_t *open_topic(const kafka_topics *t, kafka_client *c, const char *name) {
    if (!t->compression) return rd_kafka_topic_new(c->rk, name, NULL);
    char text[256];
    rd_kafka_topic_conf_t *conf = rd_kafka_default_topic_conf_dup(c->rk);
    rd_kafka_topic_conf_set(conf, "compression.type", t->compression, text, sizeof text);
    return rd_kafka_topic_new(c->rk, name, conf);
}

/* A new handle asks for its topics now, not with the first message: that would wait a second
 * (facts: 5, first transaction). */
static void warm_up(kafka_client *c, const kafka_target *target) {
    const rd_kafka_metadata_t *answer = NULL;
    if (!rd_kafka_metadata(c->rk, 0, target->handle, &answer, WARM_MS))
        rd_kafka_metadata_destroy(answer);
}

err *kafka_topics_find(kafka_topics *t, kafka_client *c, const char *name, size_t len,
                       kafka_target **found) {
    kafka_target *target = t->last;
    if (!target || !is_named(target, name, len)) {
        uint32_t index = t->slot_count ? *slot_of(t, name, len) : 0;
        target = index ? t->items[index - 1] : add(t, name, len);
        t->last = target;
    }
    *found = target;
    if (target->partition_count && target->handle) return NULL;
    if (strlen(target->name) != len || !is_name(target->name)) {
        static const char bad[] = "Kafka does not allow the name that its topic has";
        if (!target->reason) refuse(target, mem_copy_text(bad, sizeof bad - 1));
        return NULL;
    }
    bool is_new = !target->handle;
    if (is_new) target->handle = open_topic(t, c, target->name);
    if (is_new && target->partition_count) warm_up(c, target);
    if (target->partition_count) return NULL; /* keys keep their partitions */
    if (target->reason && kafka_now_ms() - target->asked_ms < AGAIN_MS) return NULL;
    return ask(t, c, target);
}
