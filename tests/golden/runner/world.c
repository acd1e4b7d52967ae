#include "tests/golden/runner/world.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/connect/connectors.h"
#include "runtime/connect/options.h"
#include "tests/golden/runner/text.h"

/* A source that was opened: which partitions it shows, in which order. */
typedef struct shown {
    world_topic *topic;
    uint32_t number;
    int64_t position;
    bool is_new;
} shown;

typedef struct world_source_state {
    world *world;
    char **names; /* topics by the script; owned */
    uint32_t name_count;
    shown *shown; /* owned */
    uint32_t count;
    sl_partition *partitions; /* owned */
    bool opened;
} world_source_state;

void world_init(world *w) { *w = (world){ .clock = { .manual = true } }; }

static void free_record(world_record *r) {
    mem_free(r->key);
    mem_free(r->value);
    for (uint32_t h = 0; h < r->header_count; h++) {
        mem_free((char *)r->headers[h].name.data);
        mem_free((char *)r->headers[h].value.data);
    }
    mem_free(r->headers);
}

static void free_sink(world_sink *s) {
    for (uint32_t i = 0; i < s->line_count; i++) buf_done(&s->lines[i]);
    for (uint32_t i = 0; i < s->held_count; i++) buf_done(&s->held[i]);
    mem_free(s->lines);
    mem_free(s->held);
    mem_free(s->rejections);
    mem_free(s);
}

void world_done(world *w) {
    for (uint32_t t = 0; t < w->topic_count; t++) {
        for (uint32_t p = 0; p < w->topics[t]->count; p++) {
            world_partition *partition = &w->topics[t]->partitions[p];
            for (uint32_t i = 0; i < partition->count; i++) free_record(&partition->records[i]);
            mem_free(partition->records);
        }
        mem_free(w->topics[t]->partitions);
        mem_free(w->topics[t]->name);
        mem_free(w->topics[t]);
    }
    for (uint32_t i = 0; i < w->sink_count; i++) free_sink(w->sinks[i]);
    mem_free(w->topics);
    mem_free(w->sinks);
    mem_free(w->refused);
}

world_topic *world_topic_of(world *w, const char *name, uint32_t partitions) {
    world_topic *topic = NULL;
    for (uint32_t t = 0; t < w->topic_count && !topic; t++)
        if (strcmp(w->topics[t]->name, name) == 0) topic = w->topics[t];
    if (!topic) {
        w->topics = mem_realloc(w->topics, (w->topic_count + 1) * sizeof *w->topics);
        topic = w->topics[w->topic_count++] = mem_alloc(sizeof *topic);
        *topic = (world_topic){ .name = mem_copy_text(name, strlen(name)) };
    }
    if (topic->count >= partitions) return topic;
    topic->partitions = mem_realloc(topic->partitions, partitions * sizeof *topic->partitions);
    while (topic->count < partitions)
        topic->partitions[topic->count++] = (world_partition){ .confirmed_ms = INT64_MIN };
    return topic;
}

world_partition *world_find(world *w, const char *place) {
    const char *slash = strrchr(place, '/');
    if (!slash || !w->topic_count) return NULL;
    unsigned long number = strtoul(slash + 1, NULL, 10);
    for (uint32_t t = 0; t < w->topic_count; t++) {
        world_topic *topic = w->topics[t];
        size_t len = strlen(topic->name);
        bool right = slash == place
                         ? t == 0
                         : (size_t)(slash - place) == len && memcmp(place, topic->name, len) == 0;
        if (right && number < topic->count) return &topic->partitions[number];
    }
    return NULL;
}

static char *copy(const char *data, uint32_t len) { return data ? mem_copy_text(data, len) : NULL; }

void world_append(world_partition *p, const world_record *r) {
    if (p->count == p->room) {
        p->room = p->room ? p->room * 2 : 16;
        p->records = mem_realloc(p->records, p->room * sizeof *p->records);
    }
    world_record *kept = &p->records[p->count++];
    *kept = *r;
    if (kept->offset < 0) kept->offset = p->next;
    p->next = kept->offset + 1;
    kept->key = copy(r->key, r->key_len);
    kept->value = copy(r->value, r->value_len);
    if (!r->header_count) return;
    kept->headers = mem_alloc(r->header_count * sizeof *kept->headers);
    for (uint32_t h = 0; h < r->header_count; h++) {
        const sl_header *from = &r->headers[h];
        kept->headers[h] = (sl_header){
            .name = { .data = copy(from->name.data, from->name.len), .len = from->name.len },
            .value = { .data = copy(from->value.data, from->value.len), .len = from->value.len },
        };
    }
}

/* ---- the source */

static void add_name(world_source_state *s, const char *name, size_t len) {
    s->names = mem_realloc(s->names, (s->name_count + 1) * sizeof *s->names);
    s->names[s->name_count++] = mem_copy_text(name, len);
}

/* Partitions that are not shown yet are appended; those there at first begin at their start. */
static void discover(world_source_state *s) {
    for (uint32_t n = 0; n < s->name_count; n++) {
        world_topic *topic = world_topic_of(s->world, s->names[n], 1);
        uint32_t known = 0;
        for (uint32_t i = 0; i < s->count; i++)
            if (strcmp(s->shown[i].topic->name, topic->name) == 0) known++;
        for (; known < topic->count; known++) {
            s->shown = mem_realloc(s->shown, (s->count + 1) * sizeof *s->shown);
            s->shown[s->count++] = (shown){ .topic = topic, .number = known, .is_new = s->opened };
        }
    }
    s->opened = true;
}

static err *source_open(const sl_source *plan, const sl_system *system, void **source) {
    world_source_state *s = mem_zalloc(1, sizeof *s);
    s->world = (world *)(uintptr_t)system->clock;
    const sl_value *topics = option_table(plan->options, "topics");
    for (uint32_t i = 0; topics && i < topics->item_count; i++)
        add_name(s, topics->items[i].text.data, topics->items[i].text.len);
    if (!topics) {
        sl_string path = option_text(plan->options, "path");
        add_name(s, path.data, path.len);
    }
    for (uint32_t i = 0; i < s->name_count; i++) world_topic_of(s->world, s->names[i], 1);
    *source = s;
    return NULL;
}

static world_partition *partition_of(const shown *one) {
    return &one->topic->partitions[one->number];
}

static err *source_look(void *source, const sl_partition **partitions, uint32_t *count) {
    world_source_state *s = source;
    discover(s);
    s->partitions = mem_realloc(s->partitions, s->count * sizeof *s->partitions);
    for (uint32_t i = 0; i < s->count; i++) {
        world_partition *p = partition_of(&s->shown[i]);
        if (!p->silent) p->confirmed_ms = clock_steady_ms(&s->world->clock);
        s->partitions[i] = (sl_partition){
            .topic = s->shown[i].topic->name,
            .number = (int32_t)s->shown[i].number,
            .ended = p->ended,
            .is_new = s->shown[i].is_new,
            .is_stalled = p->in_transaction,
            .position = s->shown[i].position,
            .end = p->in_transaction ? p->stable : p->next,
            .confirmed_ms = p->confirmed_ms,
        };
    }
    *partitions = s->partitions;
    *count = s->count;
    return NULL;
}

static err *source_confirm(void *source, int64_t timeout_ms) {
    (void)source;
    (void)timeout_ms;
    return NULL;
}

static sl_record record_of(const world_record *r, uint32_t partition, arena *bytes) {
    sl_record out = { .offset = r->offset,
                      .time_ms = r->time_kind ? r->time_ms : -1,
                      .time_kind = r->time_kind,
                      .partition = partition };
    if (r->key)
        out.key = (sl_string){ .data = arena_copy(bytes, r->key, r->key_len), .len = r->key_len };
    if (r->value)
        out.value =
            (sl_string){ .data = arena_copy(bytes, r->value, r->value_len), .len = r->value_len };
    out.headers = r->headers;
    out.header_count = r->header_count;
    return out;
}

static void add_record(sl_records *records, sl_record r) {
    if (records->count == records->room) {
        records->room = records->room ? records->room * 2 : 64;
        records->items = mem_realloc(records->items, records->room * sizeof *records->items);
    }
    records->items[records->count++] = r;
}

/* The range's records, as long as `left` bytes are not used up; at least one of the batch comes. */
static void fetch_range(world_source_state *s, sl_range *range, int64_t *left, sl_records *records,
                        arena *bytes) {
    shown *one = &s->shown[range->partition];
    const world_partition *p = partition_of(one);
    int64_t to = range->from;
    for (uint32_t i = 0; i < p->count; i++) {
        const world_record *r = &p->records[i];
        if (r->offset < range->from || r->offset >= range->to) continue;
        int64_t len = (int64_t)r->key_len + r->value_len;
        if (*left < len && records->count) {
            range->to = r->offset;
            break;
        }
        *left -= len;
        add_record(records, record_of(r, range->partition, bytes));
        to = r->offset + 1;
    }
    if (*left <= 0 && to < range->to && to > range->from) range->to = to;
    one->position = range->to;
    s->partitions[range->partition].position = range->to;
}

static err *source_fetch(void *source, sl_range *ranges, uint32_t count, int64_t max_bytes,
                         int64_t timeout_ms, sl_records *records, arena *bytes) {
    world_source_state *s = source;
    (void)timeout_ms;
    clock_advance(&s->world->clock, s->world->takes_ms);
    s->world->takes_ms = 0;
    for (uint32_t i = 0; i < count; i++) fetch_range(s, &ranges[i], &max_bytes, records, bytes);
    return NULL;
}

static void source_close(void *source) {
    world_source_state *s = source;
    for (uint32_t i = 0; i < s->name_count; i++) mem_free(s->names[i]);
    mem_free(s->names);
    mem_free(s->shown);
    mem_free(s->partitions);
    mem_free(s);
}

/* ---- the sink */

static err *sink_open(const sl_sink *plan, const sl_system *system, void **sink) {
    world *w = (world *)(uintptr_t)system->clock;
    world_sink *s = mem_zalloc(1, sizeof *s);
    s->plan = plan;
    s->world = w;
    w->sinks = mem_realloc(w->sinks, (w->sink_count + 1) * sizeof *w->sinks);
    w->sinks[w->sink_count++] = s;
    *sink = s;
    return NULL;
}

static err *sink_begin(void *sink, uint64_t batch, int64_t now_ms) {
    world_sink *s = sink;
    (void)batch;
    (void)now_ms;
    for (uint32_t i = 0; i < s->held_count; i++) buf_done(&s->held[i]);
    s->held_count = s->rejection_count = 0;
    return NULL;
}

static void add_line(buf **lines, uint32_t *count, buf line) {
    *lines = mem_realloc(*lines, (*count + 1) * sizeof **lines);
    (*lines)[(*count)++] = line;
}

static bool holds(const sl_string *value, const char *text) {
    return text && value->data && memmem(value->data, value->len, text, strlen(text)) != NULL;
}

/* One message as the lines `KEY => VALUE` and, indented, its headers. */
static void hold(world_sink *s, const sl_message *m) {
    buf line;
    buf_init(&line);
    text_put(&line, m->key.data, m->key.len);
    buf_put_text(&line, " => ");
    text_put(&line, m->value.data, m->value.len);
    add_line(&s->held, &s->held_count, line);
    for (uint32_t h = 0; h < m->header_count; h++) {
        buf_init(&line);
        buf_put_text(&line, "  ");
        text_put(&line, m->headers[h].name.data, m->headers[h].name.len);
        buf_put_text(&line, ": ");
        text_put(&line, m->headers[h].value.data, m->headers[h].value.len);
        add_line(&s->held, &s->held_count, line);
    }
    s->kept++;
}

static err *sink_write(void *sink, const sl_message *messages, uint32_t count) {
    world_sink *s = sink;
    for (uint32_t i = 0; i < count; i++) {
        if (s->plan->is_side || !holds(&messages[i].value, s->world->refused)) {
            hold(s, &messages[i]);
            continue;
        }
        s->rejections =
            mem_realloc(s->rejections, (s->rejection_count + 1) * sizeof *s->rejections);
        s->rejections[s->rejection_count++] =
            (sl_rejection){ .row = messages[i].row, .reason = "message too large" };
    }
    return NULL;
}

static err *sink_flush(void *sink, const sl_rejection **rejections, uint32_t *count) {
    world_sink *s = sink;
    if (s->world->has_failing_sink && !s->plan->is_side) return err_new(ERR_IO, "disk full");
    for (uint32_t i = 0; i < s->held_count; i++) add_line(&s->lines, &s->line_count, s->held[i]);
    s->held_count = 0;
    *rejections = s->rejections;
    *count = s->rejection_count;
    return NULL;
}

static void sink_close(void *sink) { (void)sink; } /* its lines outlive it: the world frees it */

static const sl_source_ops source_ops = {
    .name = "memory",
    .open = source_open,
    .look = source_look,
    .confirm = source_confirm,
    .wait = source_confirm,
    .fetch = source_fetch,
    .close = source_close,
};
static const sl_sink_ops sink_ops = {
    .name = "memory",
    .open = sink_open,
    .begin = sink_begin,
    .write = sink_write,
    .flush = sink_flush,
    .close = sink_close,
};

const sl_source_ops *world_source(const sl_string *name) {
    static const char generator[] = "generator";
    bool is_generator =
        name->len == sizeof generator - 1 && !memcmp(name->data, generator, name->len);
    return is_generator ? connector_source(name) : &source_ops;
}

const sl_sink_ops *world_sink_of(const sl_string *name) {
    (void)name;
    return &sink_ops;
}
