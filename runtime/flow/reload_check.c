/* What a running pipeline cannot change, and a restart can: connections that are open, where state
 * is kept, and how long it runs. */
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/flow/budget.h"
#include "runtime/flow/held.h"
#include "runtime/flow/keeper.h"
#include "runtime/flow/local.h"
#include "runtime/flow/reload_inside.h"

#define RESTART "it takes effect when the pipeline is stopped and run again"

const sl_plan *reload_base(const pipeline *p) { return p->trial ? p->trial->plan : p->plan; }

static bool is_bounded(const sl_plan *plan) {
    return plan->trigger == SL_AVAILABLE_NOW || plan->trigger == SL_ONCE;
}

/* What main reads from the plan; `start` counts for a start alone. */
static const char *const NOT_OPENED[] = {
    "start",
    "bad_records",
    "max_bad_share",
    "max_records",
    "max_bytes",
    "max_time_ms",
    "max_rate",
    "min_records",
    "max_delay_ms",
    NULL,
};

static err *check_source(const pipeline *p, uint32_t i, const sl_source *now) {
    const sl_source *open = p->opened[i];
    int len = (int)open->name.len;
    if (!held_is_text(&open->connector, &now->connector))
        return err_new(ERR_REFUSED, "source `%.*s` was read by %.*s, and is by %.*s: " RESTART, len,
                       open->name.data, (int)open->connector.len, open->connector.data,
                       (int)now->connector.len, now->connector.data);
    const sl_string *other = held_difference(open->options, now->options, NOT_OPENED);
    if (!other && reload_base(p)->sources[i].has_header == now->has_header) return NULL;
    static const sl_string header = { .data = "header", .len = 6 };
    if (!other) other = &header;
    return err_new(ERR_REFUSED,
                   "`%.*s` of source `%.*s` is another, and the source is open: " RESTART,
                   (int)other->len, other->data, len, open->name.data);
}

static const char *find_kept(const sl_checkpoint *was, const sl_checkpoint *now) {
    if (!held_is_text(&was->url, &now->url)) return "`checkpoint`";
    if (!held_is_text(&was->ledger, &now->ledger) || !held_is_text(&was->topic, &now->topic))
        return "where progress is committed (it follows from sources and sinks)";
    if (!held_is_text(&was->group, &now->group)) return "the consumer group";
    if (held_difference(was->options, now->options, NULL)) return "the connection to Kafka";
    if (held_difference(was->store, now->store, NULL)) return "an option of the checkpoint's store";
    if (!held_is_text(&was->state_dir, &now->state_dir)) return "`state_dir`";
    if (was->delivery != now->delivery || was->plans_ahead != now->plans_ahead)
        return "what delivery promises (it follows from the sinks)";
    return NULL;
}

/* In the script, where that is known. */
static err *at_line(err *e, const sl_string *at) {
    return at->len ? err_wrap(e, "%.*s", (int)at->len, at->data) : e;
}

static err *check_sources(const pipeline *p, const sl_plan *plan) {
    uint32_t was = reload_base(p)->source_count;
    if (was != plan->source_count)
        return at_line(err_new(ERR_REFUSED, "there were %u sources, and there are %u: " RESTART,
                               was, plan->source_count),
                       &plan->at);
    for (uint32_t i = 0; i < plan->source_count; i++) {
        err *e = check_source(p, i, &plan->sources[i]);
        if (e) return at_line(e, &plan->sources[i].at);
    }
    return NULL;
}

static err *check_run(const pipeline *p, const sl_plan *plan, uint32_t workers) {
    const sl_plan *was = reload_base(p);
    if (!held_is_text(&was->name, &plan->name))
        return err_new(ERR_REFUSED,
                       "the pipeline was called `%.*s`, and is `%.*s`: " RESTART
                       ", with empty state",
                       (int)was->name.len, was->name.data, (int)plan->name.len, plan->name.data);
    if (workers != crew_count(p->crew))
        return err_new(ERR_REFUSED, "there were %u workers, and there are %u: " RESTART,
                       crew_count(p->crew), workers);
    return NULL;
}

static err *check_kept(const pipeline *p, const sl_plan *plan) {
    const sl_plan *was = reload_base(p);
    const char *kept = find_kept(&was->checkpoint, &plan->checkpoint);
    if (kept) return err_new(ERR_REFUSED, "%s is another: " RESTART, kept);
    bool is_same = was->trigger == plan->trigger && was->flush == plan->flush;
    if (!is_same && (is_bounded(was) || is_bounded(plan)))
        return err_new(ERR_REFUSED,
                       "`trigger` or `flush` of a run that ends by itself is another: " RESTART);
    return NULL;
}

err *reload_check(const pipeline *p, const sl_plan *plan, uint32_t workers) {
    err *e = check_run(p, plan, workers);
    if (e) return at_line(e, &plan->at);
    e = check_sources(p, plan);
    if (e) return e;
    e = check_kept(p, plan);
    return e ? at_line(e, &plan->at) : NULL;
}

/* Whether a table would leave memory in another way. */
static bool has_other_way(const pipeline *p, const reload *r) {
    const sl_plan *now = r->plan;
    uint32_t groups = 2 * now->aggregate_count;
    for (uint32_t i = 0; i < stored_count(now); i++) {
        if (r->state.moves[i] == TAKEOVER_NONE) continue;
        int32_t way = i < groups ? now->aggregates[i / 2].spills
                                 : now->distincts[i - groups].spills;
        if (way != budget_way_of(p, r->state.moves[i])) return true;
    }
    return false;
}

err *reload_check_state(const pipeline *p, reload *r, bool has_other_shape) {
    if (!p->local || !p->local->base) return NULL;
    if (has_other_way(p, r))
        return err_new(ERR_REFUSED, "state would go to disk in another way, and the local state is "
                                    "open: " RESTART);
    r->reads_disk = has_other_shape && local_has_spilled(p);
    if (!r->reads_disk) return NULL;
    return local_check_whole(p, "stop it, and run it again with more of that");
}
