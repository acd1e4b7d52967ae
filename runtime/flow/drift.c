#include "runtime/flow/drift.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/codec/codec.h"

static drift_entry *find(drift *d, uint32_t source, const char *path) {
    for (uint32_t i = 0; i < d->count; i++)
        if (d->items[i].source == source && !strcmp(d->items[i].path, path)) return &d->items[i];
    return NULL;
}

static drift_entry *add(drift *d, const input *in, uint32_t source, const drift_name *name) {
    const sl_partition *at = &in->partitions[name->partition];
    if (d->count == d->room) {
        d->room = d->room ? 2 * d->room : 16;
        d->items = mem_realloc(d->items, d->room * sizeof *d->items);
    }
    drift_entry *e = &d->items[d->count++];
    *e = (drift_entry){
        .source = source,
        .path = mem_copy_text(name->path, strlen(name->path)),
        .topic = mem_copy_text(at->topic, strlen(at->topic)),
        .partition = at->number,
        .offset = name->offset,
        .next = 1,
    };
    return e;
}

/* Several workers may see a name first: the earlier record of a partition is meant. */
static void see_earlier(drift_entry *e, const input *in, const drift_name *name) {
    if (e->next > 1 || name->partition >= in->partition_count) return;
    const sl_partition *at = &in->partitions[name->partition];
    if (at->number == e->partition && !strcmp(at->topic, e->topic) && name->offset < e->offset)
        e->offset = name->offset;
}

static void tell(const drift_entry *e, const input *in, logger *log) {
    char *source = mem_copy_text(in->plan->name.data, in->plan->name.len);
    char message[512];
    snprintf(message, sizeof message, "unknown field `%s` since %s/%" PRId32 " @ %" PRId64, e->path,
             e->topic, e->partition, e->offset);
    log_warn(log, message, log_text("source", source), log_number("count", e->count));
    mem_free(source);
}

/* Tell what is new, and what has grown. */
static void tell_due(drift *d, const pipeline *p, logger *log) {
    for (uint32_t i = 0; i < d->count; i++) {
        drift_entry *e = &d->items[i];
        if (e->count < e->next) continue;
        tell(e, &p->inputs[e->source], log);
        for (e->next = DRIFT_AGAIN; e->next <= e->count; e->next *= 10) {
        }
    }
}

static void look_at(drift *d, const pipeline *p, uint32_t source, const decoder *from) {
    const input *in = &p->inputs[source];
    const drift_name *names;
    uint64_t others;
    uint32_t count = decoder_drift(from, &names, &others);
    d->others += others;
    for (uint32_t i = 0; i < count; i++) {
        drift_entry *e = find(d, source, names[i].path);
        if (!e && names[i].partition >= in->partition_count) continue;
        if (!e) e = add(d, in, source, &names[i]);
        see_earlier(e, in, &names[i]);
        e->count += names[i].count;
    }
}

void drift_look(drift *d, const pipeline *p, logger *log) {
    d->others = 0;
    for (uint32_t i = 0; i < d->count; i++) d->items[i].count = 0;
    for (uint32_t w = 0; w < crew_count(p->crew); w++) {
        const worker *from = crew_worker(p->crew, w);
        for (uint32_t s = 0; s < p->input_count; s++)
            if (from->decoders[s]) look_at(d, p, s, from->decoders[s]);
    }
    tell_due(d, p, log);
}

void drift_done(drift *d) {
    for (uint32_t i = 0; i < d->count; i++) {
        mem_free(d->items[i].path);
        mem_free(d->items[i].topic);
    }
    mem_free(d->items);
    *d = (drift){ 0 };
}
