#include <stdlib.h>

#include "runtime/base/mem.h"
#include "runtime/cli/lag_show.h"
#include "runtime/event/window.h"

enum { MOST_WINDOWS = 4 << 20, /* of all panes: hopping ones may have very many */
       GROUP_BYTES = 32 /* header and index, beside key and state (decision 0038) */ };

static uint64_t mix(uint64_t a, uint64_t b) {
    a ^= b + 0x9e3779b97f4a7c15u + (a << 6) + (a >> 2);
    a = (a ^ (a >> 30)) * 0xbf58476d1ce4e5b9u;
    return a ^ (a >> 27);
}

static const sl_aggregate *aggregate_of(const sl_plan *plan, const lag_stage *stage) {
    return stage->is_distinct ? NULL : &plan->aggregates[stage->index];
}

/* The watermark for which the row comes too late. */
static int64_t close_of(const sl_plan *plan, const lag_stage *stage, const lag_row *row) {
    const sl_aggregate *a = aggregate_of(plan, stage);
    if (!a) {
        int64_t within_ms = plan->distincts[stage->index].within_ms;
        return within_ms == INT64_MAX ? INT64_MAX : saturate_add(row->time_ms, within_ms);
    }
    if (a->mode == SL_COMPLETE || a->window.kind == SL_WINDOW_NONE) return INT64_MAX;
    if (window_is_own(&a->window))
        return window_close_time(&a->window, window_own(&a->window, row->time_ms).end);
    return window_pane_goes(&a->window, row->pane);
}

/* Rows as the questions want them; groups by `id`. */
static disorder_open *make_rows(const lag_source *s, const sl_plan *plan, const lag_stage *stage) {
    disorder_open *rows = mem_alloc((stage->count + 1u) * sizeof *rows);
    for (uint32_t i = 0; i < stage->count; i++) {
        const lag_row *row = &stage->rows[i];
        int64_t close_ms = close_of(plan, stage, row);
        rows[i] = (disorder_open){
            .id = mix(row->hash, (uint64_t)row->pane),
            .place = disorder_place(&s->disorder, row->partition, row->number),
            .close_ms = close_ms,
            .end_ms = close_ms,
        };
    }
    return rows;
}

/* The windows of the panes that rows are in. NULL: none, or too many. */
static disorder_open *make_windows(const disorder_open *rows, const sl_plan *plan,
                                   const lag_stage *stage, uint32_t *count) {
    const sl_aggregate *a = aggregate_of(plan, stage);
    *count = 0;
    if (!a || !window_has_bounds(&a->window) || window_is_own(&a->window)) return NULL;
    disorder_open *panes = mem_alloc((stage->count + 1u) * sizeof *panes);
    for (uint32_t i = 0; i < stage->count; i++)
        panes[i] = (disorder_open){ .id = (uint64_t)stage->rows[i].pane, .place = rows[i].place };
    uint32_t pane_count = disorder_firsts(panes, stage->count), room = 0;
    disorder_open *windows = NULL;
    for (uint32_t i = 0; i < pane_count && *count < MOST_WINDOWS; i++) {
        window_run run = window_of_pane(&a->window, (int64_t)panes[i].id);
        window_bounds at;
        while (*count < MOST_WINDOWS && window_next(&run, &at)) {
            if (*count == room) {
                room = room ? 2 * room : 256;
                windows = mem_realloc(windows, room * sizeof *windows);
            }
            windows[(*count)++] = (disorder_open){
                .id = mix((uint64_t)at.start, (uint64_t)at.end),
                .place = panes[i].place,
                .close_ms = a->mode == SL_COMPLETE ? INT64_MAX
                                                   : window_close_time(&a->window, at.end),
                .end_ms = at.end,
            };
        }
    }
    mem_free(panes);
    if (*count == MOST_WINDOWS) *count = 0;
    *count = disorder_firsts(windows, *count);
    return windows;
}

static void add_delay(lag_answer *a, int64_t delay_ms) {
    if (delay_ms < 0 || a->count == LAG_DELAYS) return;
    uint32_t at = 0;
    while (at < a->count && a->delays[at].delay_ms < delay_ms) at++;
    if (at < a->count && a->delays[at].delay_ms == delay_ms) return;
    for (uint32_t i = a->count++; i > at; i--) a->delays[i] = a->delays[i - 1];
    a->delays[at] = (lag_delay){ .delay_ms = delay_ms };
}

/* Round ones, up to the first that loses nothing; the script's; the one that is advised. */
static void choose_delays(lag_answer *a, const int64_t *needs, uint32_t count) {
    static const int64_t ROUND[] = { 0, 1000, 5000, 10000, 30000, 60000, 300000, 900000,
                                     3600000, 21600000, 86400000 };
    int64_t whole_ms = disorder_delay(needs, count, 0);
    for (size_t i = 0; i < sizeof ROUND / sizeof *ROUND; i++)
        if (!i || ROUND[i - 1] < whole_ms) add_delay(a, ROUND[i]);
    add_delay(a, whole_ms);
    add_delay(a, a->advised_ms);
    add_delay(a, a->now_ms);
}

static int64_t round_up(int64_t delay_ms) {
    return delay_ms > 1000 ? (delay_ms + 999) / 1000 * 1000 : delay_ms;
}

void lag_judge(const lag_source *s, const sl_plan *plan, const lag_stage *stage, double loss,
               lag_answer *a) {
    const sl_aggregate *aggregate = aggregate_of(plan, stage);
    uint32_t window_count;
    disorder_open *groups = make_rows(s, plan, stage);
    disorder_open *windows = make_windows(groups, plan, stage, &window_count);
    int64_t *needs = disorder_needs(&s->disorder, groups, stage->count);
    uint32_t group_count = disorder_firsts(groups, stage->count);
    uint64_t bytes = GROUP_BYTES + (stage->count ? stage->key_bytes / stage->count : 0) +
                     (aggregate ? aggregate->state_size : 0);
    *a = (lag_answer){
        .stage = stage,
        .now_ms = s->plan->time.has_watermark ? s->plan->time.delay_ms : -1,
        .advised_ms = round_up(
            disorder_delay(needs, stage->count, (uint32_t)(loss * (double)stage->count))),
    };
    choose_delays(a, needs, stage->count);
    for (uint32_t i = 0; i < a->count; i++) {
        lag_delay *d = &a->delays[i];
        disorder_cost held = disorder_cost_of(&s->disorder, groups, group_count, d->delay_ms);
        disorder_cost open = disorder_cost_of(&s->disorder, windows, window_count, d->delay_ms);
        d->lost = disorder_lost(needs, stage->count, d->delay_ms);
        d->groups = held.peak;
        d->state_bytes = held.peak * bytes;
        d->windows = open.peak;
        d->has_results = open.closed > 0;
        d->result_ms = open.waited_ms;
        d->result_most_ms = open.waited_most;
    }
    mem_free(needs);
    mem_free(windows);
    mem_free(groups);
}
