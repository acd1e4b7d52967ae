#include "runtime/cli/results.h"

#include <string.h>

#include "runtime/base/json_text.h"
#include "runtime/base/mem.h"
#include "runtime/cli/plan_options.h"
#include "runtime/cli/results_state.h"
#include "runtime/cli/shape.h"

results *results_new(const sl_plan *plan, const char *connector) {
    results *r = mem_zalloc(1, sizeof *r);
    r->plan = plan;
    r->tables = mem_zalloc(plan->sink_count, sizeof *r->tables);
    pthread_mutex_init(&r->lock, NULL);
    for (uint32_t i = 0; i < plan->sink_count; i++) {
        const sl_sink *sink = &plan->sinks[i];
        if (!plan_is(&sink->connector, connector)) continue;
        result_table *t = &r->tables[r->count++];
        *t = (result_table){ .sink = i, .name = &sink->name, .is_side = sink->is_side != 0 };
        if (!t->is_side) t->shape = shape_of_sink(plan, i, &t->mode);
        t->is_keyed = t->mode != 0;
    }
    return r;
}

void results_free(results *r) {
    if (!r) return;
    for (uint32_t t = 0; t < r->count; t++)
        for (uint32_t i = 0; i < r->tables[t].count; i++) mem_free(r->tables[t].items[i].text);
    pthread_mutex_destroy(&r->lock);
    mem_free(r->tables);
    mem_free(r);
}

uint32_t results_count(const results *r) { return r->count; }
uint32_t results_sink(const results *r, uint32_t table) { return r->tables[table].sink; }

/* -- keeping */

static int64_t window_start_of(const sl_record *m) {
    sl_string window = shape_window(&m->key, &m->value);
    return shape_window_ms(&window);
}

static result *find_key(result_table *t, const sl_string *key) {
    for (uint32_t i = 0; i < t->count; i++) {
        result *x = &t->items[i];
        if (x->has_key == (key->data != NULL) && x->key_len == key->len &&
            !memcmp(x->text, key->data ? key->data : "", key->len))
            return x;
    }
    return NULL;
}

static void drop(result_table *t, result *x) {
    mem_free(x->text);
    *x = t->items[--t->count];
}

/* The one to go when there are too many: of the oldest window, then the oldest. */
static result *find_oldest(result_table *t) {
    result *oldest = &t->items[0];
    for (uint32_t i = 1; i < t->count; i++) {
        result *x = &t->items[i];
        bool is_older = x->window_start != oldest->window_start
                            ? x->window_start < oldest->window_start
                            : x->order < oldest->order;
        if (is_older) oldest = x;
    }
    return oldest;
}

static void keep(result_table *t, const sl_record *m, uint64_t order) {
    if (t->count == RESULTS_ROOM) drop(t, find_oldest(t));
    result *x = &t->items[t->count++];
    *x = (result){
        .order = order,
        .window_start = t->is_keyed ? window_start_of(m) : INT64_MIN,
        .text = mem_alloc(m->key.len + m->value.len + 1),
        .key_len = m->key.len,
        .value_len = m->value.len,
        .has_key = m->key.data != NULL,
        .has_value = m->value.data != NULL,
    };
    if (m->key.len) memcpy(x->text, m->key.data, m->key.len);
    if (m->value.len) memcpy(x->text + m->key.len, m->value.data, m->value.len);
}

static void note_reason(result_table *t, const sl_record *m) {
    for (uint32_t i = 0; i < m->header_count; i++) {
        const sl_header *h = &m->headers[i];
        bool is_reason = plan_is(&h->name, "sluice.reason"),
             is_kind = plan_is(&h->name, "sluice.kind");
        if ((!is_reason && !is_kind) || !h->value.data) continue;
        size_t len = h->value.len < sizeof t->reason - 1 ? h->value.len : sizeof t->reason - 1;
        memcpy(t->reason, h->value.data, len);
        t->reason[len] = '\0';
        if (is_reason) return;
    }
}

void results_add(results *r, uint32_t table, const sl_record *m) {
    result_table *t = &r->tables[table];
    pthread_mutex_lock(&r->lock);
    t->seen++;
    if (t->is_side) {
        note_reason(t, m);
    } else {
        result *old = t->is_keyed ? find_key(t, &m->key) : NULL;
        if (old) drop(t, old);
        if (!m->value.data) t->retracted++;
        if (m->value.data) keep(t, m, ++r->order);
    }
    pthread_mutex_unlock(&r->lock);
}

/* -- as JSON */

void results_put_json(const results *r, uint32_t table, const sl_record *m, buf *out) {
    const result_table *t = &r->tables[table];
    bool own_key = t->shape && t->shape->key_kind == SL_KEY_OBJECT && m->key.data;
    buf_put_text(out, "{\"topic\":");
    json_text_put(out, t->name->data, t->name->len);
    buf_put_text(out, ",\"key\":");
    if (own_key)
        buf_put(out, m->key.data, m->key.len);
    else
        json_text_put_bytes(out, m->key.data, m->key.len);
    buf_put_text(out, ",\"value\":");
    if (t->shape && m->value.data)
        buf_put(out, m->value.data, m->value.len);
    else
        json_text_put_bytes(out, m->value.data, m->value.len);
    buf_put_text(out, "}\n");
}
