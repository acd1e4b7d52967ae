/* Sinks of a world: they keep what they get. */
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/kit/world.h"

/* The sink of that name that an earlier run had: several may have one, in the plan's order. */
static world_sink *find_closed(const world *w, const sl_string *name) {
    for (uint32_t i = 0; i < w->sink_count; i++) {
        world_sink *s = w->sinks[i];
        if (!s->plan && strlen(s->name) == name->len && !memcmp(s->name, name->data, name->len))
            return s;
    }
    return NULL;
}

static err *sink_open(const sl_sink *plan, const sl_system *system, void **sink) {
    world *w = (world *)(uintptr_t)system->clock;
    world_sink *s = find_closed(w, &plan->name);
    if (!s) {
        s = mem_zalloc(1, sizeof *s);
        s->name = mem_copy_text(plan->name.data, plan->name.len);
        s->world = w;
        w->sinks = mem_realloc(w->sinks, (w->sink_count + 1) * sizeof *w->sinks);
        w->sinks[w->sink_count++] = s;
    }
    s->plan = plan;
    s->ledger = w->rows_first ? NULL : system->ledger;
    s->kept = 0;
    *sink = s;
    return NULL;
}

static void drop_held(world_sink *s) {
    for (uint32_t i = 0; i < s->held_count; i++) world_record_done(&s->held[i]);
    s->held_count = s->rejection_count = 0;
}

void world_let_go(world *w) {
    for (uint32_t i = 0; i < w->sink_count; i++) {
        drop_held(w->sinks[i]);
        w->sinks[i]->plan = NULL;
        w->sinks[i]->ledger = NULL;
    }
}

static err *sink_begin(void *sink, uint64_t batch, int64_t now_ms) {
    world_sink *s = sink;
    (void)batch;
    (void)now_ms;
    s->kept -= s->held_count;
    drop_held(s);
    return NULL;
}

static void add(world_record **records, uint32_t *count, uint32_t *room, world_record r) {
    if (*count == *room) {
        *room = *room ? *room * 2 : 16;
        *records = mem_realloc(*records, *room * sizeof **records);
    }
    (*records)[(*count)++] = r;
}

static void hold(world_sink *s, const sl_message *m) {
    const world_record r = {
        .time_ms = m->time_ms,
        .key = (char *)(uintptr_t)m->key.data,
        .key_len = m->key.len,
        .value = (char *)(uintptr_t)m->value.data,
        .value_len = m->value.len,
        .headers = (sl_header *)(uintptr_t)m->headers,
        .header_count = m->header_count,
        .partition = m->partition,
        .to_topic = (char *)(uintptr_t)m->topic.data,
        .to_topic_len = m->topic.len,
        .place = (char *)(uintptr_t)m->place.data,
        .place_len = m->place.len,
    };
    add(&s->held, &s->held_count, &s->held_room, world_record_copy(&r));
    s->kept++;
}

static bool holds(const sl_string *value, const char *text) {
    return text && value->data && memmem(value->data, value->len, text, strlen(text)) != NULL;
}

/* Whether the sink is a file, or has a topic of its own: rows need not say where they go. */
static bool has_topic(const sl_sink *plan) {
    const sl_value *options = plan->options;
    bool is_kafka = plan->connector.len == 5 && !memcmp(plan->connector.data, "kafka", 5);
    for (uint32_t i = 0; is_kafka && options && i < options->item_count; i++)
        if (options->items[i].name.len == 5 && !memcmp(options->items[i].name.data, "topic", 5))
            return true;
    return !is_kafka;
}

/* Why the sink does not take a message; NULL: it does. */
static const char *refusal(const world_sink *s, const sl_message *m) {
    if (s->plan->is_side) return NULL;
    if (!m->topic.data && !has_topic(s->plan)) return "its topic is nil";
    if (m->partition == INT32_MAX) return "the topic has no such partition";
    return holds(&m->value, s->world->refused) ? "message too large" : NULL;
}

static err *sink_write(void *sink, const sl_message *messages, uint32_t count) {
    world_sink *s = sink;
    for (uint32_t i = 0; i < count; i++) {
        const char *reason = refusal(s, &messages[i]);
        if (!reason) {
            hold(s, &messages[i]);
            continue;
        }
        s->rejections =
            mem_realloc(s->rejections, (s->rejection_count + 1) * sizeof *s->rejections);
        s->rejections[s->rejection_count++] =
            (sl_rejection){ .row = messages[i].row, .reason = reason };
    }
    return NULL;
}

void world_publish(world_sink *s) {
    for (uint32_t i = 0; i < s->held_count; i++) add(&s->messages, &s->count, &s->room, s->held[i]);
    s->held_count = 0;
}

static err *sink_flush(void *sink, const sl_rejection **rejections, uint32_t *count) {
    world_sink *s = sink;
    if (s->world->has_failing_sink && !s->plan->is_side) return err_new(ERR_IO, "disk full");
    if (!s->ledger) world_publish(s);
    *rejections = s->rejections;
    *count = s->rejection_count;
    return NULL;
}

static void sink_close(void *sink) { (void)sink; } /* what it kept outlives it, in the world */

static const sl_sink_ops sink_ops = {
    .name = "memory",
    .open = sink_open,
    .begin = sink_begin,
    .write = sink_write,
    .flush = sink_flush,
    .close = sink_close,
};

const sl_sink_ops *world_sink_of(const sl_string *name) {
    (void)name;
    return &sink_ops;
}
