#include "runtime/flow/input.h"

#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/event/saturate.h"
#include "runtime/flow/blank.h"
#include "runtime/flow/header.h"
#include "runtime/flow/progress.h"

enum {
    CONFIRM_MS = 5000, /* at the start of a bounded run */
    ASK_MS = 250,      /* in a batch */
    SILENCE_MS = 1000,
    FRESH_MS = 2000, /* a leader's older word says nothing: it may be away since */
    TELL_MS = 10000, /* between two lines on bad records */
    ARENA_BYTES = 4 << 20,
};

static const double PLACES = 4294967296.0; /* of one source */

/* The number of a partition's topic: topics stand in the list as in the script, each at first with
 * its lowest partition. Those before `p` have theirs. */
static uint32_t topic_number(const input *in, uint32_t p) {
    uint32_t topics = 0;
    for (uint32_t i = 0; i < p; i++) {
        uint32_t number = in->places[i] / SL_MOST_PARTITIONS;
        if (number >= topics) topics = number + 1;
        if (strcmp(in->partitions[i].topic, in->partitions[p].topic) == 0) return number;
    }
    return topics;
}

static err *too_many(const input *in, const sl_partition *p) {
    if (p->number >= SL_MOST_PARTITIONS)
        return err_new(ERR_PLAN, "topic %s has a partition %d: numbers go up to %d", p->topic,
                       p->number, SL_MOST_PARTITIONS - 1);
    bool is_file = in->plan->connector.len == 4 && !memcmp(in->plan->connector.data, "file", 4);
    return err_new(ERR_PLAN, "`%s` is one %s too many: a source reads up to %d, name fewer",
                   p->topic, is_file ? "file" : "topic", SL_MOST_TOPICS);
}

/* Partition `p` where its place is among those before it in the list. */
static void put_at_place(input *in, uint32_t p) {
    uint32_t at = p;
    in->ranks[p] = (double)in->number * PLACES + in->places[p];
    for (; at > 0 && in->places[in->order[at - 1]] > in->places[p]; at--)
        in->order[at] = in->order[at - 1];
    in->order[at] = p;
}

/* A partition that appears late stands last in the connector's list, but not in a batch. */
static err *put_in_order(input *in, uint32_t known) {
    in->order = mem_realloc(in->order, in->partition_count * sizeof *in->order);
    in->places = mem_realloc(in->places, in->partition_count * sizeof *in->places);
    in->ranks = mem_realloc(in->ranks, in->partition_count * sizeof *in->ranks);
    for (uint32_t p = known; p < in->partition_count; p++) {
        uint32_t topic = topic_number(in, p);
        if (topic >= SL_MOST_TOPICS || in->partitions[p].number >= SL_MOST_PARTITIONS)
            return too_many(in, &in->partitions[p]);
        in->places[p] = topic * SL_MOST_PARTITIONS + (uint32_t)in->partitions[p].number;
        put_at_place(in, p);
    }
    return NULL;
}

void input_keep_order(input *in, const progress_source *was) {
    static const uint32_t none = UINT32_MAX;
    uint32_t topics = 0;
    for (uint32_t p = 0; p < in->partition_count; p++) in->places[p] = none;
    for (uint32_t i = 0; i < was->count; i++) {
        bool is_new = !i || strcmp(was->partitions[i].topic, was->partitions[i - 1].topic) != 0;
        for (uint32_t p = 0; is_new && p < in->partition_count; p++)
            if (in->places[p] == none &&
                strcmp(in->partitions[p].topic, was->partitions[i].topic) == 0)
                in->places[p] =
                    topics * SL_MOST_PARTITIONS + (uint32_t)in->partitions[p].number;
        topics += is_new;
    }
    for (uint32_t p = 0; p < in->partition_count; p++) {
        bool is_same = p && strcmp(in->partitions[p].topic, in->partitions[p - 1].topic) == 0;
        if (in->places[p] == none)
            in->places[p] = (is_same ? topics - 1 : topics++) * SL_MOST_PARTITIONS +
                            (uint32_t)in->partitions[p].number;
        put_at_place(in, p);
    }
}

/* Partitions that appeared since the last look begin to count for the watermark. */
static err *discover(input *in) {
    if (in->partition_count == in->watermark.count) return NULL;
    in->reached = mem_realloc(in->reached, in->partition_count * sizeof *in->reached);
    for (uint32_t p = in->watermark.count; p < in->partition_count; p++)
        in->reached[p] = in->partitions[p].position;
    in->views = mem_realloc(in->views, in->partition_count * sizeof *in->views);
    err *e = put_in_order(in, in->watermark.count);
    if (e) return e;
    watermark_discover(&in->watermark, in->partition_count, clock_now_ms(in->system->clock));
    return NULL;
}

/* An end that a bounded run goes to; partitions discovered later are not part of it. */
static void fix_targets(input *in) {
    in->targets = mem_alloc(in->partition_count * sizeof *in->targets);
    in->target_count = in->partition_count;
    for (uint32_t p = 0; p < in->partition_count; p++) {
        const sl_partition *partition = &in->partitions[p];
        in->targets[p] = partition->end;
        watermark_start_bounded(&in->watermark, p,
                                watermark_view_of(partition, &in->plan->time, partition->position,
                                                  INT64_MIN));
    }
}

err *input_open(input *in, const sl_source *plan, const sl_source *held, const sl_source_ops *ops,
                const sl_system *system, uint32_t number, bool bounded_run) {
    *in = (input){ .plan = plan,
                   .number = number,
                   .ops = ops,
                   .system = system,
                   .last_records_ms = INT64_MIN,
                   .told_ms = INT64_MIN };
    input_load_init(&in->load);
    input_load_init(&in->parked);
    input_load_init(&in->waiting);
    input_load_init(&in->early.load);
    in->blanks = mem_zalloc(plan->field_count, sizeof *in->blanks);
    watermark_init(&in->watermark, &plan->time);
    err *e = ops->open(held, system, &in->handle);
    if (e) return e;
    limits_rate_init(&in->rate, plan->max_rate, clock_steady_ms(system->clock));
    if (bounded_run && (e = ops->confirm(in->handle, CONFIRM_MS))) return e;
    if ((e = input_look(in))) return e;
    if (bounded_run) fix_targets(in);
    return NULL;
}

void input_load_init(input_load *load) {
    *load = (input_load){ 0 };
    arena_init(&load->bytes, ARENA_BYTES);
}

void input_load_done(input_load *load) {
    arena_done(&load->bytes);
    mem_free(load->records.items);
}

void input_close(input *in) {
    if (in->handle) in->ops->close(in->handle);
    watermark_done(&in->watermark);
    watermark_done(&in->before);
    mem_free(in->reached);
    mem_free(in->own_moved);
    input_load_done(&in->load);
    input_load_done(&in->parked);
    input_load_done(&in->waiting);
    input_early_done(in);
    mem_free(in->blanks);
    header_free(in);
    mem_free(in->views);
    mem_free(in->order);
    mem_free(in->places);
    mem_free(in->ranks);
    mem_free(in->targets);
    mem_free(in->ranges);
    *in = (input){ 0 };
}

err *input_look(input *in) {
    err *e = in->ops->look(in->handle, &in->partitions, &in->partition_count);
    if (e && e->retriable) {
        err_free(e);
        return NULL;
    }
    if (e) return e;
    if ((e = discover(in))) return e;
    in->counters.lost = 0;
    for (uint32_t p = 0; p < in->partition_count; p++)
        in->counters.lost += (uint64_t)in->partitions[p].lost;
    return NULL;
}

/* Where partition `p` may be read to. */
static int64_t reach(const input *in, uint32_t p) {
    int64_t end = in->partitions[p].end;
    if (!in->targets) return end;
    if (p >= in->target_count) return input_position(in, p);
    return end < in->targets[p] ? end : in->targets[p];
}

int64_t input_backlog(const input *in) {
    int64_t sum = 0;
    for (uint32_t p = 0; p < in->partition_count; p++) {
        int64_t one = limits_backlog(input_position(in, p), reach(in, p));
        if (__builtin_add_overflow(sum, one, &sum)) return INT64_MAX;
    }
    return sum;
}

int64_t input_waits_until(const input *in, bool bounded_run) {
    int64_t now = clock_steady_ms(in->system->clock), until = INT64_MIN;
    if (limits_rate_has(&in->rate, now) == 0) until = limits_rate_due(&in->rate);
    if (bounded_run) return until;
    int64_t due = limits_due(in->plan->min_records, in->plan->max_delay_ms, input_backlog(in),
                             in->last_records_ms);
    return due > until ? due : until;
}

void input_add_range(input *in, uint32_t p, int64_t from, int64_t to) {
    if (in->range_count == in->range_room) {
        in->range_room = in->range_room ? in->range_room * 2 : 16;
        in->ranges = mem_realloc(in->ranges, in->range_room * sizeof *in->ranges);
    }
    in->ranges[in->range_count++] = (sl_range){ .partition = p, .from = from, .to = to };
}

void input_share_out(input *in, uint64_t batch) {
    int64_t steady = clock_steady_ms(in->system->clock);
    limits_grant grant = limits_grant_of(in->plan->max_records, &in->rate, steady);
    if (input_waits_until(in, in->targets != NULL) > steady)
        grant = (limits_grant){ .records = 0, .is_by_rate = true };
    if (in->is_held) grant.records = 0;
    uint32_t count = in->partition_count;
    int64_t *backlogs = mem_alloc(2 * count * sizeof *backlogs), *shares = backlogs + count;
    for (uint32_t i = 0; i < count; i++)
        backlogs[i] =
            limits_backlog(input_position(in, in->order[i]), reach(in, in->order[i]));
    bool left = limits_share(backlogs, count, batch, grant.records, shares);
    in->range_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        int64_t from = input_position(in, in->order[i]);
        if (shares[i]) input_add_range(in, in->order[i], from, from + shares[i]);
    }
    if (!in->is_held) in->was_cut_short = left && !grant.is_by_rate;
    mem_free(backlogs);
    limits_rate_begin(&in->rate, steady);
}

void input_plan(input *in, uint64_t batch, int64_t now_ms) {
    if (in->early.is_there && !in->is_held)
        input_early_take(in);
    else
        input_share_out(in, batch);
    watermark_copy(&in->before, &in->watermark);
    watermark_begin(&in->watermark, now_ms);
}

/* Ranges were cut when bytes or time ran out. */
static void note_cut(input *in, const int64_t *wanted) {
    bool known = true;
    for (uint32_t i = 0; i < in->range_count; i++) {
        if (in->partitions[in->ranges[i].partition].end == INT64_MAX) known = false;
        if (in->ranges[i].to < wanted[i]) in->was_cut_short = true;
    }
    /* A stream of unknown length is cut only by what has come. */
    if (!known) in->was_cut_short = false;
}

/* Where the batch will leave each partition. */
void input_note_positions(input *in) {
    for (uint32_t p = 0; p < in->partition_count; p++)
        in->reached[p] = in->partitions[p].position;
    for (uint32_t i = 0; i < in->range_count; i++)
        in->reached[in->ranges[i].partition] = in->ranges[i].to;
}

err *input_fetch_into(input *in, input_load *load, int64_t timeout_ms) {
    int64_t *wanted = mem_alloc(in->range_count * sizeof *wanted);
    for (uint32_t i = 0; i < in->range_count; i++) wanted[i] = in->ranges[i].to;
    err *e = in->ops->fetch(in->handle, in->ranges, in->range_count, in->plan->max_bytes,
                            timeout_ms, &load->records, &load->bytes);
    if (!e) note_cut(in, wanted);
    mem_free(wanted);
    if (e && e->retriable) {
        /* The connection is away: what came is in, and ranges end there. Other inputs go on, this
         * one is asked again. */
        err_free(e);
        e = NULL;
    }
    return e;
}

/* Records that are in already, or else those that the connector gives. */
static err *fetch_records(input *in) {
    if (!in->early.is_taken) return input_fetch_into(in, &in->load, in->plan->max_time_ms);
    err *e = in->early.error;
    in->early.is_taken = false;
    in->early.error = NULL;
    return e;
}

err *input_fetch(input *in) {
    if (!in->range_count && !in->early.is_taken) return NULL;
    int64_t began_ms = clock_steady_ms(in->system->clock);
    err *e = fetch_records(in);
    if (!e) input_note_positions(in);
    if (!e && in->plan->has_header) e = header_take(in);
    in->load.pending.read = in->load.records.count;
    if (in->load.records.count) in->last_records_ms = began_ms;
    return e;
}

/* Whether a partition would be idle if only its leader confirmed that nothing is there. */
static bool needs_word(const input *in, int64_t since_ms) {
    int64_t idle_ms = in->plan->time.idle_ms;
    if (idle_ms < 0 || !in->plan->time.has_watermark) return false;
    for (uint32_t p = 0; p < in->partition_count; p++) {
        const sl_partition *partition = &in->partitions[p];
        int64_t moved_ms = in->watermark.partitions[p].moved_ms;
        bool is_quiet =
            moved_ms == WATERMARK_NONE || saturate_sub(in->watermark.now_ms, moved_ms) >= idle_ms;
        bool is_at_end = input_position(in, p) >= partition->end;
        if (is_quiet && is_at_end && partition->confirmed_ms < since_ms)
            return true;
    }
    return false;
}

/* While other partitions keep batches coming, the connector's own questions are too rare to confirm
 * a quiet one in each. A silent leader is asked again once a second, so that it slows nothing down.
 */
static err *ask_leaders(input *in, int64_t since_ms) {
    int64_t now_ms = clock_steady_ms(in->system->clock);
    if (now_ms < in->silent_until_ms || !needs_word(in, since_ms)) return NULL;
    err *e = in->ops->confirm(in->handle, ASK_MS);
    if (e && e->retriable) {
        err_free(e);
        e = NULL;
    }
    if (!e) e = input_look(in);
    if (!e && needs_word(in, since_ms)) in->silent_until_ms = now_ms + SILENCE_MS;
    return e;
}

bool input_reads(const input *in) {
    for (uint32_t r = 0; r < in->range_count; r++)
        if (in->ranges[r].from < in->ranges[r].to) return true;
    return false;
}

static void make_views(input *in, int64_t since_ms) {
    for (uint32_t p = 0; p < in->partition_count; p++)
        in->views[p] = watermark_view_of(&in->partitions[p], &in->plan->time, input_position(in, p),
                                         since_ms);
}

bool input_is_done(const input *in) {
    if (!in->targets && !in->plan->bounded) return false;
    for (uint32_t p = 0; p < in->partition_count; p++) {
        const sl_partition *partition = &in->partitions[p];
        int64_t position = input_position(in, p);
        if (partition->ended && position >= partition->end) continue;
        if (!in->targets) return false;
        if (p < in->target_count && position < in->targets[p]) return false;
    }
    return true;
}

/* Batches may be rare, and the one before long ago. */
static int64_t fresh_since(const input *in, int64_t since_ms) {
    int64_t fresh_ms = clock_steady_ms(in->system->clock) - FRESH_MS;
    return since_ms > fresh_ms ? since_ms : fresh_ms;
}

err *input_judge(input *in, int64_t since_ms) {
    since_ms = fresh_since(in, since_ms);
    err *e = ask_leaders(in, since_ms);
    if (e) return e;
    make_views(in, since_ms);
    in->ends_now = in->plan->bounded && input_is_done(in);
    return NULL;
}

void input_judge_none(input *in, int64_t since_ms) {
    make_views(in, fresh_since(in, since_ms));
    in->ends_now = false;
}

void input_settle(input *in) {
    watermark_end(&in->watermark, in->views);
    if (!in->ends_now) return;
    in->has_ended = true;
    watermark_finish(&in->watermark);
}

watermark_input input_preview(input *in, int64_t now_ms, int64_t since_ms) {
    if (in->plan->bounded && input_is_done(in)) return (watermark_input){ .time = WATERMARK_ENDED };
    make_views(in, fresh_since(in, since_ms));
    return watermark_input_preview(&in->watermark, now_ms, in->views);
}

static void add_counters(source_counters *sum, const source_counters *more) {
    sum->read += more->read;
    sum->passed += more->passed;
    sum->filtered += more->filtered;
    sum->duplicate += more->duplicate;
    sum->late += more->late;
    sum->quarantined += more->quarantined;
    sum->skipped += more->skipped;
    sum->late_windows += more->late_windows;
    sum->partly_quarantined += more->partly_quarantined;
}

/* Say at once that records are thrown out, and the first of them; then now and then. */
static void tell_bad(input *in, const input_load *load) {
    const source_counters *c = &load->pending;
    int64_t now_ms = clock_steady_ms(in->system->clock);
    in->untold += c->quarantined + c->skipped + c->partly_quarantined;
    if (!in->untold || !load->first_bad[0]) return;
    if (in->told_ms != INT64_MIN && now_ms - in->told_ms < TELL_MS) return;
    char *name = mem_copy_text(in->plan->name.data, in->plan->name.len);
    log_warn(in->system->log, "records thrown out", log_text("source", name),
             log_number("count", in->untold), log_text("first", load->first_bad));
    mem_free(name);
    in->untold = 0;
    in->told_ms = now_ms;
}

static void drop_load(const input *in, input_load *load) {
    load->pending = (source_counters){ 0 };
    load->first_bad[0] = '\0';
    load->has_thrown = false;
    load->records.count = 0;
    arena_reset(&load->bytes, (size_t)in->plan->max_bytes);
}

static void release(input *in, input_load *load, bool committed) {
    if (committed) add_counters(&in->counters, &load->pending);
    if (committed) tell_bad(in, load);
    drop_load(in, load);
}

void input_hold(input *in) {
    input_load *all = &in->waiting, *load = &in->load;
    add_counters(&all->pending, &load->pending);
    if (!all->first_bad[0]) memcpy(all->first_bad, load->first_bad, sizeof all->first_bad);
    drop_load(in, load);
    in->range_count = 0;
}

void input_park_held(input *in) {
    in->parked.pending = in->waiting.pending;
    memcpy(in->parked.first_bad, in->waiting.first_bad, sizeof in->parked.first_bad);
    drop_load(in, &in->waiting);
}

void input_park(input *in, bool has_lent) {
    if (!has_lent) {
        input_hold(in);
        input_park_held(in);
        return;
    }
    input_load free_one = in->parked;
    in->parked = in->load;
    in->load = free_one;
    in->range_count = 0;
}

void input_release_parked(input *in, bool committed) { release(in, &in->parked, committed); }

void input_release(input *in, bool committed) {
    if (!committed) watermark_undo(&in->watermark, &in->before);
    in->range_count = 0;
    release(in, &in->load, committed);
}
