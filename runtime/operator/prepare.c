/* DESIGN. Records become rows in two passes over one chunk, each a straight loop: decode (C, or Lua
 * for generators) and stamp (event time and skew guard). A record that falls out becomes a note and
 * its row is left out of `rows`; neighbours never notice. */
#include "runtime/operator/operators.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/codec/nulls.h"
#include "runtime/codec/unkept.h"
#include "runtime/operator/blame.h"
#include "runtime/operator/poison.h"
#include "runtime/script/again.h"

static void chunk_begin(chunk *c, const sl_source *source) {
    row_set *set = chunk_set(c, c->root);
    row_set_reset(set, source->row_size, source->null_words);
    row_set_need(set, VECTOR_ROWS);
    row_set_need_memory(set, VECTOR_ROWS);
    c->high_count = 0;
    c->bad = c->skipped = c->late_pairs = 0;
    arena_reset(&c->text, 4u << 20);
}

static err *data_error(const batch_view *b, const chunk *c, uint32_t record, const char *path,
                       const char *reason) {
    const source_view *view = &b->sources[c->source];
    const sl_record *r = &view->records[record];
    const sl_partition *p = &view->partitions[r->partition];
    return err_new(ERR_DATA,
                   "%s:%d:%" PRId64 ": bad record%s%s: %s; bad_records = \"fail\" stops here, "
                   "\"quarantine\" or \"skip\" would go on",
                   p->topic, p->number, r->offset, *path ? " at " : "", path, reason);
}

/* Settle a bad record by the source's policy. */
static err *refuse(worker *w, const batch_view *b, chunk *c, uint32_t record, const char *path,
                   const char *reason) {
    const sl_source *source = &b->plan->sources[c->source];
    if (source->on_bad == SL_BAD_FAIL) return data_error(b, c, record, path, reason);
    bool is_skipped = source->on_bad == SL_BAD_SKIP;
    if (is_skipped && c->skipped++) return NULL;
    if (!is_skipped) c->bad++;
    worker_note(w, (note){ .kind = NOTE_BAD,
                           .is_skipped = is_skipped,
                           .source = c->source,
                           .record = record,
                           .path = path,
                           .reason = reason });
    return NULL;
}

static sl_row *row_start(const chunk *c, const row_set *set, uint32_t i, const sl_record *r) {
    sl_row *row = row_set_memory(set, i);
    row->time_ms = INT64_MIN;
    row->record = c->first_record + i;
    row->partition = r->partition;
    row->offset = r->offset;
    return row;
}

static err *decode_rows(worker *w, const batch_view *b, chunk *c) {
    const source_view *view = &b->sources[c->source];
    decoder *d = w->decoders[c->source];
    const sl_source *source = &b->plan->sources[c->source];
    record_origin origin = { .now_ms = b->now_ms };
    row_set *set = chunk_rows(c, c->root);
    bad_record bad;
    uint32_t partition = UINT32_MAX; /* of `origin` */
    for (uint32_t i = 0; i < c->record_count; i++) {
        const sl_record *r = &view->records[c->first_record + i];
        sl_row *row = row_start(c, set, i, r);
        if (r->partition != partition) {
            partition = r->partition;
            origin.topic = view->partitions[partition].topic;
            origin.partition = view->partitions[partition].number;
            if (source->has_header) origin.header = view->headers[partition].text;
        }
        const char *why =
            b->poison ? poison_why(b->poison, origin.topic, origin.partition, r->offset) : NULL;
        if (why) {
            err *e = refuse(w, b, c, row->record, "", why);
            if (e) return e;
            continue;
        }
        if (decoder_decode(d, r, &origin, row, &c->text, &bad)) {
            set->rows[set->count++] = row;
            continue;
        }
        err *e = refuse(w, b, c, row->record, bad.path, bad.reason);
        if (e) return e;
    }
    return NULL;
}

/* Leave out what became NULL. */
static void drop_rows(row_set *set) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < set->count; i++)
        if (set->rows[i]) set->rows[kept++] = set->rows[i];
    set->count = kept;
}

/* Run a driver over the rows; those for which it throws become NULL and count as bad. `dropped`:
 * there are some. */
static err *run_throwing(worker *w, const batch_view *b, chunk *c, uint32_t driver,
                         bool *dropped) {
    row_set *set = chunk_rows(c, c->root);
    sl_vector *v = w->vector;
    v->count = set->count;
    v->rows = set->rows;
    v->guarded = 0;
    v->text = &c->text;
    v->now_ms = b->now_ms;
    *dropped = false;
    v->first = 0;
    while (v->first < v->count && !script_run(w->script, driver)) {
        if (script_runs_again(w->script)) continue;
        v->first = v->pos + 1;
        err *e = blame_row(w, b, c, set->rows[v->pos], v->pos, 0, "working on");
        if (e) return e;
        set->rows[v->pos] = NULL;
        c->bad++;
        *dropped = true;
    }
    return NULL;
}

/* The same; the rows are dropped. */
static err *run_dropping(worker *w, const batch_view *b, chunk *c, uint32_t driver) {
    bool dropped;
    err *e = run_throwing(w, b, c, driver, &dropped);
    if (!e && dropped) drop_rows(chunk_rows(c, c->root));
    return e;
}

/* Rows that do not keep a constraint which Lua tests are bad. */
static err *check_rows(worker *w, const batch_view *b, chunk *c) {
    const sl_source *source = &b->plan->sources[c->source];
    row_set *set = chunk_rows(c, c->root);
    bool dropped;
    w->vector->outputs = set->outputs;
    err *e = run_throwing(w, b, c, source->checks_driver, &dropped);
    for (uint32_t i = 0; !e && i < set->count; i++) {
        const sl_row *row = set->rows[i];
        if (!row || !set->outputs[i]) continue;
        bad_record bad;
        unkept_check(source, &source->checks[set->outputs[i] - 1], row, &bad);
        e = refuse(w, b, c, row->record, bad.path, bad.reason);
        set->rows[i] = NULL;
        dropped = true;
    }
    if (!e && dropped) drop_rows(set);
    return e;
}

/* A generator's rows: Lua fills them from their offsets. */
static err *make_rows(worker *w, const batch_view *b, chunk *c) {
    const sl_source *source = &b->plan->sources[c->source];
    const sl_record *records = &b->sources[c->source].records[c->first_record];
    row_set *set = chunk_rows(c, c->root);
    int64_t *offsets = arena_take(&c->text, c->record_count * sizeof *offsets, 8);
    for (uint32_t i = 0; i < c->record_count; i++) {
        sl_row *row = row_start(c, set, i, &records[i]);
        memset(row->nulls, 0xff, source->null_words * 8u);
        offsets[i] = records[i].offset;
        set->rows[i] = row;
    }
    set->count = c->record_count;
    w->vector->offsets = offsets;
    return run_dropping(w, b, c, source->rows_driver);
}

static int64_t to_ms(int64_t value, int32_t unit) {
    int64_t ms;
    switch (unit) {
    case SL_UNIT_S:
        return __builtin_mul_overflow(value, (int64_t)1000, &ms)
                   ? (value < 0 ? INT64_MIN + 1 : INT64_MAX)
                   : ms;
    case SL_UNIT_US: return value / 1000 - (value % 1000 < 0);
    case SL_UNIT_NS: return value / 1000000 - (value % 1000000 < 0);
    default: return value;
    }
}

static inline void stamp_from_field(const sl_time *time, sl_row *row) {
    const sl_column *column = &time->column;
    if (nulls_has(row->nulls, column->null_bit)) return;
    const char *at = (const char *)row + column->offset;
    int64_t value = column->type == SL_INT32 ? *(const int32_t *)at : *(const int64_t *)at;
    int32_t unit = column->type == SL_TIMESTAMP ? SL_UNIT_MS : time->unit;
    row->time_ms = unit == SL_UNIT_MS ? value : to_ms(value, unit);
}

static __attribute__((noinline)) partition_high *add_high(chunk *c, uint32_t partition) {
    if (c->high_count == c->high_room) {
        c->high_room = c->high_room ? c->high_room * 2 : 16;
        c->highs = mem_realloc(c->highs, c->high_room * sizeof *c->highs);
    }
    partition_high *high = &c->highs[c->high_count++];
    *high = (partition_high){ .partition = partition, .high_ms = INT64_MIN };
    return high;
}

static inline void raise_high(chunk *c, uint32_t partition, int64_t time_ms, bool moves) {
    partition_high *last = c->high_count ? &c->highs[c->high_count - 1] : NULL;
    if (!last || last->partition != partition) last = add_high(c, partition);
    last->good++;
    if (moves && time_ms > last->high_ms) last->high_ms = time_ms;
}

/* Settle a row beyond the skew guard. `stays`: it does, but moves no watermark. */
static err *judge_skew(worker *w, const batch_view *b, chunk *c, const sl_row *row, bool *stays) {
    const sl_source *source = &b->plan->sources[c->source];
    char reason[160];
    *stays = source->time.on_skew == SL_SKEW_ACCEPT;
    if (*stays) return NULL;
    bool is_skipped = source->time.on_skew == SL_SKEW_SKIP;
    if (is_skipped && c->skipped++) return NULL;
    snprintf(reason, sizeof reason,
             "event time %" PRId64 " lies %" PRId64 " ms ahead of processing time %" PRId64
             ": more than max_skew = %" PRId64 " ms",
             row->time_ms, row->time_ms - b->now_ms, b->now_ms, source->time.max_skew_ms);
    if (!is_skipped) c->bad++;
    worker_note(w, (note){ .kind = NOTE_SKEW,
                           .is_skipped = is_skipped,
                           .source = c->source,
                           .record = row->record,
                           .path = "",
                           .reason = reason });
    return NULL;
}

static err *refuse_time(worker *w, const batch_view *b, chunk *c, const sl_row *row) {
    const sl_time *time = &b->plan->sources[c->source].time;
    char path[128] = "";
    if (time->kind == SL_TIME_FIELD)
        snprintf(path, sizeof path, "%.*s", (int)time->column.name.len, time->column.name.data);
    return refuse(w, b, c, row->record, path, "event time is null");
}

/* Settle a row without a time, or with one beyond the skew guard. */
static __attribute__((noinline)) err *stamp_odd(worker *w, const batch_view *b, chunk *c,
                                                const sl_row *row, bool *stays) {
    *stays = false;
    if (row->time_ms == INT64_MIN) return refuse_time(w, b, c, row);
    err *e = judge_skew(w, b, c, row, stays);
    if (!e && *stays) raise_high(c, row->partition, row->time_ms, false);
    return e;
}

static err *stamp_rows(worker *w, const batch_view *b, chunk *c) {
    const sl_time *time = &b->plan->sources[c->source].time;
    const sl_time ours = *time; /* kept at hand while rows are written */
    const bool is_field = time->kind == SL_TIME_FIELD, is_timed = time->kind != SL_TIME_NONE;
    const int64_t limit_ms = is_timed ? b->sources[c->source].skew_limit_ms : INT64_MAX;
    if (time->kind == SL_TIME_FUNCTION) {
        err *e = run_dropping(w, b, c, time->driver);
        if (e) return e;
    }
    row_set *set = chunk_rows(c, c->root);
    uint32_t kept = 0, count = set->count;
    for (uint32_t i = 0; i < count; i++) {
        sl_row *row = set->rows[i];
        bool stays = true;
        if (is_field) stamp_from_field(&ours, row);
        if (is_timed && (row->time_ms == INT64_MIN || row->time_ms > limit_ms)) {
            err *e = stamp_odd(w, b, c, row, &stays);
            if (e) return e;
        } else {
            raise_high(c, row->partition, row->time_ms, is_timed);
        }
        if (stays) set->rows[kept++] = row;
    }
    set->count = kept;
    return NULL;
}

/* Which fields are null in every row. */
static void gather_nulls(chunk *c, uint32_t words) {
    const row_set *set = chunk_rows(c, c->root);
    if (c->null_room < words) {
        c->nulls = mem_realloc(c->nulls, words * sizeof *c->nulls);
        c->null_room = words;
    }
    memset(c->nulls, 0xff, words * sizeof *c->nulls);
    for (uint32_t k = 0; k < words; k++) {
        uint64_t nulls = UINT64_MAX;
        for (uint32_t i = 0; i < set->count; i++) nulls &= ((const sl_row *)set->rows[i])->nulls[k];
        c->nulls[k] = nulls;
    }
}

err *prepare_chunk(worker *w, const batch_view *b, chunk *c) {
    const sl_source *source = &b->plan->sources[c->source];
    chunk_begin(c, source);
    err *e = source->format.len ? decode_rows(w, b, c) : make_rows(w, b, c);
    if (!e && source->check_count) e = check_rows(w, b, c);
    laps_add(w->laps, LAP_DECODE);
    if (!e) e = stamp_rows(w, b, c);
    if (!e) gather_nulls(c, source->null_words);
    laps_add(w->laps, LAP_TIME);
    return e;
}
