#include "runtime/event/trigger.h"

#include "runtime/event/saturate.h"

void trigger_init(trigger *t, int32_t kind, int64_t interval_ms, int64_t pace_ms) {
    *t = (trigger){
        .kind = kind,
        .interval_ms = interval_ms,
        .pace_ms = pace_ms,
        .due_ms = INT64_MIN,
    };
}

int64_t trigger_next_multiple(int64_t time_ms, int64_t interval_ms) {
    int64_t rest = time_ms % interval_ms;
    if (rest < 0) rest += interval_ms;
    return saturate_add(time_ms, interval_ms - rest);
}

static trigger_verdict wait_until(int64_t until_ms) {
    return (trigger_verdict){ .action = TRIGGER_WAIT, .until_ms = until_ms };
}

static trigger_verdict ask_interval(trigger *t, int64_t now_ms, bool has_work) {
    int64_t next = trigger_next_multiple(now_ms, t->interval_ms);
    if (t->due_ms > next) t->due_ms = next; /* the system's clock was set back */
    if (now_ms < t->due_ms) return wait_until(t->due_ms);
    if (has_work) return (trigger_verdict){ .action = TRIGGER_RUN };
    if (!t->batch_count) return wait_until(INT64_MAX); /* the first runs at once */
    t->due_ms = next;
    return wait_until(next);
}

static trigger_verdict ask_continuous(trigger *t, int64_t now_ms, bool has_work) {
    int64_t latest = saturate_add(now_ms, t->pace_ms);
    if (t->due_ms > latest) t->due_ms = latest; /* the system's clock was set back */
    if (!has_work) return wait_until(INT64_MAX);
    return now_ms < t->due_ms ? wait_until(t->due_ms) : (trigger_verdict){ .action = TRIGGER_RUN };
}

trigger_verdict trigger_ask(trigger *t, int64_t now_ms, trigger_work work) {
    bool has_work = work.has_data || work.is_empty_batch_due;
    if (t->kind == SL_INTERVAL) return ask_interval(t, now_ms, has_work);
    if (t->kind == SL_CONTINUOUS) return ask_continuous(t, now_ms, has_work);
    bool is_over = t->kind == SL_ONCE && t->batch_count;
    if (has_work && !is_over) return (trigger_verdict){ .action = TRIGGER_RUN };
    if (work.is_held_back && !is_over) return wait_until(INT64_MAX);
    return (trigger_verdict){ .action = TRIGGER_DONE };
}

void trigger_begin(trigger *t, int64_t now_ms) {
    t->start_ms = now_ms;
}

bool trigger_end(trigger *t, int64_t now_ms, bool is_cut_short) {
    t->batch_count++;
    if (t->kind == SL_CONTINUOUS && t->pace_ms)
        t->due_ms = is_cut_short ? INT64_MIN : saturate_add(t->start_ms, t->pace_ms);
    if (t->kind != SL_INTERVAL) return false;
    int64_t next = trigger_next_multiple(t->start_ms, t->interval_ms);
    bool has_overrun = now_ms > next;
    t->overrun_count += has_overrun;
    t->due_ms = is_cut_short || now_ms >= next ? INT64_MIN : next;
    return has_overrun;
}
