#include "runtime/cli/embedded.h"

#include <string.h>
#include <time.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/cli/plan_options.h"
#include "runtime/connect/mock.h"
#include "runtime/connect/options.h"

enum { REST_NS = 5000000 };

struct embedded {
    mock *broker;        /* owned */
    const char *brokers; /* borrowed from it */
    const sl_plan *plan; /* borrowed from the feed's script */
    char **topics;       /* made so far; owned */
    uint32_t topic_count;
    char **overrides; /* owned */
    uint32_t override_count;
    feed *feed;             /* owned */
    results *results;       /* owned */
    results_reader *reader; /* owned */
};

/* -- topics */

static err *make_topic(embedded *m, const char *name, size_t len, int32_t partitions) {
    for (uint32_t i = 0; i < m->topic_count; i++)
        if (strlen(m->topics[i]) == len && !memcmp(m->topics[i], name, len)) return NULL;
    m->topics = mem_realloc(m->topics, (m->topic_count + 1) * sizeof *m->topics);
    m->topics[m->topic_count] = mem_copy_text(name, len);
    /* librdkafka's mock looks at a request that comes right behind another only a second later */
    nanosleep(&(struct timespec){ .tv_nsec = REST_NS }, NULL);
    return mock_create_topic(m->broker, m->topics[m->topic_count++], partitions);
}

static int32_t partitions_of(const sl_source *source) {
    int32_t count = FEED_PARTITIONS;
    const sl_value *given = option_table(source->options, "partitions");
    for (uint32_t i = 0; given && i < given->item_count; i++)
        if ((int32_t)given->items[i].number >= count) count = (int32_t)given->items[i].number + 1;
    return count;
}

static err *make_source_topics(embedded *m, const sl_source *source) {
    const sl_value *topics = option_find(source->options, "topics");
    uint32_t count = topics->kind == SL_TABLE ? topics->item_count : 1;
    const sl_value *items = topics->kind == SL_TABLE ? topics->items : topics;
    err *e = NULL;
    for (uint32_t i = 0; !e && i < count; i++)
        e = make_topic(m, items[i].text.data, items[i].text.len, partitions_of(source));
    return e;
}

/* Where bad records go when the script does not say. */
static err *make_quarantine(embedded *m) {
    buf name;
    buf_init(&name);
    buf_printf(&name, "%.*s-quarantine", (int)m->plan->name.len, m->plan->name.data);
    err *e = make_topic(m, name.data, name.len, FEED_PARTITIONS);
    buf_done(&name);
    return e;
}

static err *make_topics(embedded *m) {
    const sl_plan *plan = m->plan;
    err *e = NULL;
    for (uint32_t i = 0; !e && i < plan->source_count; i++)
        if (plan_is(&plan->sources[i].connector, "kafka"))
            e = make_source_topics(m, &plan->sources[i]);
    for (uint32_t i = 0; !e && i < plan->sink_count; i++) {
        const sl_sink *sink = &plan->sinks[i];
        if (plan_is(&sink->connector, "kafka"))
            e = make_topic(m, sink->name.data, sink->name.len, FEED_PARTITIONS);
    }
    return e ? e : make_quarantine(m);
}

/* -- overrides */

/* A name that a sink has, too, cannot be addressed. Such a source keeps its `start`. */
static bool is_sink(const sl_plan *plan, const sl_string *name) {
    for (uint32_t i = 0; i < plan->sink_count; i++)
        if (plan->sinks[i].name.len == name->len &&
            !memcmp(plan->sinks[i].name.data, name->data, name->len))
            return true;
    return false;
}

/* The mock cluster has no transactions (it drops their offsets, and shows what was aborted):
 * nothing is kept. */
static const char *const KEEP_NOTHING[] = { "checkpoint=none", "delivery=at-least-once" };
enum { KEEP_NOTHING_COUNT = sizeof KEEP_NOTHING / sizeof *KEEP_NOTHING };

static void make_overrides(embedded *m) {
    m->overrides = mem_zalloc(m->plan->source_count + KEEP_NOTHING_COUNT, sizeof *m->overrides);
    for (int i = 0; m->plan->checkpoint.url.data && i < KEEP_NOTHING_COUNT; i++)
        m->overrides[m->override_count++] =
            mem_copy_text(KEEP_NOTHING[i], strlen(KEEP_NOTHING[i]));
    for (uint32_t i = 0; i < m->plan->source_count; i++) {
        const sl_source *source = &m->plan->sources[i];
        if (!plan_is(&source->connector, "kafka") || is_sink(m->plan, &source->name)) continue;
        buf text;
        buf_init(&text);
        buf_printf(&text, "%.*s.start=earliest", (int)source->name.len, source->name.data);
        m->overrides[m->override_count++] = mem_copy_text(text.data, text.len);
        buf_done(&text);
    }
}

/* -- life */

static err *open_all(embedded *m, script *s, sl_system system, int lines_fd,
                     void (*on_closed)(void)) {
    err *e = mock_new(1, &m->broker, &m->brokers);
    if (e) {
        script_close(s);
        return e;
    }
    m->plan = script_plan(s);
    system.brokers = m->brokers;
    e = make_topics(m);
    if (e) {
        script_close(s);
        return e;
    }
    make_overrides(m);
    system.pipeline = "feed";
    if ((e = feed_open(s, &system, &m->feed))) return e;
    m->results = results_new(m->plan, "kafka");
    system.pipeline = "results";
    results_reader_options options = {
        .into = m->results,
        .plan = m->plan,
        .system = system,
        .lines_fd = lines_fd,
        .on_closed = on_closed,
    };
    return results_reader_open(&options, &m->reader);
}

err *embedded_open(script *s, const sl_system *system, int lines_fd, void (*on_closed)(void),
                   embedded **out) {
    embedded *m = mem_zalloc(1, sizeof *m);
    *out = m;
    return err_wrap(open_all(m, s, *system, lines_fd, on_closed), "--embedded");
}

const char *embedded_brokers(const embedded *m) { return m->brokers; }

uint32_t embedded_overrides(const embedded *m, const char *const **overrides) {
    *overrides = (const char *const *)m->overrides;
    return m->override_count;
}

results *embedded_results(embedded *m) { return m->results; }

err *embedded_feed(embedded *m, void (*on_trouble)(void *, const char *), void *arg) {
    bool ends = m->plan->trigger == SL_AVAILABLE_NOW || m->plan->trigger == SL_ONCE;
    err *e = feed_past(m->feed);
    if (!e && !ends) e = feed_start(m->feed, on_trouble, arg);
    return err_wrap(e, "--embedded");
}

void embedded_note(embedded *m, const pipeline *p) {
    for (uint32_t i = 0; i < p->input_count; i++)
        feed_note_read(m->feed, i, p->inputs[i].counters.read);
}

void embedded_drain(embedded *m) {
    results_reader_close(m->reader);
    m->reader = NULL;
}

void embedded_close(embedded *m) {
    if (!m) return;
    results_reader_close(m->reader);
    results_free(m->results);
    feed_close(m->feed);
    if (m->broker) mock_free(m->broker);
    for (uint32_t i = 0; i < m->topic_count; i++) mem_free(m->topics[i]);
    for (uint32_t i = 0; i < m->override_count; i++) mem_free(m->overrides[i]);
    mem_free(m->topics);
    mem_free(m->overrides);
    mem_free(m);
}
