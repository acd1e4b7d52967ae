#include "runtime/flow/shadow_rows.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/mem.h"

enum { CHUNK_BYTES = 8 << 10, /* small batches may wait by the thousand */
       FIRST_ROWS = 16 };

/* -- a list */

void shadow_rows_init(shadow_rows *r) {
    *r = (shadow_rows){ 0 };
    arena_init(&r->bytes, CHUNK_BYTES);
}

void shadow_rows_done(shadow_rows *r) {
    arena_done(&r->bytes);
    mem_free(r->sinks);
    mem_free(r->items);
    *r = (shadow_rows){ 0 };
}

size_t shadow_rows_bytes(const shadow_rows *r) {
    return arena_held(&r->bytes) + r->room * sizeof *r->items;
}

static uint32_t find_sink(shadow_rows *r, const sl_string *name) {
    for (uint32_t i = 0; i < r->sink_count; i++)
        if (r->sinks[i].len == name->len && !memcmp(r->sinks[i].data, name->data, name->len))
            return i;
    r->sinks = mem_realloc(r->sinks, (r->sink_count + 1) * sizeof *r->sinks);
    r->sinks[r->sink_count] =
        (sl_string){ .data = arena_copy(&r->bytes, name->data, name->len), .len = name->len };
    return r->sink_count++;
}

static char *put(char *to, const sl_string *text) {
    if (text->data) memcpy(to, text->data, text->len);
    return to + (text->data ? text->len : 0);
}

static void add(shadow_rows *r, uint32_t sink, const shadow_row *of, sl_string key,
                sl_string value, sl_string extra) {
    if (r->count == r->room) {
        r->room = r->room ? 2 * r->room : FIRST_ROWS;
        r->items = mem_realloc(r->items, r->room * sizeof *r->items);
    }
    shadow_row *row = &r->items[r->count];
    *row = *of;
    row->sink = sink;
    row->number = r->count++;
    row->key_len = key.data ? (int32_t)key.len : -1;
    row->value_len = value.data ? (int32_t)value.len : -1;
    row->extra_len = extra.data ? extra.len : 0;
    size_t len = (key.data ? key.len : 0) + (value.data ? value.len : 0) + row->extra_len;
    char *bytes = arena_take(&r->bytes, len + 1, 1);
    row->bytes = bytes;
    put(put(put(bytes, &key), &value), &extra);
}

void shadow_rows_add(shadow_rows *r, const sl_string *sink, const shadow_row *of, sl_string key,
                     sl_string value, sl_string extra) {
    add(r, find_sink(r, sink), of, key, value, extra);
}

static void take_box(shadow_rows *r, uint32_t sink, const outbox *box) {
    for (uint32_t i = 0; i < box->count; i++) {
        const out_message *m = &box->items[i];
        shadow_row of = {
            .source = m->source,
            .record = m->record,
            .window_start = m->window_start,
            .window_end = m->window_end,
        };
        sl_string key = { .data = m->key_null ? NULL : outbox_key(box, m), .len = m->key_len };
        sl_string value = { .data = m->value_null ? NULL : outbox_value(box, m),
                            .len = m->value_len };
        sl_string extra = { .data = m->extras ? box->bytes.data + m->extras_at : NULL,
                            .len = m->extras_len };
        add(r, sink, &of, key, value, extra);
    }
}

void shadow_rows_take(shadow_rows *r, const pipeline *p) {
    for (uint32_t i = 0; i < p->out.count; i++) {
        const out_sink *s = &p->out.sinks[i];
        if (s->plan->is_side) continue;
        uint32_t sink = find_sink(r, &s->plan->name);
        take_box(r, sink, &s->retracted);
        take_box(r, sink, &s->rows);
    }
}

/* -- what belongs together */

static int64_t bytes_of(int32_t len) { return len < 0 ? 0 : len; }

static int compare_numbers(int64_t a, int64_t b) { return (a > b) - (a < b); }

static int compare_bytes(const char *a, int64_t a_len, const char *b, int64_t b_len) {
    if (a_len != b_len) return a_len < b_len ? -1 : 1;
    return a_len > 0 ? memcmp(a, b, (size_t)a_len) : 0;
}

/* A result's key and window, or the record. */
static int by_place(const shadow_row *a, const shadow_row *b) {
    if (a->sink != b->sink) return a->sink < b->sink ? -1 : 1;
    bool is_result = a->record == NO_RECORD;
    if (is_result != (b->record == NO_RECORD)) return is_result ? -1 : 1;
    if (!is_result) {
        int order = compare_numbers(a->source, b->source);
        return order ? order : compare_numbers(a->record, b->record);
    }
    int order = compare_numbers(a->window_end, b->window_end);
    if (!order) order = compare_numbers(a->window_start, b->window_start);
    return order ? order : compare_bytes(a->bytes, a->key_len, b->bytes, b->key_len);
}

/* All that is behind the key; the key of rows of records, too. */
static int by_content(const shadow_row *a, const shadow_row *b) {
    if (a->key_len != b->key_len) return a->key_len < b->key_len ? -1 : 1;
    if (a->value_len != b->value_len) return a->value_len < b->value_len ? -1 : 1;
    int64_t a_len = bytes_of(a->key_len) + bytes_of(a->value_len) + a->extra_len;
    int64_t b_len = bytes_of(b->key_len) + bytes_of(b->value_len) + b->extra_len;
    return compare_bytes(a->bytes, a_len, b->bytes, b_len);
}

static int by_number(const void *a, const void *b) {
    return compare_numbers(((const shadow_row *)a)->number, ((const shadow_row *)b)->number);
}

static int by_place_and_content(const void *a, const void *b) {
    int order = by_place(a, b);
    if (!order) order = by_content(a, b);
    return order ? order : by_number(a, b);
}

/* -- differences */

static char *copy(const char *bytes, int64_t len) {
    return len < 0 ? NULL : mem_copy_text(bytes, (size_t)len);
}

static const char *value_of(const shadow_row *row) { return row->bytes + bytes_of(row->key_len); }

static void see(shadow_seen *s, const shadow_rows *of, const shadow_row *old,
                const shadow_row *new, uint64_t batch) {
    if (old && new)
        s->differing++;
    else if (old)
        s->only_old++;
    else
        s->only_new++;
    if (s->count == s->most) return;
    const shadow_row *one = new ? new : old;
    const sl_string *sink = &of->sinks[one->sink];
    shadow_difference *d = &s->items[s->count++];
    *d = (shadow_difference){
        .kind = old && new ? SHADOW_DIFFERS : old ? SHADOW_OLD
                                                  : SHADOW_NEW,
        .batch = batch,
        .sink = mem_copy_text(sink->data, sink->len),
        .key = copy(one->bytes, one->key_len),
        .key_len = (size_t)bytes_of(one->key_len),
        .window_start = one->window_start,
        .window_end = one->window_end,
        .has_window = one->record == NO_RECORD && one->window_start != one->window_end,
    };
    if (old) d->old = copy(value_of(old), old->value_len);
    if (old) d->old_len = (size_t)bytes_of(old->value_len);
    if (new) d->new = copy(value_of(new), new->value_len);
    if (new) d->new_len = (size_t)bytes_of(new->value_len);
}

void shadow_seen_init(shadow_seen *s, uint32_t most) {
    *s = (shadow_seen){ .items = mem_zalloc(most + 1, sizeof *s->items), .most = most };
}

void shadow_seen_done(shadow_seen *s) {
    for (uint32_t i = 0; i < s->count; i++) {
        mem_free(s->items[i].sink);
        mem_free(s->items[i].key);
        mem_free(s->items[i].old);
        mem_free(s->items[i].new);
    }
    mem_free(s->items);
    *s = (shadow_seen){ 0 };
}

/* Rows that belong together: [first, end) of a list. */
typedef struct run {
    shadow_row *rows;
    uint32_t first, end;
} run;

static void find_end(run *r, uint32_t count) {
    r->end = r->first + 1;
    while (r->end < count && !by_place(&r->rows[r->first], &r->rows[r->end])) r->end++;
}

static void put_in_order(run *r) {
    uint32_t count = r->end - r->first;
    if (count > 1) qsort(r->rows + r->first, count, sizeof *r->rows, by_number);
}

/* Equal rows go; what is left stands at the beginning of its run, in its order. */
static void drop_equal(run *a, run *b, shadow_seen *seen) {
    uint32_t i = a->first, j = b->first, a_kept = a->first, b_kept = b->first;
    while (i < a->end || j < b->end) {
        int order = i == a->end   ? 1
                    : j == b->end ? -1
                                  : by_content(&a->rows[i], &b->rows[j]);
        seen->same += !order;
        if (order < 0) a->rows[a_kept++] = a->rows[i];
        if (order > 0) b->rows[b_kept++] = b->rows[j];
        i += order <= 0;
        j += order >= 0;
    }
    a->end = a_kept;
    b->end = b_kept;
    put_in_order(a);
    put_in_order(b);
}

/* `names`: of both lists. */
static void compare_runs(const shadow_rows *names, run *a, run *b, uint64_t batch,
                         shadow_seen *seen) {
    drop_equal(a, b, seen);
    uint32_t i = a->first, j = b->first;
    while (i < a->end || j < b->end) {
        const shadow_row *old = i < a->end ? &a->rows[i++] : NULL;
        const shadow_row *new = j < b->end ? &b->rows[j++] : NULL;
        see(seen, names, old, new, batch);
    }
}

/* Both name sinks by one list then. */
static void share_sinks(shadow_rows *old, shadow_rows *new) {
    uint32_t *now = mem_alloc((new->sink_count + 1) * sizeof *now);
    for (uint32_t i = 0; i < new->sink_count; i++) now[i] = find_sink(old, &new->sinks[i]);
    for (uint32_t i = 0; i < new->count; i++) new->items[i].sink = now[new->items[i].sink];
    mem_free(now);
}

void shadow_rows_compare(shadow_rows *old, shadow_rows *new, uint64_t batch, shadow_seen *seen) {
    share_sinks(old, new);
    if (old->count) qsort(old->items, old->count, sizeof *old->items, by_place_and_content);
    if (new->count) qsort(new->items, new->count, sizeof *new->items, by_place_and_content);
    run a = { .rows = old->items }, b = { .rows = new->items };
    while (a.first < old->count || b.first < new->count) {
        bool has_a = a.first < old->count, has_b = b.first < new->count;
        int order = !has_a   ? 1
                    : !has_b ? -1
                             : by_place(&a.rows[a.first], &b.rows[b.first]);
        a.end = a.first;
        b.end = b.first;
        if (order <= 0) find_end(&a, old->count);
        if (order >= 0) find_end(&b, new->count);
        uint32_t a_next = a.end, b_next = b.end;
        compare_runs(old, &a, &b, batch, seen);
        a.first = a_next;
        b.first = b_next;
    }
}
