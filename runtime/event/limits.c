#include "runtime/event/limits.h"

#include <math.h>
#include <stdlib.h>

#include "runtime/base/mem.h"
#include "runtime/event/saturate.h"

typedef unsigned __int128 wide;

/* What rounding down took from a partition. */
typedef struct remainder_of {
    wide rest; /* of limit * left / sum of left */
    uint32_t partition;
} remainder_of;

static int by_rest_then_partition(const void *a, const void *b) {
    const remainder_of *x = a, *y = b;
    if (x->rest != y->rest) return x->rest > y->rest ? -1 : 1;
    return x->partition < y->partition ? -1 : 1;
}

/* One record to each of the partitions with backlog, as far as `limit` (< with_backlog) goes. */
static void share_turns(const int64_t *backlogs, uint32_t count, uint32_t with_backlog,
                        uint64_t batch,
                        int64_t limit, int64_t *shares) {
    uint32_t first = (uint32_t)(batch % with_backlog), ordinal = 0;
    for (uint32_t p = 0; p < count; p++) {
        if (!backlogs[p]) continue;
        uint32_t turn = (ordinal++ + with_backlog - first) % with_backlog;
        shares[p] = turn < limit;
    }
}

/* One record to each with backlog, the rest of `limit` (< sum of backlogs) in proportion. */
static void share_rest(const int64_t *backlogs, uint32_t count, uint32_t with_backlog, wide sum,
                       int64_t limit, int64_t *shares) {
    wide rest = (wide)(limit - with_backlog), left_sum = sum - with_backlog, given = 0;
    remainder_of *remainders = mem_alloc(with_backlog * sizeof *remainders);
    uint32_t n = 0;
    for (uint32_t p = 0; p < count; p++) {
        if (!backlogs[p]) continue;
        wide product = rest * (uint64_t)(backlogs[p] - 1);
        wide quota = product / left_sum;
        shares[p] = 1 + (int64_t)quota;
        given += quota;
        remainders[n++] = (remainder_of){ product % left_sum, p };
    }
    qsort(remainders, n, sizeof *remainders, by_rest_then_partition);
    for (uint32_t i = 0; given < rest; i++, given++) shares[remainders[i].partition]++;
    mem_free(remainders);
}

bool limits_share(const int64_t *backlogs, uint32_t count, uint64_t batch, int64_t limit,
                  int64_t *shares) {
    wide sum = 0;
    uint32_t with_backlog = 0;
    for (uint32_t p = 0; p < count; p++) {
        shares[p] = backlogs[p];
        sum += (uint64_t)backlogs[p];
        if (backlogs[p]) with_backlog++;
    }
    if (sum <= (wide)limit) return false;
    if (limit < with_backlog)
        share_turns(backlogs, count, with_backlog, batch, limit, shares);
    else
        share_rest(backlogs, count, with_backlog, sum, limit, shares);
    return true;
}

void limits_rate_init(limits_rate *rate, double per_second, int64_t now_ms) {
    *rate = (limits_rate){ .per_second = per_second, .since_ms = now_ms };
}

static double accrued(const limits_rate *rate, int64_t now_ms) {
    int64_t elapsed_ms = saturate_sub(now_ms, rate->since_ms);
    if (elapsed_ms < 0) elapsed_ms = 0;
    return rate->carried + rate->per_second * (double)elapsed_ms / 1000;
}

int64_t limits_rate_has(const limits_rate *rate, int64_t now_ms) {
    if (rate->per_second <= LIMITS_RATE_NONE) return INT64_MAX;
    double records = floor(accrued(rate, now_ms));
    return records >= 0x1p63 ? INT64_MAX : (int64_t)records;
}

int64_t limits_rate_due(const limits_rate *rate) {
    if (rate->per_second <= LIMITS_RATE_NONE) return rate->since_ms;
    double wait_ms = ceil((1 - rate->carried) * 1000 / rate->per_second);
    if (wait_ms >= 0x1p63) return INT64_MAX;
    int64_t due = saturate_add(rate->since_ms, (int64_t)wait_ms);
    return accrued(rate, due) >= 1 ? due : saturate_add(due, 1); /* rounding of doubles */
}

void limits_rate_begin(limits_rate *rate, int64_t now_ms) {
    double records = accrued(rate, now_ms);
    rate->carried = records - floor(records);
    rate->since_ms = now_ms;
}

limits_grant limits_grant_of(int64_t max_records, const limits_rate *rate, int64_t now_ms) {
    int64_t has = limits_rate_has(rate, now_ms);
    if (has < max_records) return (limits_grant){ .records = has, .is_by_rate = true };
    return (limits_grant){ .records = max_records };
}

int64_t limits_due(int64_t min_records, int64_t max_delay_ms, int64_t backlog, int64_t last_ms) {
    if (backlog >= min_records || last_ms == INT64_MIN) return INT64_MIN;
    return saturate_add(last_ms, max_delay_ms);
}
