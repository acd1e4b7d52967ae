/* DESIGN. Records become rows in three passes over one chunk, each a straight loop: decode (C),
 * stamp (event time and skew guard), the step's Lua driver. A record that falls out becomes a note
 * and its row is left out of `rows`; neighbours never notice. A row that throws in the driver is
 * marked dead for that function and the driver goes on from it, so a vector of n rows and t throws
 * costs n + t, not n * t. */
#include "runtime/operator/operators.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/codec/nulls.h"

static void chunk_begin(chunk *c, const sl_source *source) {
    size_t need = (size_t)source->row_size * VECTOR_ROWS;
    if (c->row_room < need) {
        mem_free(c->row_memory);
        c->row_memory = mem_alloc_aligned(64, need);
        c->row_room = need;
    }
    c->row_count = c->high_count = 0;
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

static sl_row *row_start(const chunk *c, const sl_source *source, uint32_t i, const sl_record *r) {
    sl_row *row = (sl_row *)(c->row_memory + (size_t)i * source->row_size);
    row->time_ms = INT64_MIN;
    row->record = c->first_record + i;
    row->partition = r->partition;
    row->offset = r->offset;
    return row;
}

static err *decode_rows(worker *w, const batch_view *b, chunk *c) {
    const sl_source *source = &b->plan->sources[c->source];
    const source_view *view = &b->sources[c->source];
    decoder *d = w->decoders[c->source];
    record_origin origin = { .now_ms = b->now_ms };
    bad_record bad;
    for (uint32_t i = 0; i < c->record_count; i++) {
        const sl_record *r = &view->records[c->first_record + i];
        const sl_partition *p = &view->partitions[r->partition];
        sl_row *row = row_start(c, source, i, r);
        origin.topic = p->topic;
        origin.partition = p->number;
        if (source->has_header) origin.header = view->headers[r->partition].text;
        if (decoder_decode(d, r, &origin, row, &c->text, &bad)) {
            c->rows[c->row_count++] = row;
            continue;
        }
        err *e = refuse(w, b, c, row->record, bad.path, bad.reason);
        if (e) return e;
    }
    return NULL;
}

static err *script_failure(worker *w, const batch_view *b, const chunk *c, uint32_t record) {
    const source_view *view = &b->sources[c->source];
    const sl_record *r = &view->records[record];
    const sl_partition *p = &view->partitions[r->partition];
    return err_new(ERR_SCRIPT,
                   "%s\nwhile working on %s:%d:%" PRId64
                   "; on_error = \"fail\" stops here, \"quarantine\" would go on",
                   worker_failure(w), p->topic, p->number, r->offset);
}

/* Note that user code threw for `record`. */
static err *throw_out(worker *w, const batch_view *b, const chunk *c, uint32_t record) {
    if (b->plan->on_error == SL_ON_ERROR_FAIL) return script_failure(w, b, c, record);
    worker_note(w, (note){ .kind = NOTE_THREW,
                           .source = c->source,
                           .record = record,
                           .path = "",
                           .reason = worker_failure(w) });
    return NULL;
}

/* Run a driver over c->rows; rows for which it throws are dropped from c->rows and count as bad. */
static err *run_dropping(worker *w, const batch_view *b, chunk *c, uint32_t driver) {
    sl_vector *v = w->vector;
    v->count = c->row_count;
    v->rows = c->rows;
    v->guarded = 0;
    v->text = &c->text;
    v->now_ms = b->now_ms;
    bool dropped = false;
    for (v->first = 0; v->first < v->count && !script_run(w->script, driver);
         v->first = v->pos + 1) {
        err *e = throw_out(w, b, c, ((sl_row *)c->rows[v->pos])->record);
        if (e) return e;
        c->rows[v->pos] = NULL;
        c->bad++;
        dropped = true;
    }
    if (!dropped) return NULL;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < c->row_count; i++)
        if (c->rows[i]) c->rows[kept++] = c->rows[i];
    c->row_count = kept;
    return NULL;
}

/* A generator's rows: Lua fills them from their offsets. */
static err *make_rows(worker *w, const batch_view *b, chunk *c) {
    const sl_source *source = &b->plan->sources[c->source];
    const sl_record *records = &b->sources[c->source].records[c->first_record];
    int64_t *offsets = arena_take(&c->text, c->record_count * sizeof *offsets, 8);
    for (uint32_t i = 0; i < c->record_count; i++) {
        sl_row *row = row_start(c, source, i, &records[i]);
        memset(row->nulls, 0xff, source->null_words * 8u);
        offsets[i] = records[i].offset;
        c->rows[i] = row;
    }
    c->row_count = c->record_count;
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

static void stamp_from_field(const sl_time *time, sl_row *row) {
    const sl_column *column = &time->column;
    if (nulls_has(row->nulls, column->null_bit)) return;
    const char *at = (const char *)row + column->offset;
    int64_t value = column->type == SL_INT32 ? *(const int32_t *)at : *(const int64_t *)at;
    row->time_ms = to_ms(value, column->type == SL_TIMESTAMP ? SL_UNIT_MS : time->unit);
}

static void raise_high(chunk *c, uint32_t partition, int64_t time_ms, bool moves) {
    partition_high *last = c->high_count ? &c->highs[c->high_count - 1] : NULL;
    if (!last || last->partition != partition) {
        if (c->high_count == c->high_room) {
            c->high_room = c->high_room ? c->high_room * 2 : 16;
            c->highs = mem_realloc(c->highs, c->high_room * sizeof *c->highs);
        }
        last = &c->highs[c->high_count++];
        *last = (partition_high){ .partition = partition, .high_ms = INT64_MIN };
    }
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

static err *stamp_row(worker *w, const batch_view *b, chunk *c, sl_row *row, bool *stays) {
    const sl_source *source = &b->plan->sources[c->source];
    const sl_time *time = &source->time;
    *stays = false;
    if (time->kind == SL_TIME_FIELD) stamp_from_field(time, row);
    if (row->time_ms == INT64_MIN) {
        char path[128] = "";
        if (time->kind == SL_TIME_FIELD)
            snprintf(path, sizeof path, "%.*s", (int)time->column.name.len, time->column.name.data);
        return refuse(w, b, c, row->record, path, "event time is null");
    }
    bool skewed = row->time_ms > b->sources[c->source].skew_limit_ms;
    *stays = true;
    err *e = skewed ? judge_skew(w, b, c, row, stays) : NULL;
    if (!e && *stays) raise_high(c, row->partition, row->time_ms, !skewed);
    return e;
}

static err *stamp_rows(worker *w, const batch_view *b, chunk *c) {
    const sl_time *time = &b->plan->sources[c->source].time;
    if (time->kind == SL_TIME_FUNCTION) {
        err *e = run_dropping(w, b, c, time->driver);
        if (e) return e;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < c->row_count; i++) {
        sl_row *row = c->rows[i];
        bool stays = true;
        err *e = NULL;
        if (time->kind != SL_TIME_NONE)
            e = stamp_row(w, b, c, row, &stays);
        else
            raise_high(c, row->partition, 0, false);
        if (e) return e;
        if (stays) c->rows[kept++] = row;
    }
    c->row_count = kept;
    return NULL;
}

/* Which fields are null in every row. */
static void gather_nulls(chunk *c, uint32_t words) {
    if (c->null_room < words) {
        c->nulls = mem_realloc(c->nulls, words * sizeof *c->nulls);
        c->null_room = words;
    }
    memset(c->nulls, 0xff, words * sizeof *c->nulls);
    for (uint32_t i = 0; i < c->row_count; i++) {
        const sl_row *row = c->rows[i];
        for (uint32_t k = 0; k < words; k++) c->nulls[k] &= row->nulls[k];
    }
}

/* Lose everything behind `node` for row `i`; where to go on. A throw that no live node can have
 * made (the watchdog strikes between two) gives the whole row up: the loop must get on. */
static uint32_t lose_node(chunk *c, const sl_step *step, uint32_t i, uint32_t node) {
    bool is_known = node < step->node_count && !(c->dead[i] >> node & 1);
    if (is_known) {
        c->dead[i] |= 1u << node;
        c->threw_at[i] |= step->node_outputs[node];
        return i;
    }
    c->dead[i] = UINT32_MAX;
    c->threw_at[i] = (1u << step->output_count) - 1;
    c->outputs[i] = 0;
    return i + 1;
}

static err *run_step(worker *w, const batch_view *b, chunk *c) {
    const sl_step *step = &b->plan->steps[b->plan->sources[c->source].step];
    size_t mask_len = c->row_count * sizeof(uint32_t);
    memset(c->threw_at, 0, mask_len);
    if (!step->has_functions) {
        for (uint32_t i = 0; i < c->row_count; i++) c->outputs[i] = (1u << step->output_count) - 1;
        return NULL;
    }
    sl_vector *v = w->vector;
    memset(c->dead, 0, mask_len);
    v->count = c->row_count;
    v->rows = c->rows;
    v->outputs = c->outputs;
    v->dead = c->dead;
    v->guarded = 0;
    v->text = &c->text;
    v->now_ms = b->now_ms;
    v->first = 0;
    while (v->first < v->count && !script_run(w->script, step->driver)) {
        if (!c->dead[v->pos]) {
            err *e = throw_out(w, b, c, ((sl_row *)c->rows[v->pos])->record);
            if (e) return e;
        }
        v->first = lose_node(c, step, v->pos, v->node);
        v->guarded = 1;
    }
    return NULL;
}

err *prepare_chunk(worker *w, const batch_view *b, chunk *c) {
    const sl_source *source = &b->plan->sources[c->source];
    chunk_begin(c, source);
    err *e = source->format.len ? decode_rows(w, b, c) : make_rows(w, b, c);
    if (!e) e = stamp_rows(w, b, c);
    if (!e) gather_nulls(c, source->null_words);
    if (!e) e = run_step(w, b, c);
    for (uint32_t i = 0; !e && i < c->row_count; i++) {
        atomic_store_explicit(&c->passed[i], c->outputs[i], memory_order_relaxed);
        atomic_store_explicit(&c->folded_out[i], 0, memory_order_relaxed);
        c->late[i] = 0;
    }
    return e;
}
