#include "runtime/event/watermark.h"

#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/event/saturate.h"

/* DESIGN: a verdict is a function of moved_ms, the batch's time and the view, with no memory of
 * earlier verdicts: an idle partition whose leader falls silent counts again. `high` takes what a
 * batch observed only at its end, so that a batch can be done again, and previewed. */

enum { WATERMARK_NEVER_IDLE = -1 };

void watermark_init(watermark_source *wm, const sl_time *rules) {
    *wm = (watermark_source){
        .time = WATERMARK_NONE,
        .all_idle_ms = WATERMARK_NONE,
        .all_idle_time = WATERMARK_NONE,
        .rules = *rules,
    };
}

void watermark_done(watermark_source *wm) {
    mem_free(wm->partitions);
    wm->partitions = NULL;
    wm->count = 0;
}

void watermark_copy(watermark_source *copy, const watermark_source *wm) {
    watermark_partition *own = copy->partitions;
    if (copy->count < wm->count) own = mem_realloc(own, wm->count * sizeof *own);
    *copy = *wm;
    copy->partitions = own;
    if (wm->count) memcpy(own, wm->partitions, wm->count * sizeof *own);
}

void watermark_undo(watermark_source *wm, const watermark_source *copy) {
    bool has_new = wm->count > copy->count;
    wm->time = copy->time;
    wm->all_idle_ms = has_new ? WATERMARK_NONE : copy->all_idle_ms;
    wm->all_idle_time = copy->all_idle_time;
    wm->now_ms = copy->now_ms;
    if (copy->count) memcpy(wm->partitions, copy->partitions, copy->count * sizeof *wm->partitions);
}

void watermark_discover(watermark_source *wm, uint32_t count, int64_t now_ms) {
    if (count <= wm->count) return;
    wm->partitions = mem_realloc(wm->partitions, count * sizeof *wm->partitions);
    for (uint32_t p = wm->count; p < count; p++) {
        wm->partitions[p] = (watermark_partition){
            .high = WATERMARK_NONE,
            .batch_high = WATERMARK_NONE,
            .moved_ms = now_ms,
        };
    }
    wm->count = count;
    wm->all_idle_ms = WATERMARK_NONE; /* the new ones hold it until they are idle */
}

void watermark_follow_clock(watermark_source *wm, int64_t jump_ms) {
    for (uint32_t p = 0; p < wm->count; p++) {
        int64_t *moved_ms = &wm->partitions[p].moved_ms;
        if (*moved_ms != WATERMARK_NONE) *moved_ms = saturate_add(*moved_ms, jump_ms);
    }
    if (wm->all_idle_ms != WATERMARK_NONE) wm->all_idle_ms = saturate_add(wm->all_idle_ms, jump_ms);
}

static bool may_be_idle(const watermark_source *wm, watermark_view view) {
    return wm->rules.idle_ms != WATERMARK_NEVER_IDLE && view.is_at_end && view.is_confirmed &&
           !view.is_in_transaction;
}

void watermark_start_bounded(watermark_source *wm, uint32_t p, watermark_view view) {
    if (!may_be_idle(wm, view)) return;
    wm->partitions[p].moved_ms = WATERMARK_NONE;
    wm->partitions[p].is_idle = true;
}

void watermark_begin(watermark_source *wm, int64_t now_ms) {
    wm->now_ms = now_ms;
    for (uint32_t p = 0; p < wm->count; p++) wm->partitions[p].batch_high = WATERMARK_NONE;
}

static bool is_idle(const watermark_source *wm, const watermark_partition *p, int64_t now_ms,
                    watermark_view view) {
    if (view.has_ended) return true;
    if (!may_be_idle(wm, view)) return false;
    return p->moved_ms == WATERMARK_NONE || saturate_sub(now_ms, p->moved_ms) >= wm->rules.idle_ms;
}

/* The watermark that event times up to `high` give: never none, never +infinity. */
static int64_t from_high(const watermark_source *wm, int64_t high) {
    int64_t time = saturate_sub(high, wm->rules.delay_ms);
    if (time == WATERMARK_NONE) return WATERMARK_NONE + 1;
    return time == WATERMARK_ENDED ? WATERMARK_ENDED - 1 : time;
}

/* What a walk over the partitions finds at `now_ms`. */
typedef struct survey {
    int64_t low;       /* lowest high of those not idle, if any is not */
    int64_t low_ever;  /* lowest high of those that had a record, if any had */
    int64_t high_ever; /* highest of all; WATERMARK_NONE: no record yet */
    bool is_all_idle;
} survey;

static survey survey_partitions(const watermark_source *wm, int64_t now_ms,
                                const watermark_view *views) {
    survey s = {
        .low = INT64_MAX,
        .low_ever = INT64_MAX,
        .high_ever = WATERMARK_NONE,
        .is_all_idle = wm->count > 0,
    };
    for (uint32_t i = 0; i < wm->count; i++) {
        const watermark_partition *p = &wm->partitions[i];
        if (p->high > s.high_ever) s.high_ever = p->high;
        if (p->high != WATERMARK_NONE && p->high < s.low_ever) s.low_ever = p->high;
        if (is_idle(wm, p, now_ms, views[i])) continue;
        s.is_all_idle = false;
        if (p->high < s.low) s.low = p->high; /* without a record: WATERMARK_NONE, the lowest */
    }
    return s;
}

/* The watermark by the data alone; `wm->time` where it stands still. */
static int64_t from_data(const watermark_source *wm, const survey *s) {
    bool is_max = wm->rules.rule == SL_WATERMARK_MAX;
    if (!is_max && s->is_all_idle && wm->time != WATERMARK_NONE) return wm->time;
    int64_t high = s->is_all_idle ? s->low_ever : s->low;
    if (is_max) high = s->high_ever;
    if (s->high_ever == WATERMARK_NONE || high == WATERMARK_NONE) return wm->time;
    int64_t time = from_high(wm, high);
    return time > wm->time ? time : wm->time;
}

/* Wall-clock advance from `base`, the watermark at `since_ms`, when all became idle. */
static int64_t by_wall_clock(const watermark_source *wm, int64_t base, int64_t since_ms,
                             int64_t now_ms) {
    if (base == WATERMARK_NONE) return wm->time;
    int64_t moved = saturate_add(base, saturate_sub(now_ms, since_ms));
    int64_t bound = saturate_sub(now_ms, wm->rules.delay_ms);
    int64_t time = moved < bound ? moved : bound;
    return time > wm->time ? time : wm->time;
}

int64_t watermark_preview(const watermark_source *wm, int64_t now_ms, const watermark_view *views) {
    if (wm->time == WATERMARK_ENDED || !wm->rules.has_watermark) return wm->time;
    survey s = survey_partitions(wm, now_ms, views);
    bool was_all_idle = wm->all_idle_ms != WATERMARK_NONE;
    if (!s.is_all_idle || !wm->rules.wall_clock || !was_all_idle) return from_data(wm, &s);
    return by_wall_clock(wm, wm->all_idle_time, wm->all_idle_ms, now_ms);
}

static void take_batch(watermark_source *wm) {
    for (uint32_t i = 0; i < wm->count; i++) {
        watermark_partition *p = &wm->partitions[i];
        if (p->batch_high == WATERMARK_NONE) continue;
        if (p->batch_high > p->high) p->high = p->batch_high;
        p->moved_ms = wm->now_ms;
        p->batch_high = WATERMARK_NONE;
    }
}

int64_t watermark_end(watermark_source *wm, const watermark_view *views) {
    take_batch(wm);
    wm->time = watermark_preview(wm, wm->now_ms, views);
    for (uint32_t i = 0; i < wm->count; i++) {
        wm->partitions[i].is_idle = is_idle(wm, &wm->partitions[i], wm->now_ms, views[i]);
    }
    if (!watermark_is_all_idle(wm)) {
        wm->all_idle_ms = WATERMARK_NONE;
    } else if (wm->all_idle_ms == WATERMARK_NONE) {
        wm->all_idle_ms = wm->now_ms;
        wm->all_idle_time = wm->time;
    }
    return wm->time;
}

bool watermark_is_behind(const watermark_source *wm, int64_t preview) {
    if (!wm->rules.wall_clock || preview == wm->time) return false;
    return wm->time == WATERMARK_NONE || saturate_sub(preview, wm->time) >= WATERMARK_STEP_MS;
}

bool watermark_turns_idle(const watermark_source *wm, int64_t now_ms, const watermark_view *views) {
    if (!wm->rules.wall_clock || wm->time == WATERMARK_ENDED) return false;
    return wm->all_idle_ms == WATERMARK_NONE && survey_partitions(wm, now_ms, views).is_all_idle;
}

void watermark_finish(watermark_source *wm) {
    wm->time = WATERMARK_ENDED;
}

bool watermark_is_all_idle(const watermark_source *wm) {
    for (uint32_t i = 0; i < wm->count; i++) {
        if (!wm->partitions[i].is_idle) return false;
    }
    return wm->count > 0;
}

int64_t watermark_slowest(const watermark_source *wm) {
    int64_t slowest = -1;
    if (wm->time == WATERMARK_ENDED) return -1;
    bool by_max = wm->rules.rule == SL_WATERMARK_MAX;
    for (uint32_t i = 0; i < wm->count; i++) {
        const watermark_partition *p = &wm->partitions[i];
        if (by_max ? p->high == WATERMARK_NONE : p->is_idle) continue;
        int64_t held = slowest < 0 ? 0 : wm->partitions[slowest].high;
        if (slowest < 0 || (by_max ? p->high > held : p->high < held)) slowest = i;
    }
    return slowest;
}

int64_t watermark_skew_limit(const sl_time *rules, int64_t now_ms, bool is_bounded,
                             bool is_manual_clock) {
    if ((is_bounded || is_manual_clock) && !rules->skew_given) return INT64_MAX;
    return saturate_add(now_ms, rules->max_skew_ms);
}

watermark_view watermark_view_of(const sl_partition *p, const sl_time *rules, int64_t position,
                                 int64_t since_ms) {
    bool is_settled = !p->back_ms || saturate_sub(p->confirmed_ms, p->back_ms) >= rules->idle_ms;
    return (watermark_view){
        .is_at_end = position >= p->end,
        .has_ended = p->ended && position >= p->end,
        .is_confirmed =
            is_settled && p->confirmed_ms != INT64_MIN && p->confirmed_ms >= since_ms,
        .is_in_transaction = p->is_stalled,
    };
}

watermark_input watermark_input_of(const watermark_source *wm) {
    return (watermark_input){
        .time = wm->time,
        .is_left_out = watermark_is_all_idle(wm) && !wm->rules.wall_clock,
    };
}

watermark_input watermark_input_preview(const watermark_source *wm, int64_t now_ms,
                                        const watermark_view *views) {
    bool is_all_idle = survey_partitions(wm, now_ms, views).is_all_idle;
    return (watermark_input){
        .time = watermark_preview(wm, now_ms, views),
        .is_left_out = is_all_idle && !wm->rules.wall_clock,
    };
}

int64_t watermark_slowest_input(const watermark_input *inputs, uint32_t count) {
    int64_t slowest = -1;
    for (uint32_t i = 0; i < count; i++) {
        if (inputs[i].is_left_out || inputs[i].time == WATERMARK_ENDED) continue;
        if (slowest < 0 || inputs[i].time < inputs[slowest].time) slowest = i;
    }
    return slowest;
}

int64_t watermark_combine(const watermark_input *inputs, uint32_t count, int64_t current) {
    bool has_ended = count > 0;
    for (uint32_t i = 0; i < count; i++) has_ended &= inputs[i].time == WATERMARK_ENDED;
    if (has_ended) return WATERMARK_ENDED;
    int64_t slowest = watermark_slowest_input(inputs, count);
    if (slowest < 0) return current;
    return inputs[slowest].time > current ? inputs[slowest].time : current;
}
