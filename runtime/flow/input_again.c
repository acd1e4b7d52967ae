/* A batch that died is done again as it was recorded: the same ranges, clock and verdicts, whatever
 * has come since. */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/flow/header.h"
#include "runtime/flow/input.h"
#include "runtime/flow/record.h"

/* All of it fitted into one batch. */
static const int64_t NO_LIMIT = (int64_t)1 << 40;

enum { SLICE_MS = 1000,
       REST_MS = 20 };

void input_begin_again(input *in, int64_t now_ms) {
    watermark_undo(&in->watermark, &in->before);
    watermark_begin(&in->watermark, now_ms);
    in->load.pending = (source_counters){ .read = in->load.pending.read };
    in->load.first_bad[0] = '\0';
    in->load.has_thrown = false;
}

static bool is_at(const input *in, uint32_t p, const char *topic, int32_t number) {
    return in->partitions[p].number == number && !strcmp(in->partitions[p].topic, topic);
}

static err *find_partition(const input *in, const char *topic, int32_t number, uint32_t *found) {
    for (uint32_t p = 0; p < in->partition_count; p++) {
        *found = p;
        if (is_at(in, p, topic, number)) return NULL;
    }
    return err_new(ERR_REFUSED,
                   "the batch that an earlier run did not finish reads %s/%" PRId32
                   ", which is not there any more: bring it back, and start again",
                   topic, number);
}

/* Partitions that appeared before the batch was planned, and behind the last that was committed. */
static void discover_again(input *in, uint32_t planned) {
    if (planned > in->known_count) in->watermark.all_idle_ms = WATERMARK_NONE;
    in->known_count = planned;
}

static void keep_own(input *in) {
    if (in->own_moved) return; /* tried before */
    in->own_count = in->watermark.count;
    in->own_moved = mem_zalloc(in->own_count, sizeof *in->own_moved);
    for (uint32_t p = 0; p < in->own_count; p++)
        in->own_moved[p] = in->watermark.partitions[p].moved_ms;
}

void input_begin_own(input *in) {
    for (uint32_t p = 0; in->own_moved && p < in->own_count; p++)
        in->watermark.partitions[p].moved_ms = in->own_moved[p];
    mem_free(in->own_moved);
    in->own_moved = NULL;
    if (in->watermark.count > in->known_count) in->watermark.all_idle_ms = WATERMARK_NONE;
}

err *input_plan_again(input *in, const recorded_source *was, int64_t now_ms) {
    in->range_count = 0;
    in->was_cut_short = true; /* what has come since waits */
    for (uint32_t i = 0; i < was->range_count; i++) {
        const recorded_range *range = &was->ranges[i];
        uint32_t p;
        err *e = find_partition(in, range->topic, range->number, &p);
        if (e) return e;
        if (in->partitions[p].position != range->from)
            return err_new(ERR_REFUSED,
                           "the batch that an earlier run did not finish reads %s/%" PRId32
                           " from %" PRId64 ", and reading goes on at %" PRId64,
                           range->topic, range->number, range->from, in->partitions[p].position);
        input_add_range(in, p, range->from, range->to);
    }
    keep_own(in);
    discover_again(in, was->partition_count);
    for (uint32_t i = 0; i < was->partition_count; i++) {
        uint32_t p;
        err *e = find_partition(in, was->partitions[i].topic, was->partitions[i].number, &p);
        if (e) return e;
        in->watermark.partitions[p].moved_ms = was->partitions[i].moved_ms;
    }
    watermark_copy(&in->before, &in->watermark);
    watermark_begin(&in->watermark, now_ms);
    return NULL;
}

/* Records by range, then offset: some came by a later fetch. */
static void put_in_order(input *in, const uint32_t *place_of) {
    sl_record *all = in->load.records.items;
    uint32_t count = in->load.records.count;
    for (uint32_t i = 1; i < count; i++) { /* runs are long and few: each is moved once */
        sl_record r = all[i];
        uint32_t at = i;
        while (at > 0 && place_of[all[at - 1].partition] > place_of[r.partition]) at--;
        if (at == i) continue;
        uint32_t run = 1;
        while (i + run < count && all[i + run].partition == r.partition) run++;
        sl_record *moved = mem_alloc(run * sizeof *moved);
        memcpy(moved, &all[i], run * sizeof *moved);
        memmove(&all[at + run], &all[at], (i - at) * sizeof *all);
        memcpy(&all[at], moved, run * sizeof *moved);
        mem_free(moved);
        i += run - 1;
    }
}

/* What was read once is not there any more. */
static err *refuse_end(const sl_partition *p, int64_t to) {
    if (p->is_whole)
        return err_new(ERR_REFUSED,
                       "what the batch read is no longer in `%s`: it read up to line %" PRId64
                       ", and there is nothing behind line %" PRId64 ". It was cut short or "
                       "replaced: bring it back, and start again",
                       p->topic, to, p->end);
    return err_new(ERR_REFUSED,
                   "the batch that an earlier run did not finish reads %s/%" PRId32 " up to "
                   "%" PRId64 ", and there is nothing behind %" PRId64 ": bring it back, and start "
                   "again",
                   p->topic, p->number, to, p->end);
}

/* Nothing came: it may be on its way, unless the partition says that it has ended before. */
static err *wait_for_rest(input *in, const sl_range *rest, uint32_t count) {
    if (*in->system->stop) return err_new(ERR_STOPPED, "stopped while reading a batch again");
    err *e = input_look(in);
    for (uint32_t i = 0; !e && i < count; i++) {
        const sl_partition *p = &in->partitions[rest[i].partition];
        if ((p->ended || p->is_whole) && p->end < rest[i].to) e = refuse_end(p, rest[i].to);
    }
    nanosleep(&(struct timespec){ .tv_nsec = REST_MS * 1000000 }, NULL);
    return e;
}

/* Ask for what is still missing, into the records; `rest` is then what is missing still. */
static err *fetch_rest(input *in, sl_range *rest, uint32_t *count) {
    uint32_t before = in->load.records.count;
    sl_range *got = mem_alloc(*count * sizeof *got);
    memcpy(got, rest, *count * sizeof *got);
    input_load *to = &in->load;
    err *e = in->ops->fetch(in->handle, got, *count, NO_LIMIT, SLICE_MS, &to->records, &to->bytes);
    uint32_t left = 0;
    for (uint32_t i = 0; i < *count; i++)
        if (got[i].to < rest[i].to)
            rest[left++] = (sl_range){ rest[i].partition, 0, got[i].to, rest[i].to };
    mem_free(got);
    *count = left;
    if (e && e->retriable) {
        err_free(e);
        e = NULL;
    }
    return e || !left || in->load.records.count > before ? e : wait_for_rest(in, rest, left);
}

err *input_fetch_again(input *in) {
    uint32_t count = in->range_count, fetches = 0;
    if (!count) return NULL;
    sl_range *rest = mem_alloc(count * sizeof *rest);
    memcpy(rest, in->ranges, count * sizeof *rest);
    err *e = NULL;
    for (; !e && count; fetches++) e = fetch_rest(in, rest, &count);
    mem_free(rest);
    if (e) return e;
    uint32_t *place_of = mem_zalloc(in->partition_count, sizeof *place_of);
    for (uint32_t i = 0; i < in->range_count; i++) place_of[in->ranges[i].partition] = i;
    if (fetches > 1) put_in_order(in, place_of);
    mem_free(place_of);
    input_note_positions(in);
    if (in->plan->has_header && (e = header_take(in))) return e;
    in->load.pending.read = in->load.records.count;
    if (in->load.records.count) in->last_records_ms = clock_steady_ms(in->system->clock);
    return NULL;
}

void input_judge_again(input *in, const recorded_source *was) {
    /* one that appeared since does not count yet */
    for (uint32_t p = 0; p < in->partition_count; p++)
        in->views[p] = (watermark_view){ .has_ended = true };
    for (uint32_t i = 0; i < was->partition_count; i++)
        for (uint32_t p = 0; p < in->partition_count; p++)
            if (is_at(in, p, was->partitions[i].topic, was->partitions[i].number))
                in->views[p] = was->partitions[i].view;
    in->ends_now = was->has_ended;
}
