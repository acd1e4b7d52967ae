#pragma once
/* When the next batch runs (semantics, section 1, Trigger).
 *
 *   ask ─▶ RUN ─▶ begin ─▶ the batch ─▶ end ─▶ ask …
 *    └──▶ WAIT until a time, or until there is something to do; DONE: the run is over
 *
 * Interval: the first batch at once, then at max(end, next epoch-aligned multiple after its
 * start). A time at which there is nothing to do passes, and the next multiple is waited for.
 * What there is to do is told by the caller; no clock is read. One owner; thread: the owner's. */
#include <stdbool.h>
#include <stdint.h>

#include "runtime/shared/plan.h"

typedef enum trigger_action { TRIGGER_RUN = 1,
                              TRIGGER_WAIT,
                              TRIGGER_DONE } trigger_action;

typedef struct trigger_verdict {
    trigger_action action;
    int64_t until_ms; /* WAIT: ask again then, or when there is more to do; INT64_MAX: only then */
} trigger_verdict;

/* What there is to do. */
typedef struct trigger_work {
    bool has_data;           /* its ranges would not be empty; bounded runs: of what lay there */
    bool is_empty_batch_due; /* one without records has something to do */
    bool is_held_back;       /* data is there, and its time comes: a bounded run is not over */
} trigger_work;

typedef struct trigger {
    int32_t kind;           /* sl_trigger_kind */
    int64_t interval_ms;    /* SL_INTERVAL: > 0 */
    int64_t pace_ms;        /* SL_CONTINUOUS: least time from batch to batch; 0: none */
    int64_t due_ms;         /* no batch before it; INT64_MIN: at once */
    int64_t start_ms;       /* of the batch that runs or ran last, Unix ms */
    uint64_t batch_count;   /* batches ended in this run */
    uint64_t overrun_count; /* of them, those that ended past the multiple after their start */
} trigger;

void trigger_init(trigger *t, int32_t kind, int64_t interval_ms, int64_t pace_ms);

/* Say what to do at `now_ms`. */
trigger_verdict trigger_ask(trigger *t, int64_t now_ms, trigger_work work);

/* A batch begins. */
void trigger_begin(trigger *t, int64_t now_ms);

/* It has ended. `is_cut_short`: a limit (not max_rate) kept it from taking all that was there when
 * it was planned; the next then follows at once. Returns whether it overran its interval. */
bool trigger_end(trigger *t, int64_t now_ms, bool is_cut_short);

/* The first epoch-aligned multiple of `interval_ms` after `time_ms`, saturating. */
int64_t trigger_next_multiple(int64_t time_ms, int64_t interval_ms);
