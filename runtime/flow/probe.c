#include "runtime/flow/probe.h"

#include <string.h>

#include "runtime/flow/walk.h"

static bool is_it(const probe *at, const source_view *view, uint32_t i) {
    const sl_record *r = &view->records[i];
    if (r->offset != at->offset) return false;
    const sl_partition *p = &view->partitions[r->partition];
    return p->number == at->number && !strcmp(p->topic, at->topic);
}

uint32_t probe_cut(const pipeline *p, const source_view *view, uint32_t first) {
    uint32_t left = view->record_count - first, most = walk_chunk_records(p);
    if (left < most) most = left;
    for (uint32_t i = 0; p->probe && i < most; i++)
        if (is_it(p->probe, view, first + i)) return i ? i : 1;
    return most;
}

void probe_chunk(const probe *at, const pipeline *p, const batch_view *b, const chunk *c) {
    if (c->source == NO_SOURCE) at->results(at->arg, p, b, c);
    if (c->source == NO_SOURCE || c->record_count != 1) return;
    if (is_it(at, &b->sources[c->source], c->first_record)) at->look(at->arg, p, b, c);
}
