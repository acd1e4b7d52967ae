#include "runtime/flow/delivery.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/connect/options.h"
#include "runtime/flow/held.h"
#include "runtime/flow/side.h"
#include "runtime/operator/extras.h"
#include "runtime/script/sink.h"

enum { SLICE = 1000,
       PLAN_BYTES = 4 << 10,
       MOST_HELD_BYTES = 4 << 20 };

/* Whoever finds connectors may stand in for the script's own sinks, too: tests do. */
static const sl_sink_ops *find_ops(const sl_string *connector, find_sink_ops find) {
    const sl_sink_ops *found = find(connector);
    bool is_script = connector->len == 4 && !memcmp(connector->data, "sink", 4);
    return !found && is_script ? &script_sink_ops : found;
}

void delivery_init_boxes(out_sink *s) {
    outbox_init(&s->retracted);
    outbox_init(&s->rows);
    outbox_init(&s->leaving_retracted);
    outbox_init(&s->leaving_rows);
    outbox_init(&s->waiting_rows);
}

err *delivery_open_sink(out_sink *s, const sl_sink *plan, find_sink_ops find,
                        const sl_system *system) {
    *s = (out_sink){ .plan = plan, .ops = find_ops(&plan->connector, find) };
    delivery_init_boxes(s);
    arena_init(&s->held, PLAN_BYTES);
    if (!s->ops)
        return err_new(ERR_PLAN, "sink `%.*s`: there is no connector `%.*s`",
                       (int)plan->name.len, plan->name.data,
                       (int)plan->connector.len, plan->connector.data);
    s->opened = s->ops == &script_sink_ops ? plan : held_sink(&s->held, plan);
    return s->ops->open(s->opened, system, &s->handle);
}

bool delivery_is_maker(const sl_sink *plan) {
    return option_flag(plan->options, "create", false);
}

/* Where refused rows go, by the plan; UINT32_MAX: nowhere. */
static uint32_t find_refusals(const sl_plan *plan) {
    for (uint32_t i = 0; i < plan->source_count; i++)
        if (plan->sources[i].quarantine >= 0) return (uint32_t)plan->sources[i].quarantine;
    return UINT32_MAX;
}

void delivery_init(delivery *d, const sl_plan *plan) {
    *d = (delivery){ .count = plan->sink_count, .refusals_to = find_refusals(plan) };
    d->sinks = mem_zalloc(plan->sink_count, sizeof *d->sinks);
    arena_init(&d->side_text, 64 << 10);
    arena_init(&d->leaving_text, 64 << 10);
    arena_init(&d->waiting_text, 4 << 10);
}

err *delivery_open(delivery *d, const sl_plan *plan, find_sink_ops find, const sl_system *system) {
    err *missing = NULL;
    delivery_init(d, plan);
    for (uint32_t i = 0; i < plan->sink_count; i++) {
        if (delivery_is_maker(&plan->sinks[i])) continue;
        err *e = delivery_open_sink(&d->sinks[i], &plan->sinks[i], find, system);
        if (e && e->code != ERR_MISSING) return err_join(e, missing);
        missing = err_join(missing, e);
    }
    return missing;
}

err *delivery_open_makers(delivery *d, const sl_plan *plan, find_sink_ops find,
                          const sl_system *system) {
    for (uint32_t i = 0; i < plan->sink_count; i++) {
        if (!delivery_is_maker(&plan->sinks[i])) continue;
        err *e = delivery_open_sink(&d->sinks[i], &plan->sinks[i], find, system);
        if (e) return e;
    }
    return NULL;
}

void delivery_close_sink(out_sink *s) {
    if (s->handle) s->ops->close(s->handle);
    outbox_done(&s->retracted);
    outbox_done(&s->rows);
    outbox_done(&s->leaving_retracted);
    outbox_done(&s->leaving_rows);
    outbox_done(&s->waiting_rows);
    arena_done(&s->held);
    mem_free(s->messages);
}

void delivery_close(delivery *d) {
    for (uint32_t i = 0; i < d->count; i++) delivery_close_sink(&d->sinks[i]);
    mem_free(d->sinks);
    arena_done(&d->side_text);
    arena_done(&d->leaving_text);
    arena_done(&d->waiting_text);
    *d = (delivery){ 0 };
}

void delivery_reset(delivery *d) {
    for (uint32_t i = 0; i < d->count; i++) {
        outbox_reset(&d->sinks[i].retracted);
        outbox_reset(&d->sinks[i].rows);
    }
    arena_reset(&d->side_text, 1u << 20);
}

static void swap_texts(arena *a, arena *b) {
    arena kept = *a;
    *a = *b;
    *b = kept;
}

static void swap_boxes(outbox *a, outbox *b) {
    outbox kept = *a;
    *a = *b;
    *b = kept;
}

void delivery_note_made(delivery *d) {
    for (uint32_t i = 0; i < d->count; i++)
        d->sinks[i].made = d->sinks[i].retracted.count + d->sinks[i].rows.count;
}

void delivery_hand_over(delivery *d) {
    swap_texts(&d->side_text, &d->leaving_text);
    for (uint32_t i = 0; i < d->count; i++) {
        out_sink *s = &d->sinks[i];
        swap_boxes(&s->retracted, &s->leaving_retracted);
        swap_boxes(&s->rows, &s->leaving_rows);
        s->has_kept = false;
    }
    d->was_run = false;
}

static bool borrows(const outbox *box) {
    for (uint32_t i = 0; i < box->count; i++) {
        const out_message *m = &box->items[i];
        if (m->key_data || m->value_data || m->header_count) return true;
    }
    return false;
}

bool delivery_borrows(const delivery *d) {
    for (uint32_t i = 0; i < d->count; i++)
        if (borrows(&d->sinks[i].leaving_retracted) || borrows(&d->sinks[i].leaving_rows))
            return true;
    return false;
}

static size_t bytes_of(const outbox *box) {
    return box->count * sizeof *box->items + box->bytes.len;
}

static size_t borrowed_bytes(const outbox *box) {
    size_t sum = 0;
    for (uint32_t i = 0; i < box->count; i++) {
        const out_message *m = &box->items[i];
        sum += m->key_data ? m->key_len : 0;
        sum += m->value_data ? m->value_len : 0;
        for (uint32_t h = 0; h < m->header_count; h++)
            sum += sizeof *m->headers + m->headers[h].name.len + m->headers[h].value.len;
    }
    return sum;
}

bool delivery_may_hold(const delivery *d) {
    size_t sum = arena_held(&d->waiting_text);
    for (uint32_t i = 0; i < d->count; i++) {
        const out_sink *s = &d->sinks[i];
        sum += bytes_of(&s->waiting_rows) + bytes_of(&s->rows);
        if (s->retracted.count || sum > MOST_HELD_BYTES) return false;
        sum += borrowed_bytes(&s->rows);
    }
    return sum <= MOST_HELD_BYTES;
}

void delivery_hold(delivery *d, int64_t now_ms) {
    for (uint32_t i = 0; i < d->count; i++) {
        out_sink *s = &d->sinks[i];
        for (uint32_t r = 0; r < s->rows.count; r++)
            outbox_keep(&s->waiting_rows, &s->rows, r, now_ms, &d->waiting_text);
    }
}

void delivery_hand_over_held(delivery *d) {
    swap_texts(&d->waiting_text, &d->leaving_text);
    for (uint32_t i = 0; i < d->count; i++) {
        out_sink *s = &d->sinks[i];
        swap_boxes(&s->waiting_rows, &s->leaving_rows);
        outbox_reset(&s->leaving_retracted);
        s->has_kept = false;
    }
    d->was_run = false;
    delivery_drop_held(d);
}

void delivery_drop_held(delivery *d) {
    for (uint32_t i = 0; i < d->count; i++)
        outbox_clear(&d->sinks[i].waiting_rows, MOST_HELD_BYTES);
    arena_reset(&d->waiting_text, 64 << 10);
}

static bool has_handle(const delivery *d, const void *handle) {
    for (uint32_t i = 0; i < d->count; i++)
        if (d->sinks[i].handle == handle) return true;
    return false;
}

const out_sink *delivery_keeper(const delivery *d, const delivery *other) {
    for (uint32_t i = 0; i < d->count; i++) {
        const out_sink *s = &d->sinks[i];
        bool is_outside = s->plan->kind != SL_SINK_TRANSACTIONAL;
        if (s->has_kept && is_outside && !has_handle(other, s->handle)) return s;
    }
    return NULL;
}

void delivery_may_repeat(const delivery *d) {
    for (uint32_t i = 0; i < d->count; i++)
        if (d->sinks[i].ops == &script_sink_ops) script_sink_may_repeat(d->sinks[i].handle);
}

bool delivery_is_in_script(const delivery *d) {
    for (uint32_t i = 0; i < d->count; i++)
        if (d->sinks[i].ops == &script_sink_ops) return true;
    return false;
}

/* A batch that is handed over again has not been refused anything yet. */
static void begin_run(delivery *d) {
    for (uint32_t i = 0; i < d->count; i++) {
        out_sink *s = &d->sinks[i];
        outbox *rows = &s->leaving_rows;
        s->pending = (sink_counters){ 0 };
        if (!d->was_run) s->own_count = rows->count, s->own_bytes = rows->bytes.len;
        rows->count = s->own_count;
        rows->bytes.len = s->own_bytes;
    }
    d->was_run = true;
    d->refusal[0] = '\0';
}

static inline void fill_message(sl_message *message, const outbox *box, const out_message *m,
                                int64_t now_ms, uint32_t row, arena *memory) {
    *message = (sl_message){
        .key = { .data = m->key_null ? NULL : outbox_key(box, m), .len = m->key_len },
        .value = { .data = m->value_null ? NULL : outbox_value(box, m), .len = m->value_len },
        .headers = m->headers,
        .header_count = m->header_count,
        .partition = -1,
        .time_ms = m->has_time ? m->made_ms : now_ms,
        .row = row,
    };
    if (m->extras) extras_read(box, m, message, memory);
}

/* Hand over all of `box`; rows are numbered from `first`. */
static err *write_box(out_sink *s, const outbox *box, int64_t now_ms, uint32_t first,
                      arena *memory) {
    sl_message *messages = s->messages + first;
    for (uint32_t at = 0; at < box->count; at += SLICE) {
        uint32_t count = box->count - at < SLICE ? box->count - at : SLICE;
        for (uint32_t i = at; i < at + count; i++)
            fill_message(&messages[i], box, &box->items[i], now_ms, first + i, memory);
        err *e = s->ops->write(s->handle, messages + at, count);
        if (e) return e;
    }
    return NULL;
}

/* A message that the sink did not take for itself. */
static err *settle_refusal(delivery *d, out_sink *s, const sl_rejection *r) {
    bool retracted = r->row < s->leaving_retracted.count;
    const outbox *box = retracted ? &s->leaving_retracted : &s->leaving_rows;
    const out_message *m = &box->items[retracted ? r->row : r->row - s->leaving_retracted.count];
    bool can_keep = !s->plan->is_side && d->refusals_to != UINT32_MAX;
    if (s->plan->on_error == SL_ON_ERROR_FAIL || !can_keep)
        return err_new(ERR_DATA, "sink `%.*s` refused a row with key %.*s: %s",
                       (int)s->plan->name.len, s->plan->name.data,
                       (int)(m->key_null ? 4 : m->key_len),
                       m->key_null ? "null" : outbox_key(box, m), r->reason);
    s->pending.refused++;
    if (!d->refusal[0]) snprintf(d->refusal, sizeof d->refusal, "%s", r->reason);
    side_write_refused(&d->sinks[d->refusals_to].leaving_rows, &d->leaving_text, box, m, r->reason);
    return NULL;
}

/* Sinks borrow messages until they have flushed: all of a batch stand side by side. */
static void make_room(out_sink *s) {
    uint32_t count = s->leaving_retracted.count + s->leaving_rows.count;
    if (count <= s->room) return;
    mem_free(s->messages);
    s->room = count + count / 4;
    s->messages = mem_alloc(s->room * sizeof *s->messages);
}

static err *run_sink(delivery *d, out_sink *s, uint64_t batch, int64_t now_ms) {
    const sl_rejection *rejections = NULL;
    uint32_t refused = 0;
    /* one with a position counts batches without rows, too */
    if (!s->leaving_retracted.count && !s->leaving_rows.count && !s->ops->position) return NULL;
    make_room(s);
    err *e = s->ops->begin(s->handle, batch, now_ms);
    if (!e) e = write_box(s, &s->leaving_retracted, now_ms, 0, &d->leaving_text);
    if (!e)
        e = write_box(s, &s->leaving_rows, now_ms, s->leaving_retracted.count, &d->leaving_text);
    if (!e) e = s->ops->flush(s->handle, &rejections, &refused);
    s->has_kept |= !e && s->leaving_retracted.count + s->leaving_rows.count;
    for (uint32_t i = 0; !e && i < refused; i++) e = settle_refusal(d, s, &rejections[i]);
    if (e) return err_wrap(e, "sink `%.*s`", (int)s->plan->name.len, s->plan->name.data);
    s->pending.rows = s->leaving_retracted.count + s->leaving_rows.count - refused;
    s->pending.retracted = s->leaving_retracted.count;
    return NULL;
}

err *delivery_run(delivery *d, uint64_t batch, int64_t now_ms) {
    begin_run(d);
    for (int side = 0; side < 2; side++) {
        for (uint32_t i = 0; i < d->count; i++) {
            if ((d->sinks[i].plan->is_side != 0) != side) continue;
            err *e = run_sink(d, &d->sinks[i], batch, now_ms);
            if (e) return e;
        }
    }
    return NULL;
}

err *delivery_judge(const delivery *d, double share) {
    for (uint32_t i = 0; i < d->count; i++) {
        const out_sink *s = &d->sinks[i];
        uint64_t refused = s->pending.refused, all = refused + s->pending.rows;
        if (all < 2 || (double)refused <= share * (double)all) continue;
        return err_new(ERR_DATA,
                       "sink `%.*s` refused %llu of the batch's %llu rows, more than "
                       "max_bad_share = %g allows. The first: %s",
                       (int)s->plan->name.len, s->plan->name.data, (unsigned long long)refused,
                       (unsigned long long)all, share, d->refusal);
    }
    return NULL;
}

void delivery_count(delivery *d) {
    for (uint32_t i = 0; i < d->count; i++) {
        out_sink *s = &d->sinks[i];
        s->counters.rows += s->pending.rows;
        s->counters.retracted += s->pending.retracted;
        s->counters.refused += s->pending.refused;
        s->pending = (sink_counters){ 0 };
    }
}
