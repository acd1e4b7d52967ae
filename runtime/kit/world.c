#include "runtime/kit/world.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/mem.h"
#include "state/store_memory.h"

void world_init(world *w) { *w = (world){ .clock = { .manual = true } }; }

void world_record_done(world_record *r) {
    mem_free(r->key);
    mem_free(r->value);
    mem_free(r->to_topic);
    mem_free(r->place);
    for (uint32_t h = 0; h < r->header_count; h++) {
        mem_free((char *)r->headers[h].name.data);
        mem_free((char *)r->headers[h].value.data);
    }
    mem_free(r->headers);
}

static char *copy(const char *data, uint32_t len) { return data ? mem_copy_text(data, len) : NULL; }

world_record world_record_copy(const world_record *r) {
    world_record made = *r;
    made.key = copy(r->key, r->key_len);
    made.value = copy(r->value, r->value_len);
    made.to_topic = copy(r->to_topic, r->to_topic_len);
    made.place = copy(r->place, r->place_len);
    made.headers = NULL;
    if (!r->header_count) return made;
    made.headers = mem_alloc(r->header_count * sizeof *made.headers);
    for (uint32_t h = 0; h < r->header_count; h++) {
        const sl_header *from = &r->headers[h];
        made.headers[h] = (sl_header){
            .name = { .data = copy(from->name.data, from->name.len), .len = from->name.len },
            .value = { .data = copy(from->value.data, from->value.len), .len = from->value.len },
        };
    }
    return made;
}

static void free_topic(world_topic *topic) {
    for (uint32_t p = 0; p < topic->count; p++) {
        world_partition *partition = &topic->partitions[p];
        for (uint32_t i = 0; i < partition->count; i++) world_record_done(&partition->records[i]);
        mem_free(partition->records);
    }
    mem_free(topic->partitions);
    mem_free(topic->name);
    mem_free(topic);
}

void world_forget(world_sink *s) {
    for (uint32_t i = 0; i < s->count; i++) world_record_done(&s->messages[i]);
    s->count = 0;
}

static void free_sink(world_sink *s) {
    world_forget(s);
    for (uint32_t i = 0; i < s->held_count; i++) world_record_done(&s->held[i]);
    mem_free(s->name);
    mem_free(s->messages);
    mem_free(s->held);
    mem_free(s->rejections);
    mem_free(s);
}

void world_done(world *w) {
    for (uint32_t t = 0; t < w->topic_count; t++) free_topic(w->topics[t]);
    for (uint32_t i = 0; i < w->sink_count; i++) free_sink(w->sinks[i]);
    mem_free(w->topics);
    mem_free(w->sinks);
    world_ledger_done(&w->ledger);
    if (*w->store) store_memory_remove(strchr(w->store, ':') + 1);
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

void world_append(world_partition *p, const world_record *r) {
    if (p->count == p->room) {
        p->room = p->room ? p->room * 2 : 16;
        p->records = mem_realloc(p->records, p->room * sizeof *p->records);
    }
    world_record *kept = &p->records[p->count++];
    *kept = world_record_copy(r);
    if (kept->offset < 0) kept->offset = p->next;
    p->next = kept->offset + 1;
}
