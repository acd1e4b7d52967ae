/* DESIGN. The running pipeline's sources as its shadow sees them: the partitions that the running
 * one knew in a batch, and the records that it read. Ends and confirmations say nothing here, the
 * recorded plan has the verdicts that followed from them. */
#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/flow/shadow_inside.h"

static void follow(shadow_mirror *m, const shadow_input *now) {
    m->partitions =
        mem_realloc(m->partitions, (now->partition_count + 1) * sizeof *m->partitions);
    for (uint32_t i = 0; i < now->partition_count; i++) {
        const char *topic = now->partitions[i].topic;
        char *known = i < m->count ? (char *)m->partitions[i].topic
                                   : mem_copy_text(topic, strlen(topic));
        m->partitions[i] = now->partitions[i];
        m->partitions[i].topic = known;
    }
    m->count = now->partition_count;
    m->now = now;
}

void shadow_mirrors_new(shadow *s, const shadow_input *inputs, uint32_t count) {
    s->mirrors = mem_zalloc(count + 1, sizeof *s->mirrors);
    s->mirror_count = count;
    shadow_mirrors_turn(s, inputs);
}

void shadow_mirrors_free(shadow *s) {
    for (uint32_t i = 0; i < s->mirror_count; i++) {
        for (uint32_t p = 0; p < s->mirrors[i].count; p++)
            mem_free((char *)s->mirrors[i].partitions[p].topic);
        mem_free(s->mirrors[i].partitions);
    }
    mem_free(s->mirrors);
    s->mirrors = NULL;
    s->mirror_count = 0;
}

void shadow_mirrors_turn(shadow *s, const shadow_input *inputs) {
    for (uint32_t i = 0; i < s->mirror_count; i++) follow(&s->mirrors[i], &inputs[i]);
}

/* -- sl_source_ops */

/* Sources are opened in the plan's order. */
static err *mirror_open(const sl_source *plan, const sl_system *system, void **source) {
    shadow *s = ((replay *)system->ledger)->source_arg;
    (void)plan;
    *source = &s->mirrors[s->opened++];
    return NULL;
}

static err *mirror_look(void *source, const sl_partition **partitions, uint32_t *count) {
    const shadow_mirror *m = source;
    *partitions = m->partitions;
    *count = m->count;
    return NULL;
}

static err *mirror_wait(void *source, int64_t timeout_ms) {
    (void)source, (void)timeout_ms;
    return NULL;
}

/* All of the batch: it is in memory, and asked for at once. */
static err *mirror_fetch(void *source, sl_range *ranges, uint32_t count, int64_t max_bytes,
                         int64_t timeout_ms, sl_records *records, struct arena *bytes) {
    shadow_mirror *m = source;
    uint32_t more = m->now->record_count;
    (void)max_bytes, (void)timeout_ms, (void)bytes;
    if (records->count + more > records->room) {
        records->room = records->count + more;
        records->items = mem_realloc(records->items, records->room * sizeof *records->items);
    }
    if (more)
        memcpy(records->items + records->count, m->now->records, more * sizeof *records->items);
    records->count += more;
    for (uint32_t i = 0; i < count; i++) m->partitions[ranges[i].partition].position = ranges[i].to;
    return NULL;
}

static void mirror_close(void *source) { (void)source; }

static const sl_source_ops mirror_ops = {
    .name = "shadow",
    .open = mirror_open,
    .look = mirror_look,
    .confirm = mirror_wait,
    .wait = mirror_wait,
    .fetch = mirror_fetch,
    .close = mirror_close,
};

const sl_source_ops *shadow_find_source(const sl_string *name) {
    (void)name;
    return &mirror_ops;
}
