/* DESIGN. Where a filter stands behind the aggregation, or only changes are wanted, a second table
 * remembers by (window, group) the hash of what each output was last sent, and 0 where nothing
 * stands. What names the window is its end; of sessions, whose end moves, the pane that holds their
 * start; nothing where the key of a row is its group alone. */
#include <string.h>

/* The whole library inline: a call costs as much as hashing a short key. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "runtime/operator/emission.h"
#include "runtime/operator/fetch.h"
#include "runtime/operator/message.h"
#include "runtime/operator/session.h"
#include "runtime/operator/stored.h"
#include "state/spill.h"

static out_message *add_message(const emission *m, outbox *box, const result *r) {
    out_message *message = outbox_add(box);
    message->source = m->aggregate;
    message->order = r->group.order;
    message->window_start = r->window.start;
    message->window_end = r->window.end;
    return message;
}

/* Start of the pane in the table of what was sent. */
static int64_t sent_pane(const emission *m, const result *r) {
    switch (m->plan->window.kind) {
    case SL_WINDOW_SESSION: return session_pane(m->plan, r->window.start);
    case SL_WINDOW_ROLLING:
    case SL_WINDOW_RUNNING: return INT64_MIN;
    default: return r->window.end;
    }
}

/* Bring in what was sent for results [0, count), where that may be in the base alone. */
static err *fetch_sent(const emission *m, uint32_t count) {
    emit_space *s = m->w->emit;
    table *sent = m->w->sent[m->aggregate];
    if (!sent || !m->w->base) return NULL;
    for (uint32_t i = 0; i < count; i++) {
        const entry *e = s->results[i].group.entry;
        s->sent_panes[i] = table_pane(sent, sent_pane(m, &s->results[i]));
        s->sent_hashes[i] = e->hash;
        s->sent_keys[i] = entry_key(e);
        s->sent_key_lens[i] = entry_key_len(e);
    }
    return fetch_rows(m->w, m->b->plan, stored_groups_number(m->aggregate) + 1, count,
                      s->sent_panes, s->sent_hashes, s->sent_keys, s->sent_key_lens);
}

/* Where the hashes of what was sent for this group stand. */
static uint64_t *sent_hashes(const emission *m, const result *r) {
    table *sent = m->w->sent[m->aggregate];
    const entry *e = r->group.entry;
    if (!sent) return NULL;
    pane *p = table_pane(sent, sent_pane(m, r));
    return entry_state(table_touch(sent, p, e->hash, entry_key(e), entry_key_len(e)));
}

static inline out_message *send_row(const emission *m, uint32_t k, const sl_row *row,
                                    const result *r) {
    uint32_t number = output_number(m->plan->step, k);
    outbox *box = &m->boxes[k];
    out_message *message = add_message(m, box, r);
    if (m->w->key_columns[number]) {
        message_put_both(m->w, number, row, box, message);
        return message;
    }
    message_put_key(m->w, number, &m->step->outputs[k], row, box, message);
    message_put_value(m->w, number, row, box, message);
    return message;
}

/* The same where what was sent is remembered: it may be what stands there. */
static void send_changed(const emission *m, uint32_t k, const sl_row *row, const result *r,
                         uint64_t *sent) {
    outbox *box = &m->boxes[k];
    size_t len_before = box->bytes.len;
    const out_message *message = send_row(m, k, row, r);
    uint64_t hash = XXH3_64bits(box->bytes.data + message->value_at, message->value_len) | 1;
    if (m->plan->only_if_changed && !r->final && sent[k] == hash) {
        box->count--;
        box->bytes.len = len_before;
        return;
    }
    sent[k] = hash;
}

static void retract_row(const emission *m, uint32_t k, const sl_row *row, const result *r,
                        uint64_t *sent) {
    outbox *box = &m->retracted[k];
    out_message *message = add_message(m, box, r);
    message_put_retraction(m->w, output_number(m->plan->step, k), &m->step->outputs[k], row, box,
                           message);
    if (sent) sent[k] = 0;
}

/* The row goes on to other stages. */
static void keep_row(const emission *m, uint32_t i) {
    const emit_space *s = m->w->emit;
    onward_list_keep(&m->w->onward,
                     &(onward){ .row = s->rows[i],
                                .outputs = s->outputs[i],
                                .window_start = s->results[i].window.start,
                                .window_end = s->results[i].window.end,
                                .order = s->results[i].group.order },
                     m->plan->row_size);
}

/* Row `i` to the outputs that feed sinks, with what they were last sent. */
static void send_remembering(const emission *m, uint32_t i) {
    const emit_space *s = m->w->emit;
    const result *r = &s->results[i];
    uint64_t *sent = sent_hashes(m, r);
    for (uint32_t k = 0; k < m->step->output_count; k++) {
        if (m->step->going_on >> k & 1) continue;
        if (s->outputs[i] >> k & 1)
            send_changed(m, k, s->rows[i], r, sent);
        else if (sent[k])
            retract_row(m, k, s->rows[i], r, sent);
    }
}

/* The rows that pass to output `k`. */
static void send_rows(const emission *m, uint32_t k, uint32_t count) {
    const emit_space *s = m->w->emit;
    for (uint32_t i = 0; i < count; i++)
        if (s->outputs[i] >> k & 1) send_row(m, k, s->rows[i], &s->results[i]);
}

err *emit_send(const emission *m, uint32_t count) {
    const sl_step *step = m->step;
    err *e = fetch_sent(m, count);
    if (e) return e;
    for (uint32_t i = 0; step->going_on && i < count; i++)
        if (m->w->emit->outputs[i] & step->going_on) keep_row(m, i);
    if (m->w->sent[m->aggregate]) {
        for (uint32_t i = 0; i < count; i++) send_remembering(m, i);
        return NULL;
    }
    for (uint32_t k = 0; k < step->output_count; k++)
        if (!(step->going_on >> k & 1)) send_rows(m, k, count);
    return NULL;
}

void emit_retract(const emission *m, uint32_t count) {
    emit_space *s = m->w->emit;
    for (uint32_t i = 0; i < count; i++) {
        const result *r = &s->results[i];
        uint64_t *sent = sent_hashes(m, r);
        for (uint32_t k = 0; k < m->step->output_count; k++)
            if (!sent || sent[k]) retract_row(m, k, s->rows[i], r, sent);
        emit_forget_result(m, r);
    }
}

void emit_forget_result(const emission *m, const result *r) {
    table *sent = m->w->sent[m->aggregate];
    const entry *of = r->group.entry;
    pane *p = sent ? table_find_pane(sent, sent_pane(m, r)) : NULL;
    entry *e = p ? table_find(p, of->hash, entry_key(of), entry_key_len(of)) : NULL;
    if (!e) return;
    table_remove(sent, p, e);
    if (pane_is_empty(p)) table_drop_pane(sent, p);
}

void emit_forget_sent(const emission *m, int64_t watermark) {
    table *sent = m->w->sent[m->aggregate];
    uint32_t count;
    if (!sent) return;
    pane *const *panes = table_panes(sent, &count);
    while (count && window_is_late(&m->plan->window, pane_start(panes[0]), watermark)) {
        table_drop_pane(sent, panes[0]);
        panes = table_panes(sent, &count);
    }
}
