/* DESIGN. Partition by partition, in the order of the run, so that the rows come in an order that
 * depends on nothing but the offsets; what was read in which order is recorded. Each slice is an
 * epoch of the tables beside, walked by one worker with nobody else's state. */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "runtime/base/crash.h"
#include "runtime/base/err.h"
#include "runtime/base/json_text.h"
#include "runtime/base/mem.h"
#include "runtime/flow/backfill_inside.h"
#include "runtime/flow/header.h"
#include "runtime/operator/operators.h"
#include "runtime/operator/stored.h"
#include "runtime/script/trying.h"

enum { SLICE_RECORDS = 1 << 16,
       SLICE_MS = 500,
       REST_MS = 20,
       TELL_MS = 5000 };

static int64_t steady_ms(void) { return clock_steady_ms(&(clock_source){ 0 }); }

/* -- rows into tables */

/* Rows from before the time that is wanted do not count. */
static void drop_early(const backfill *b, const chunk *c) {
    row_set *set = chunk_rows(c, c->root);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < set->count; i++)
        if (((const sl_row *)set->rows[i])->time_ms >= b->since_ms)
            set->rows[kept++] = set->rows[i];
    set->count = kept;
}

static err *walk_level(backfill *b, chunk *c, uint32_t level) {
    worker *w = b->side;
    err *e = level ? NULL : prepare_chunk(w, &b->view, c);
    if (!e && !level) drop_early(b, c);
    if (!e) e = advance_chunk(w, &b->view, c, level);
    if (!e && b->own.distinct_count) e = distinct_chunk(w, w, &b->view, c, level);
    return e ? e : fold_chunk(w, w, &b->view, c, level);
}

static err *walk_chunk(backfill *b, uint32_t source, uint32_t first, uint32_t count) {
    chunk *c = b->chunk;
    c->source = source;
    c->root = b->plan->sources[source].step;
    c->first_record = first;
    c->record_count = count;
    c->notes.count = 0;
    b->side->notes = &c->notes;
    err *e = NULL;
    for (uint32_t level = 0; !e && level <= b->depths[c->root]; level++)
        e = walk_level(b, c, level);
    b->thrown += c->bad + c->skipped;
    b->side->notes = &b->side->own_notes;
    return e;
}

static err *check_time(const backfill *b) {
    if (b->stop || *b->p->system.stop) return err_new(ERR_STOPPED, "stopped while reading again");
    if (!b->deadline_ms || steady_ms() < b->deadline_ms) return NULL;
    return err_new(ERR_REFUSED, "reading again what `backfill` wants does not come to its end: the "
                                "source answers too slowly; ask again");
}

/* Behind each chunk. The text that runs is there to go on with: one call that had to be broken is
 * one too many, whatever became of its row. */
static err *check_going(const backfill *b) {
    if (b->view.on_trial && script_was_interrupted(b->by))
        return err_new(ERR_SCRIPT,
                       "a call into the script took longer than script_timeout (%" PRId64 " ms), "
                       "over records that are read again for `backfill`",
                       b->plan->script_timeout_ms);
    return check_time(b);
}

static err *fold_records(backfill *b, uint32_t source) {
    backfill_source *s = &b->sources[source];
    const sl_records *records = &s->input.load.records;
    err *e = NULL;
    b->views[source] = (source_view){
        .partitions = s->input.partitions,
        .partition_count = s->input.partition_count,
        .places = s->places,
        .headers = s->input.headers,
        .records = records->items,
        .record_count = records->count,
        .skew_limit_ms = watermark_skew_limit(&s->input.plan->time, b->view.now_ms,
                                              s->input.plan->bounded, b->p->system.clock->manual),
    };
    worker_begin(b->side, &b->own);
    for (uint32_t at = 0; !e && at < records->count; at += b->chunk_records) {
        uint32_t left = records->count - at;
        e = walk_chunk(b, source, at, left < b->chunk_records ? left : b->chunk_records);
        if (!e) e = check_going(b);
    }
    worker_end(b->side, &b->own, !e);
    b->views[source].record_count = 0;
    return e;
}

/* -- ranges */

/* `[source,"topic",partition,from,to]`; one that goes on where the last ended is part of it. */
static void note_range(backfill *b, uint32_t source, const backfill_spot *spot, int64_t from,
                       int64_t to) {
    buf head = { 0 };
    buf_printf(&head, "[%u,", source);
    json_text_put(&head, spot->topic, strlen(spot->topic));
    buf_printf(&head, ",%" PRId32 ",", spot->number);
    bool goes_on = b->last && strcmp(b->last, buf_text(&head)) == 0;
    if (goes_on) {
        while (b->ranges.data[b->ranges.len - 1] != ',') b->ranges.len--;
    } else {
        if (b->ranges.len) buf_put_char(&b->ranges, ',');
        buf_put(&b->ranges, head.data, head.len);
        buf_printf(&b->ranges, "%" PRId64 ",", from);
        mem_free(b->last);
        b->last = mem_copy_text(head.data, head.len);
    }
    buf_printf(&b->ranges, "%" PRId64 "]", to);
    buf_done(&head);
}

static void tell_progress(backfill *b) {
    int64_t now_ms = steady_ms();
    if (now_ms - b->told_ms < TELL_MS) return;
    b->told_ms = now_ms;
    log_info(b->p->system.log, "what is new is being filled", log_number("records", b->done),
             log_number("left", b->left));
}

/* -- slices */

static err *check_memory(const backfill *b) {
    size_t bytes = worker_state_bytes(b->side, &b->own);
    if (bytes <= b->most_bytes) return NULL;
    return err_new(ERR_REFUSED,
                   "`backfill`: what is read again takes more than `memory` beside the run (%zu "
                   "bytes of state): raise it, ask for less time, or leave it out, and what is new "
                   "starts empty",
                   bytes);
}

/* Nothing came: it may be on its way. */
static err *wait_for_more(backfill_source *s, uint32_t p, int64_t to) {
    err *e = input_look(&s->input);
    const sl_partition *of = &s->input.partitions[p];
    if (!e && of->ended && of->end < to)
        return err_new(ERR_REFUSED,
                       "`backfill` reads %s/%" PRId32 " up to %" PRId64 ", and there is nothing "
                       "behind %" PRId64 ": is it another one than it was?",
                       of->topic, of->number, to, of->end);
    nanosleep(&(struct timespec){ .tv_nsec = REST_MS * 1000000 }, NULL);
    return e;
}

/* `came`: how far. */
static err *fetch_slice(backfill_source *s, uint32_t p, int64_t from, int64_t to, int64_t *came) {
    input *in = &s->input;
    in->range_count = 0;
    in->load.records.count = 0;
    arena_reset(&in->load.bytes, (size_t)in->plan->max_bytes);
    input_add_range(in, p, from, to - from > SLICE_RECORDS ? from + SLICE_RECORDS : to);
    err *e = s->ops->fetch(in->handle, in->ranges, 1, in->plan->max_bytes, SLICE_MS,
                           &in->load.records, &in->load.bytes);
    if (e && e->retriable) {
        err_free(e);
        e = NULL;
    }
    if (!e && in->plan->has_header) e = header_take(in);
    *came = in->ranges[0].to;
    return e;
}

static err *find_partition(backfill_source *s, const backfill_spot *spot, uint32_t *p) {
    for (*p = 0; *p < s->input.partition_count; (*p)++) {
        const sl_partition *of = &s->input.partitions[*p];
        if (of->number == spot->number && !strcmp(of->topic, spot->topic)) return NULL;
    }
    return err_new(ERR_REFUSED, "`backfill`: %s/%" PRId32 " has just appeared: ask again",
                   spot->topic, spot->number);
}

/* What is there no more does not count, as in a topic. */
static void skip(const backfill *b, backfill_spot *spot) {
    log_info(b->p->system.log, "a file that was rotated is not read again",
             log_text("path", spot->topic), log_number("lines", spot->to));
    spot->from = spot->to;
}

static err *read_spot(backfill *b, uint32_t source, backfill_spot *spot, int64_t to) {
    backfill_source *s = &b->sources[source];
    uint32_t p = 0;
    if (spot->from < 0 && backfill_is_replaced(s, spot)) skip(b, spot);
    err *e = spot->from == to ? NULL : find_partition(s, spot, &p);
    while (!e && spot->from < to) {
        int64_t came;
        e = check_time(b);
        if (!e) e = fetch_slice(s, p, spot->from, to, &came);
        if (e) break;
        if (came == spot->from) {
            e = wait_for_more(s, p, to);
            continue;
        }
        e = fold_records(b, source);
        if (!e) e = check_memory(b);
        if (e) break;
        note_range(b, source, spot, spot->from, came);
        b->done += s->input.load.records.count;
        uint64_t passed = (uint64_t)(came - spot->from);
        b->left = b->left > passed ? b->left - passed : 0;
        spot->from = came;
        crash_point("backfill_slice");
        tell_progress(b);
    }
    return e;
}

/* As the batch that is done again read them. */
static err *read_again(backfill *b) {
    err *e = NULL;
    for (uint32_t i = 0; !e && i < b->planned->refill_count; i++) {
        const recorded_refill *r = &b->planned->refills[i];
        backfill_source *s = r->source < b->plan->source_count ? &b->sources[r->source] : NULL;
        backfill_spot *spot = NULL;
        for (uint32_t n = 0; s && n < s->count; n++)
            if (s->spots[n].number == r->range.number && !strcmp(s->spots[n].topic, r->range.topic))
                spot = &s->spots[n];
        if (!spot || spot->from != r->range.from)
            return err_new(ERR_REFUSED,
                           "the batch was behind a refill from %s/%" PRId32 " @ %" PRId64
                           ", which cannot be read again",
                           r->range.topic, r->range.number, r->range.from);
        e = read_spot(b, r->source, spot, r->range.to);
    }
    return e;
}

err *backfill_read(backfill *b) {
    err *e = b->is_empty ? NULL : backfill_open(b);
    if (e || b->is_empty) return e;
    if (b->planned) return read_again(b);
    b->left = backfill_left(b);
    for (uint32_t i = 0; !e && i < b->plan->source_count; i++) {
        backfill_source *s = &b->sources[i];
        for (uint32_t n = 0; !e && s->is_read && n < s->count; n++)
            e = read_spot(b, i, &s->spots[n], s->spots[n].to);
    }
    return e;
}
