#include "runtime/flow/early.h"

#include "runtime/flow/ahead.h"
#include "runtime/flow/closing.h"

/* As far as can be known before the running batch is done. */
static bool has_follower(const pipeline *p) {
    if (*p->system.stop || p->finished || closing_is_open(p) || ahead_planned(p)) return false;
    switch (p->plan->trigger) {
    case SL_ONCE: return false;
    case SL_AVAILABLE_NOW: return true;
    default: break;
    }
    return p->was_cut_short || (p->plan->trigger == SL_CONTINUOUS && !p->trigger.pace_ms);
}

bool early_plan(pipeline *p) {
    bool any = false;
    if (!p->overlaps || crew_count(p->crew) == 1 || !has_follower(p)) return false;
    for (uint32_t i = 0; i < p->input_count; i++)
        any |= input_early_plan(&p->inputs[i], p->batch + 1);
    return any;
}

void early_fetch(void *arg) {
    pipeline *p = arg;
    for (uint32_t i = 0; i < p->input_count; i++) input_early_fetch(&p->inputs[i]);
}
