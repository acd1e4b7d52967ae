#include "runtime/cli/check_connect.h"

#include "runtime/base/clock.h"
#include "runtime/base/mem.h"
#include "runtime/cli/plan_options.h"
#include "runtime/cli/stop.h"
#include "runtime/connect/kafka_inspect.h"
#include "runtime/connect/options.h"

/* Clusters that did not answer: asking each end of them again would take 9 s each. */
typedef struct silent {
    sl_string brokers; /* as the options say it; borrowed */
    size_t at, len;    /* the facts, in the text */
} silent;

typedef struct ends {
    buf *facts;
    sl_system system;
    silent *silent; /* owned */
    uint32_t silent_count, count;
} ends;

static bool is_same(const sl_string *a, const sl_string *b) {
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

static err *inspect(ends *all, const kafka_inspection *wanted) {
    sl_string brokers = option_text(wanted->options, "brokers");
    for (uint32_t i = 0; i < all->silent_count; i++) {
        const silent *known = &all->silent[i];
        if (!is_same(&known->brokers, &brokers)) continue;
        buf_need(all->facts, known->len); /* before the bytes are pointed to */
        buf_put(all->facts, all->facts->data + known->at, known->len);
        return NULL;
    }
    bool reached = false;
    size_t at = all->facts->len;
    err *e = kafka_inspect(wanted, &all->system, all->facts, &reached);
    if (!e && !reached)
        all->silent[all->silent_count++] =
            (silent){ .brokers = brokers, .at = at, .len = all->facts->len - at };
    return e;
}

static err *add_end(ends *all, const char *role, uint32_t index, const kafka_inspection *wanted) {
    buf_printf(all->facts, "%s{\"role\":\"%s\",\"index\":%u,\"facts\":", all->count++ ? "," : "",
               role, index + 1);
    err *e = inspect(all, wanted);
    buf_put_char(all->facts, '}');
    return e;
}

err *check_connect(const sl_plan *plan, logger *log, buf *facts) {
    clock_source clock = { .manual = false };
    char *name = mem_copy_text(plan->name.data, plan->name.len);
    ends all = { .facts = facts,
                 .system = { .pipeline = name, .log = log, .clock = &clock, .stop = stop_asked() },
                 .silent = mem_zalloc(plan->source_count + plan->sink_count + 1u,
                                      sizeof *all.silent) };
    err *e = NULL;
    buf_put_text(facts, "{\"ends\":[");
    for (uint32_t i = 0; !e && i < plan->source_count; i++) {
        const sl_source *source = &plan->sources[i];
        if (plan_is(&source->connector, "kafka"))
            e = add_end(&all, "source", i,
                        &(kafka_inspection){ .options = source->options, .is_source = true });
    }
    for (uint32_t i = 0; !e && i < plan->sink_count; i++) {
        const sl_sink *sink = &plan->sinks[i];
        if (plan_is(&sink->connector, "kafka"))
            e = add_end(&all, "sink", i, &(kafka_inspection){ .options = sink->options });
    }
    buf_put_text(facts, "]}");
    mem_free(all.silent);
    mem_free(name);
    return e;
}
