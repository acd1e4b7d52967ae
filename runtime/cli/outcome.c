#include "runtime/cli/outcome.h"

#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/cli/shape.h"

enum { TEXT_BYTES = 1 << 20,
       FIRST_SLOTS = 256,
       MOST_ALIKE = 8,       /* rows of one key and window; further ones are told apart by value */
       MOST_SIDES = 10000 }; /* late and quarantined records that are kept */

outcome *outcome_new(const sl_plan *plan) {
    outcome *o = mem_zalloc(1, sizeof *o);
    arena_init(&o->text, TEXT_BYTES);
    o->count = plan->sink_count;
    o->sinks = mem_zalloc(plan->sink_count + 1u, sizeof *o->sinks);
    for (uint32_t i = 0; i < plan->sink_count; i++) {
        const sl_sink *sink = &plan->sinks[i];
        o->sinks[i] = (outcome_sink){ .name = mem_copy_text(sink->name.data, sink->name.len),
                                      .is_side = sink->is_side != 0 };
        shape_of_sink(plan, i, &o->sinks[i].mode);
    }
    return o;
}

void outcome_free(outcome *o) {
    if (!o) return;
    for (uint32_t i = 0; i < o->count; i++) {
        mem_free(o->sinks[i].name);
        mem_free(o->sinks[i].rows);
        mem_free(o->sinks[i].slots);
    }
    arena_done(&o->text);
    mem_free(o->sinks);
    mem_free(o);
}

/* -- which row it is */

static uint64_t mix(uint64_t hash, const sl_string *text) {
    uint64_t word;
    uint32_t i = 0;
    hash = (hash ^ text->len ^ (text->data ? 0 : 0x9e)) * 0x9e3779b97f4a7c15u;
    for (; i + sizeof word <= text->len; i += (uint32_t)sizeof word) {
        memcpy(&word, text->data + i, sizeof word);
        hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
    }
    for (word = 0; i < text->len; i++) word = word << 8 | (unsigned char)text->data[i];
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 32;
}

static bool is_equal(const sl_string *a, const sl_string *b) {
    return (a->data != NULL) == (b->data != NULL) && a->len == b->len &&
           (!a->len || !memcmp(a->data, b->data, a->len));
}

/* Whether the value is part of what a row is. */
static bool by_value(const outcome_sink *s, const outcome_row *r) {
    return !s->mode || r->nth == MOST_ALIKE;
}

static bool is_same(const outcome_sink *s, const outcome_row *a, const outcome_row *b) {
    if (a->hash != b->hash || !is_equal(&a->key, &b->key) || !is_equal(&a->topic, &b->topic))
        return false;
    if (a->nth != b->nth || !is_equal(&a->window, &b->window)) return false;
    return !by_value(s, a) || is_equal(&a->value, &b->value);
}

static uint64_t hash_of(const outcome_sink *s, const outcome_row *r) {
    uint64_t hash = mix(mix(mix(1 + r->nth, &r->key), &r->topic), &r->window);
    return by_value(s, r) ? mix(hash, &r->value) : hash;
}

/* The slot of a row, or the free one where it belongs. */
static uint64_t *slot_of(const outcome_sink *s, const outcome_row *r) {
    uint32_t at = (uint32_t)r->hash & (s->slot_count - 1), half = (uint32_t)(r->hash >> 32);
    for (; s->slots[at]; at = (at + 1) & (s->slot_count - 1))
        if (s->slots[at] >> 32 == half && is_same(s, &s->rows[(uint32_t)s->slots[at] - 1], r))
            break;
    return &s->slots[at];
}

/* Put row `i`, which is none of those that have a slot. */
static void put_slot(outcome_sink *s, uint32_t i) {
    uint64_t hash = s->rows[i].hash;
    uint32_t at = (uint32_t)hash & (s->slot_count - 1);
    while (s->slots[at]) at = (at + 1) & (s->slot_count - 1);
    s->slots[at] = (hash >> 32 << 32) | (i + 1);
}

static void make_room(outcome_sink *s) {
    if (s->count < s->room) return;
    s->room = s->room ? 2 * s->room : 64;
    s->rows = mem_realloc(s->rows, s->room * sizeof *s->rows);
}

static void grow(outcome_sink *s) {
    make_room(s);
    if (2 * (s->count + 1) <= s->slot_count) return;
    s->slot_count = s->slot_count ? 2 * s->slot_count : FIRST_SLOTS;
    mem_free(s->slots);
    s->slots = mem_zalloc(s->slot_count, sizeof *s->slots);
    for (uint32_t i = 0; i < s->count; i++) put_slot(s, i);
}

/* -- messages */

static sl_string copy(outcome *o, const sl_string *text) {
    if (!text->data) return (sl_string){ 0 };
    return (sl_string){ .data = arena_copy(&o->text, text->data, text->len), .len = text->len };
}

static const sl_header *copy_headers(outcome *o, const sl_message *m) {
    if (!m->header_count) return NULL;
    sl_header *made = arena_take(&o->text, m->header_count * sizeof *made, _Alignof(sl_header));
    for (uint32_t i = 0; i < m->header_count; i++)
        made[i] = (sl_header){ .name = copy(o, &m->headers[i].name),
                               .value = copy(o, &m->headers[i].value) };
    return made;
}

static void add_side(outcome *o, outcome_sink *s, const sl_message *m) {
    if (s->count == MOST_SIDES) return;
    make_room(s);
    s->rows[s->count++] = (outcome_row){ .key = copy(o, &m->key),
                                         .value = copy(o, &m->value),
                                         .headers = copy_headers(o, m),
                                         .header_count = m->header_count };
}

/* Where a row is, or goes. Under append each is a row of its own, whatever its key. */
static uint64_t *find_slot(outcome_sink *s, outcome_row *r) {
    for (;; r->nth++) {
        r->hash = hash_of(s, r);
        uint64_t *slot = slot_of(s, r);
        if (!*slot || s->mode != SL_APPEND || r->nth == MOST_ALIKE) return slot;
    }
}

void outcome_add(outcome *o, uint32_t sink, const sl_message *m) {
    outcome_sink *s = &o->sinks[sink];
    s->messages++;
    s->retracted += !m->value.data;
    if (s->is_side) {
        add_side(o, s, m);
        return;
    }
    outcome_row r = { .key = m->key, .value = m->value, .topic = m->topic, .times = 1 };
    if (s->mode) r.window = shape_window(&m->key, &m->value);
    grow(s);
    uint64_t *slot = find_slot(s, &r);
    if (*slot) {
        outcome_row *known = &s->rows[(uint32_t)*slot - 1];
        known->times++;
        if (!by_value(s, known)) known->value = copy(o, &m->value);
        return;
    }
    r.window_ms = shape_window_ms(&r.window);
    r.key = copy(o, &m->key);
    r.value = copy(o, &m->value);
    r.topic = copy(o, &m->topic);
    r.window = s->mode ? shape_window(&r.key, &r.value) : (sl_string){ 0 };
    r.order = s->count;
    s->rows[s->count] = r;
    s->count++;
    *slot = (r.hash >> 32 << 32) | s->count;
}

const outcome_row *outcome_find(const outcome_sink *s, const outcome_row *row) {
    if (!s->slot_count) return NULL;
    uint32_t slot = (uint32_t)*slot_of(s, row);
    return slot ? &s->rows[slot - 1] : NULL;
}

const outcome_sink *outcome_named(const outcome *o, const char *name) {
    for (uint32_t i = 0; o && i < o->count; i++)
        if (!strcmp(o->sinks[i].name, name)) return &o->sinks[i];
    return NULL;
}

/* -- sinks */

/* What stands for a sink. */
typedef struct outcome_end {
    outcome *into; /* borrowed */
    uint32_t sink;
} outcome_end;

static err *end_open(const sl_sink *plan, const sl_system *system, void **sink) {
    const outcome_world *world = system->resume_arg;
    (void)plan;
    outcome_end *made = mem_zalloc(1, sizeof *made);
    made->into = world->outcome;
    made->sink = world->outcome->opened++;
    *sink = made;
    return NULL;
}

static err *end_begin(void *sink, uint64_t batch, int64_t now_ms) {
    (void)sink, (void)batch, (void)now_ms;
    return NULL;
}

static err *end_write(void *sink, const sl_message *messages, uint32_t count) {
    const outcome_end *end = sink;
    for (uint32_t i = 0; i < count; i++) outcome_add(end->into, end->sink, &messages[i]);
    return NULL;
}

static err *end_flush(void *sink, const sl_rejection **rejections, uint32_t *count) {
    (void)sink;
    *rejections = NULL;
    *count = 0;
    return NULL;
}

static void end_close(void *sink) { mem_free(sink); }

static const sl_sink_ops end_ops = {
    .name = "outcome",
    .open = end_open,
    .begin = end_begin,
    .write = end_write,
    .flush = end_flush,
    .close = end_close,
};

const sl_sink_ops *outcome_ops(const sl_string *connector) {
    (void)connector;
    return &end_ops;
}
