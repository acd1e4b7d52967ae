/* What was sent of a record: messages name the record, or the aggregation, group and window, that
 * they are made of (outbox.h), whatever later stages made of their columns. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/cli/why_facts.h"

static bool is_header(const sl_header *h, const char *name, const char *value) {
    return h->name.len == strlen(name) && !memcmp(h->name.data, name, h->name.len) &&
           h->value.len == strlen(value) && !memcmp(h->value.data, value, h->value.len);
}

/* Whether a message for late or bad records is this record. */
static bool is_record(const probe *at, const sl_message *m) {
    char number[16], offset[24];
    int found = 0;
    snprintf(number, sizeof number, "%" PRId32, at->number);
    snprintf(offset, sizeof offset, "%" PRId64, at->offset);
    for (uint32_t i = 0; i < m->header_count; i++)
        found += is_header(&m->headers[i], "sluice.topic", at->topic) ||
                 is_header(&m->headers[i], "sluice.partition", number) ||
                 is_header(&m->headers[i], "sluice.offset", offset);
    return found == 3;
}

static why_window *find_window(const why_stage *s, int64_t start, int64_t end) {
    for (uint32_t n = 0; n < s->window_count; n++) {
        why_window *w = &s->windows[n];
        if (w->is_late) continue;
        if (!s->has_bounds) return w;
        if (s->is_own ? start <= s->time_ms && s->time_ms < end
                      : start == w->start && end == w->end)
            return w;
    }
    return NULL;
}

why_window *why_window_of(const why_stage *s, uint32_t aggregate, uint64_t order, int64_t start,
                          int64_t end) {
    bool is_of = s->kind == WHY_AGGREGATION && s->fate == WHY_TAKEN && s->index == aggregate &&
                 s->order == order;
    return is_of ? find_window(s, start, end) : NULL;
}

static void add_row(why_window *w, why_row row) {
    uint32_t at = w->row_count++;
    if (at >= WHY_MOST_ROWS) {
        memmove(&w->rows[1], &w->rows[2], (WHY_MOST_ROWS - 2) * sizeof *w->rows);
        at = WHY_MOST_ROWS - 1;
    }
    w->rows[at] = row;
}

/* A sink may be opened with a copy of its plan. */
static const out_sink *find_sink(const pipeline *p, const sl_sink *opened, uint32_t *index) {
    for (*index = 0; *index < p->out.count; ++*index)
        if (p->out.sinks[*index].opened == opened) return &p->out.sinks[*index];
    return NULL;
}

/* What the message was made of; those that retract stand before the others. */
static const out_message *origin_of(const out_sink *s, uint32_t row) {
    uint32_t retracted = s->leaving_retracted.count;
    return row < retracted ? &s->leaving_retracted.items[row]
                           : &s->leaving_rows.items[row - retracted];
}

static why_row made_row(why_facts *f, uint64_t batch, const sl_sink *sink, const sl_message *m) {
    return (why_row){ .batch = batch,
                      .sink = why_keep_string(f, &sink->name),
                      .value = why_keep_string(f, &m->value) };
}

/* The record's own rows leave in the order of its stages. */
static why_row *own_place(why_facts *f, uint32_t sink) {
    for (uint32_t i = 0; i < f->stage_count; i++) {
        why_stage *s = &f->stages[i];
        bool is = s->kind == WHY_SINK && s->index == sink && s->fate == WHY_TAKEN && s->behind < 0;
        if (is && !s->sent.sink) return &s->sent;
    }
    return NULL;
}

static why_window *window_of(const why_facts *f, const out_message *from) {
    for (uint32_t i = 0; i < f->stage_count; i++) {
        why_window *w = why_window_of(&f->stages[i], from->source, from->order,
                                      from->window_start, from->window_end);
        if (w) return w;
    }
    return NULL;
}

void why_facts_row(why_facts *f, const probe *at, const pipeline *p, uint64_t batch,
                   const sl_sink *sink, const sl_message *m) {
    uint32_t index;
    const out_sink *s = find_sink(p, sink, &index);
    if (!s || !f->is_seen) return;
    why_facts_meet(f, p);
    if (s->plan->is_side) {
        if (!f->aside.sink && is_record(at, m)) f->aside = made_row(f, batch, sink, m);
        return;
    }
    const out_message *from = origin_of(s, m->row);
    if (from->record == NO_RECORD) {
        why_window *w = window_of(f, from);
        if (w) add_row(w, made_row(f, batch, sink, m));
    } else if (batch == f->batch && from->source == f->source_index &&
               from->record == f->record_index) {
        why_row *place = own_place(f, index);
        if (place) *place = made_row(f, batch, sink, m);
    }
}
