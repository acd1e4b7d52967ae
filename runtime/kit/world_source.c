/* Sources of a world: records of its topics, in ranges. */
#include <stdlib.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/connect/connectors.h"
#include "runtime/connect/kafka_pattern.h"
#include "runtime/connect/options.h"
#include "runtime/kit/world.h"

/* A source that was opened: which partitions it shows, in which order. */
typedef struct shown {
    world_topic *topic;
    uint32_t number;
    int64_t position;
    bool is_new;
} shown;

typedef struct world_source_state {
    world *world;
    char **names; /* topics by the script, or found by its pattern; owned */
    uint32_t name_count;
    shown *shown; /* owned */
    uint32_t count;
    sl_partition *partitions; /* owned */
    bool opened;
    sl_resume *resume; /* what earlier runs read; NULL: there were none */
    void *resume_arg;
    kafka_pattern pattern; /* of topics, or not set */
} world_source_state;

static void add_name(world_source_state *s, const char *name, size_t len) {
    s->names = mem_realloc(s->names, (s->name_count + 1) * sizeof *s->names);
    s->names[s->name_count++] = mem_copy_text(name, len);
}

static bool has_name(const world_source_state *s, const char *name) {
    for (uint32_t n = 0; n < s->name_count; n++)
        if (strcmp(s->names[n], name) == 0) return true;
    return false;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Topics that match and are not known yet, by name. */
static void find_by_pattern(world_source_state *s) {
    uint32_t before = s->name_count;
    for (uint32_t t = 0; s->pattern.is_set && t < s->world->topic_count; t++) {
        const char *name = s->world->topics[t]->name;
        if (!has_name(s, name) && kafka_pattern_matches(&s->pattern, name))
            add_name(s, name, strlen(name));
    }
    if (s->name_count > before)
        qsort(s->names + before, s->name_count - before, sizeof *s->names, compare_names);
}

/* A partition as it is found: at first where an earlier run left it. */
static shown show(const world_source_state *s, world_topic *topic, uint32_t number) {
    shown made = { .topic = topic, .number = number, .is_new = s->opened };
    if (s->opened || !s->resume) return made;
    int32_t how = s->resume(s->resume_arg, topic->name, (int32_t)number, &made.position);
    made.is_new = how == SL_APPEARED;
    return made;
}

/* Partitions that are not shown yet are appended; those there at first begin at their start. */
static void discover(world_source_state *s) {
    find_by_pattern(s);
    for (uint32_t n = 0; n < s->name_count; n++) {
        world_topic *topic = world_topic_of(s->world, s->names[n], 1);
        uint32_t known = 0;
        for (uint32_t i = 0; i < s->count; i++)
            if (strcmp(s->shown[i].topic->name, topic->name) == 0) known++;
        for (; known < topic->count; known++) {
            s->shown = mem_realloc(s->shown, (s->count + 1) * sizeof *s->shown);
            s->shown[s->count++] = show(s, topic, known);
            if (!s->opened) topic->partitions[known].confirmed_ms = INT64_MIN;
        }
    }
    s->opened = true;
}

static err *source_open(const sl_source *plan, const sl_system *system, void **source) {
    world_source_state *s = mem_zalloc(1, sizeof *s);
    s->world = (world *)(uintptr_t)system->clock;
    s->resume = system->resume;
    s->resume_arg = system->resume_arg;
    *source = s;
    err *e = kafka_pattern_read(&s->pattern, plan->options);
    if (e || s->pattern.is_set) return e;
    const sl_value *topics = option_table(plan->options, "topics");
    if (!topics) topics = option_table(plan->options, "paths");
    for (uint32_t i = 0; topics && i < topics->item_count; i++)
        add_name(s, topics->items[i].text.data, topics->items[i].text.len);
    if (!topics) {
        sl_string path = option_text(plan->options, "path");
        add_name(s, path.data, path.len);
    }
    for (uint32_t i = 0; i < s->name_count; i++) world_topic_of(s->world, s->names[i], 1);
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
    kafka_pattern_done(&s->pattern);
    mem_free(s->names);
    mem_free(s->shown);
    mem_free(s->partitions);
    mem_free(s);
}

static const sl_source_ops source_ops = {
    .name = "memory",
    .open = source_open,
    .look = source_look,
    .confirm = source_confirm,
    .wait = source_confirm,
    .fetch = source_fetch,
    .close = source_close,
};

const sl_source_ops *world_source(const sl_string *name) {
    static const char generator[] = "generator";
    bool is_generator =
        name->len == sizeof generator - 1 && !memcmp(name->data, generator, name->len);
    return is_generator ? connector_source(name) : &source_ops;
}
