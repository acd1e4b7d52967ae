#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/flow/held.h"
#include "runtime/flow/reload_inside.h"
#include "runtime/script/sink.h"

#define RESTART "it takes effect when the pipeline is stopped and run again"

static bool is_called_so(const out_sink *was, const sl_sink *now) {
    return held_is_text(&was->plan->connector, &now->connector) &&
           held_is_text(&was->plan->name, &now->name) && was->plan->is_side == now->is_side;
}

/* What the connector was told is what it would be told. */
static bool is_same(const out_sink *was, const sl_sink *now) {
    const sl_sink *open = was->opened;
    return was->ops != &script_sink_ops && open->enveloped == now->enveloped &&
           open->kind == now->kind && !held_difference(open->options, now->options, NULL);
}

/* The one that is open for it, of those that no other sink has; UINT32_MAX: none. */
static uint32_t find_open(const delivery *running, const bool *taken, const sl_sink *now) {
    for (uint32_t i = 0; i < running->count; i++)
        if (!taken[i] && is_called_so(&running->sinks[i], now)) return i;
    return UINT32_MAX;
}

static void share(out_sink *s, const out_sink *open, const sl_sink *plan) {
    *s = (out_sink){
        .plan = plan,
        .ops = open->ops,
        .handle = open->handle,
        .opened = open->opened,
        .held = open->held,
        .counters = open->counters,
    };
    delivery_init_boxes(s);
}

static void tell(reload *r, const sl_sink *sink, const char *what) {
    buf_printf(&r->changes, "sink `%.*s` %s\n", (int)sink->name.len, sink->name.data, what);
}

static bool is_shared(const delivery *running, const void *handle) {
    for (uint32_t i = 0; handle && i < running->count; i++)
        if (running->sinks[i].handle == handle) return true;
    return false;
}

/* The one of the text that was on trial that is not the running one's; NULL: it has none. */
static const out_sink *find_tried(const pipeline *p, const reload *r, const sl_sink *now) {
    for (uint32_t i = 0; r->before && i < r->before->out.count; i++) {
        const out_sink *s = &r->before->out.sinks[i];
        bool is_own = s->handle && !is_shared(&p->out, s->handle);
        if (is_own && !is_shared(&r->out, s->handle) && is_called_so(s, now)) return s;
    }
    return NULL;
}

/* A place in a file is known for the one that is open alone. */
static err *check_other(const out_sink *was) {
    if (!was || !was->ops->position) return NULL;
    const sl_sink *plan = was->plan;
    return err_new(ERR_REFUSED,
                   "an option of sink `%.*s` is another, and the sink is open: " RESTART,
                   (int)plan->name.len, plan->name.data);
}

static err *open_one(pipeline *p, reload *r, uint32_t i, bool *taken) {
    const sl_sink *plan = &r->plan->sinks[i];
    out_sink *s = &r->out.sinks[i];
    uint32_t at = find_open(&p->out, taken, plan);
    const out_sink *open = at == UINT32_MAX ? NULL : &p->out.sinks[at];
    if (open) taken[at] = true;
    if (open && is_same(open, plan)) {
        share(s, open, plan);
        return NULL;
    }
    const out_sink *tried = find_tried(p, r, plan);
    bool is_tried = tried && is_same(tried, plan);
    err *e = check_other(open);
    if (!e && !is_tried) e = check_other(tried);
    if (e) return e;
    if (is_tried)
        share(s, tried, plan);
    else
        e = delivery_open_sink(s, plan, p->find_sink, &p->sink_system);
    if (open) s->counters = open->counters;
    if (!open) tell(r, plan, "is new");
    if (open && open->ops != &script_sink_ops) tell(r, plan, "is opened anew");
    return err_wrap(e, "sink `%.*s`", (int)plan->name.len, plan->name.data);
}

err *reload_open_sinks(pipeline *p, reload *r) {
    uint32_t count = r->plan->sink_count;
    struct script *running = p->sink_system.script;
    bool *taken = mem_zalloc(p->out.count + 1, sizeof *taken);
    err *e = NULL;
    delivery_init(&r->out, r->plan);
    p->sink_system.script = r->workers[0]->script;
    for (int makes = 0; makes < 2; makes++) /* topics last: none is left behind by a refusal */
        for (uint32_t i = 0; i < count && !e; i++)
            if (delivery_is_maker(&r->plan->sinks[i]) == makes) e = open_one(p, r, i, taken);
    p->sink_system.script = running;
    for (uint32_t i = 0; i < p->out.count && !e; i++)
        if (!taken[i]) tell(r, p->out.sinks[i].plan, "is gone");
    mem_free(taken);
    return e;
}

void reload_close_sinks(const pipeline *p, reload *r, const reload *other) {
    for (uint32_t i = 0; i < r->out.count; i++) {
        out_sink *s = &r->out.sinks[i];
        if (is_shared(&p->out, s->handle) || (other && is_shared(&other->out, s->handle))) {
            s->handle = NULL;
            s->held = (arena){ 0 };
        }
    }
    delivery_close(&r->out);
}
