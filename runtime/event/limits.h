#pragma once
/* How much a batch takes (semantics, section 1, Limits): offsets, up to the last stable one.
 *
 *   limits_due ─▶ limits_share(min of max_records, limits_rate_has) ─▶ limits_rate_begin
 *
 * Limits are per source. No clock is read. thread: any. */
#include <stdbool.h>
#include <stdint.h>

enum { LIMITS_RATE_NONE = 0 };

/* Offsets that lie behind `position`; `end` INT64_MAX: nobody knows, so many. */
static inline int64_t limits_backlog(int64_t position, int64_t end) {
    if (end <= position) return 0;
    if (end == INT64_MAX) return INT64_MAX;
    int64_t backlog;
    return __builtin_sub_overflow(end, position, &backlog) ? INT64_MAX : backlog;
}

/* Divide `limit` records over partitions with `backlogs` (each >= 0) into `shares` (count values).
 * Each partition with backlog gets one while the limit lasts, in turns that begin with the (batch
 * mod b)-th of the b partitions with backlog; the rest goes in proportion to what each then has
 * left, by largest remainder, ties to the lower partition. The sum is min(limit, sum of backlogs).
 * Returns whether something was left behind. O(count log count). */
bool limits_share(const int64_t *backlogs, uint32_t count, uint64_t batch, int64_t limit,
                  int64_t *shares);

/* A brake: max_rate. */
typedef struct limits_rate {
    double per_second; /* records; LIMITS_RATE_NONE: no brake */
    double carried;    /* part of a record that had accrued at `since_ms`, 0 <= .. < 1 */
    int64_t since_ms;  /* steady time at which the last batch began, or the source was opened */
} limits_rate;

/* Start the brake at `now_ms` (steady time). */
void limits_rate_init(limits_rate *rate, double per_second, int64_t now_ms);

/* Records that have accrued since the last batch began; INT64_MAX: no brake. 0: wait. */
int64_t limits_rate_has(const limits_rate *rate, int64_t now_ms);

/* Steady time at which a whole record will have accrued; <= now: it has. */
int64_t limits_rate_due(const limits_rate *rate);

/* A batch begins: it had its chance to take what had accrued. */
void limits_rate_begin(limits_rate *rate, int64_t now_ms);

/* What a batch may take of one source. */
typedef struct limits_grant {
    int64_t records; /* min(max_records, accrued) */
    bool is_by_rate; /* the brake (or min_records) limits: being cut by it is not being cut short */
} limits_grant;

limits_grant limits_grant_of(int64_t max_records, const limits_rate *rate, int64_t now_ms);

/* Time until which a batch waits for `min_records`: last_ms + max_delay_ms, or INT64_MIN (do not
 * wait) when min_records is 0, so many are there, or no batch had records yet (`last_ms`
 * INT64_MIN). `last_ms`: when the last batch with records began. available-now and once do not
 * ask. */
int64_t limits_due(int64_t min_records, int64_t max_delay_ms, int64_t backlog, int64_t last_ms);
