/* DESIGN. Whoever knows where its ends are (Kafka) is asked for the last offsets of each partition,
 * as many as fit its share of all there is: so the parts that are taken lie in about the same time.
 * Where offsets hold nothing (compaction, markers of transactions) more are asked for, a few times.
 * Files are read to their end and the last records kept: two spans of memory take turns. A
 * connector is opened without the options that would bind or move it: nothing is committed, no
 * group is joined. */
#include <string.h>

#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/cli/feed_record.h"
#include "runtime/cli/plan_options.h"
#include "runtime/cli/sample.h"
#include "runtime/cli/sample_cache.h"
#include "runtime/connect/connectors.h"
#include "runtime/connect/options.h"

enum {
    STEP_BYTES = 64 << 20,
    STEP_MS = 1000,
    SILENT_STEPS = 10, /* without a record: what is left does not come */
    MOST_ROUNDS = 4,   /* of asking for more offsets */
    ENOUGH_PERCENT = 90,
    SPAN_BYTES = 4 << 20,
    MADE_PER_SECOND = 2000, /* as --embedded */
    MOST_OPTIONS = 48,
    SEED = 1
};

/* Reading of one source. */
typedef struct taking {
    const sample_options *options; /* borrowed */
    const sl_source *plan;         /* borrowed */
    const sl_source_ops *ops;
    void *handle;
    sample_source *into;
    sl_range *ranges; /* owned */
    uint32_t range_count;
    sl_records records; /* items owned */
} taking;

/* -- where ends are known */

static err *no_progress(const taking *t) {
    return err_new(ERR_BROKER, "taking a sample of `%.*s`: no record came for %d s",
                   (int)t->plan->name.len, t->plan->name.data, SILENT_STEPS * STEP_MS / 1000);
}

/* Bring the planned ranges wholly. */
static err *fetch_all(taking *t, arena *bytes) {
    int64_t *ends = mem_alloc((t->range_count + 1) * sizeof *ends);
    err *e = NULL;
    bool is_left = t->range_count > 0;
    for (uint32_t i = 0; i < t->range_count; i++) ends[i] = t->ranges[i].to;
    for (uint32_t silent = 0; !e && is_left && !*t->options->system.stop;) {
        uint32_t before = t->records.count;
        e = t->ops->fetch(t->handle, t->ranges, t->range_count, STEP_BYTES, STEP_MS, &t->records,
                          bytes);
        if (e && e->retriable) {
            err_free(e);
            e = NULL;
        }
        is_left = false;
        for (uint32_t i = 0; i < t->range_count; i++) {
            t->ranges[i].from = t->ranges[i].to;
            t->ranges[i].to = ends[i];
            is_left |= t->ranges[i].from < ends[i];
        }
        silent = t->records.count > before ? 0 : silent + 1;
        if (!e && is_left && silent == SILENT_STEPS) e = no_progress(t);
    }
    mem_free(ends);
    return e;
}

/* Ranges of the last `wanted` offsets of all; false: there are no more than that. */
static bool plan_last(taking *t, const sl_partition *partitions, uint32_t count, int64_t wanted) {
    double all = 0;
    for (uint32_t i = 0; i < count; i++) all += (double)(partitions[i].end - partitions[i].begin);
    t->ranges = mem_realloc(t->ranges, (count + 1) * sizeof *t->ranges);
    t->range_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        int64_t there = partitions[i].end - partitions[i].begin;
        int64_t share = all > (double)wanted ? (int64_t)((double)there * (double)wanted / all) + 1
                                             : there;
        if (share > there) share = there;
        if (share > 0)
            t->ranges[t->range_count++] = (sl_range){ .partition = i,
                                                      .from = partitions[i].end - share,
                                                      .to = partitions[i].end };
    }
    return all > (double)wanted;
}

static void keep_all(taking *t, const sl_partition *partitions) {
    for (uint32_t i = 0; i < t->records.count; i++) {
        const sl_record *r = &t->records.items[i];
        const sl_partition *at = &partitions[r->partition];
        sample_keep(t->into, sample_partition_of(t->into, at->topic, at->number), r);
    }
}

static err *take_last(taking *t, const sl_partition *partitions, uint32_t count) {
    int64_t wanted = t->options->last;
    bool has_more = true;
    err *e = NULL;
    for (uint32_t round = 0; !e && has_more && round < MOST_ROUNDS; round++) {
        arena_reset(&t->into->bytes, 0);
        t->records.count = 0;
        has_more = plan_last(t, partitions, count, wanted);
        e = fetch_all(t, &t->into->bytes);
        if (t->records.count * 100.0 >= (double)t->options->last * ENOUGH_PERCENT) break;
        wanted = t->records.count ? wanted * t->options->last / t->records.count : wanted * 8;
    }
    for (uint32_t i = 0; !e && i < count; i++)
        sample_partition_of(t->into, partitions[i].topic, partitions[i].number);
    if (!e) keep_all(t, partitions);
    return e;
}

/* -- files */

/* A span of records, with their bytes. */
typedef struct span {
    sl_records records;
    arena bytes;
} span;

static bool is_read(const sl_partition *partitions, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (!partitions[i].ended || partitions[i].position < partitions[i].end) return false;
    return true;
}

static void keep_headers(taking *t, const sl_partition *partitions, span *s, uint32_t first) {
    for (uint32_t i = first; t->plan->has_header && i < s->records.count; i++) {
        sl_record r = s->records.items[i];
        if (r.offset != 0) continue;
        const sl_partition *at = &partitions[r.partition];
        r.value.data = arena_copy(&t->into->bytes, r.value.data, r.value.len);
        sample_keep(t->into, sample_partition_of(t->into, at->topic, at->number), &r);
    }
}

/* The last records of a span, all but those that are headers. */
static void keep_span(taking *t, const sl_partition *partitions, const span *s, uint32_t most) {
    uint32_t first = s->records.count > most ? s->records.count - most : 0;
    for (uint32_t i = first; i < s->records.count; i++) {
        sl_record r = s->records.items[i];
        if (t->plan->has_header && r.offset == 0) continue;
        const sl_partition *at = &partitions[r.partition];
        r.value.data = arena_copy(&t->into->bytes, r.value.data, r.value.len);
        sample_keep(t->into, sample_partition_of(t->into, at->topic, at->number), &r);
    }
}

static err *read_span(taking *t, const sl_partition *partitions, uint32_t count, span *s) {
    t->ranges = mem_realloc(t->ranges, (count + 1) * sizeof *t->ranges);
    for (uint32_t i = 0; i < count; i++)
        t->ranges[i] = (sl_range){ .partition = i,
                                   .from = partitions[i].position,
                                   .to = partitions[i].position + t->options->last };
    uint32_t before = s->records.count;
    err *e = t->ops->fetch(t->handle, t->ranges, count, STEP_BYTES, STEP_MS, &s->records,
                           &s->bytes);
    keep_headers(t, partitions, s, before);
    return e;
}

static err *take_files(taking *t, const sl_partition **partitions, uint32_t *count) {
    span spans[2] = { 0 };
    uint32_t most = t->options->last > UINT32_MAX / 4 ? UINT32_MAX / 4 : (uint32_t)t->options->last;
    int now = 0;
    err *e = NULL;
    for (int i = 0; i < 2; i++) arena_init(&spans[i].bytes, SPAN_BYTES);
    while (!e && !is_read(*partitions, *count) && !*t->options->system.stop) {
        if (spans[now].records.count >= most) {
            now = !now;
            spans[now].records.count = 0;
            arena_reset(&spans[now].bytes, SPAN_BYTES);
        }
        uint32_t before = spans[now].records.count;
        e = read_span(t, *partitions, *count, &spans[now]);
        if (!e && spans[now].records.count == before) e = t->ops->wait(t->handle, STEP_MS);
        if (!e) e = t->ops->look(t->handle, partitions, count);
    }
    uint32_t last = spans[now].records.count;
    if (!e && last < most) keep_span(t, *partitions, &spans[!now], most - last);
    if (!e) keep_span(t, *partitions, &spans[now], most);
    for (int i = 0; i < 2; i++) {
        arena_done(&spans[i].bytes);
        mem_free(spans[i].records.items);
    }
    return e;
}

/* -- generators, and records made for Kafka */

static err *take_generated(taking *t, const sl_partition *partitions) {
    double count = option_number(t->plan->options, "count", 0);
    sl_range all = { .from = 0, .to = t->options->last };
    if (count > 0 && count < (double)all.to) all.to = (int64_t)count;
    err *e = t->ops->fetch(t->handle, &all, 1, INT64_MAX, STEP_MS, &t->records, &t->into->bytes);
    if (!e) keep_all(t, partitions);
    return e;
}

static sl_string first_topic(const sl_source *plan) {
    const sl_value *topics = option_find(plan->options, "topics");
    if (!topics) return plan->name;
    return topics->kind == SL_TABLE && topics->item_count ? topics->items[0].text : topics->text;
}

static err *make_records(const sample_options *o, const sl_plan *plan, uint32_t number,
                         sample_source *into) {
    const sl_source *source = &plan->sources[number];
    sl_string topic = first_topic(source);
    char *name = mem_copy_text(topic.data, topic.len);
    int64_t now_ms = clock_now_ms(o->system.clock);
    err *e = NULL;
    for (int32_t p = 0; p < 4; p++) sample_partition_of(into, name, p);
    for (int64_t i = 0; !e && i < o->last && !*o->system.stop; i++) {
        const char *text;
        size_t len;
        int64_t at_ms = now_ms - (o->last - i) * 1000 / MADE_PER_SECOND;
        e = script_event(o->maker, number, i, SEED, at_ms, &text, &len);
        if (e) break;
        sl_message m = { .value = { .data = arena_copy(&into->bytes, text, len),
                                    .len = (uint32_t)len } };
        feed_record(source, i, at_ms, &into->bytes, &m);
        sl_record r = { .offset = i / 4,
                        .time_ms = at_ms,
                        .time_kind = 1,
                        .key = m.key,
                        .value = m.value,
                        .headers = m.headers,
                        .header_count = m.header_count };
        sample_keep(into, &into->partitions[i % 4], &r);
    }
    mem_free(name);
    return e;
}

/* -- a source */

/* The file that was named in place of a source; NULL: none was. */
static const char *input_for(const sample_options *o, const sl_source *plan) {
    for (uint32_t i = 0; i < o->input_count; i++) {
        const char *equals = strchr(o->inputs[i], '=');
        size_t len = equals ? (size_t)(equals - o->inputs[i]) : 0;
        if (equals && len == plan->name.len && !memcmp(plan->name.data, o->inputs[i], len))
            return equals + 1;
    }
    if (o->is_single && o->input_count) return o->inputs[0];
    return NULL;
}

/* The options without those that wait, or choose where to begin. */
static sl_value free_options(const sl_value *given, sl_value *items) {
    static const char *const DROPPED[] = { "start", "follow", "on_data_loss" };
    uint32_t count = 0;
    for (uint32_t i = 0; i < given->item_count && count < MOST_OPTIONS - 1; i++) {
        bool is_dropped = false;
        for (int d = 0; d < 3; d++) is_dropped |= plan_is(&given->items[i].name, DROPPED[d]);
        if (!is_dropped) items[count++] = given->items[i];
    }
    items[count++] = plan_option("on_data_loss", plan_text("continue"));
    return plan_table("", items, count);
}

static err *take_opened(taking *t) {
    const sl_partition *partitions;
    uint32_t count;
    err *e = t->ops->look(t->handle, &partitions, &count);
    if (e) return e;
    if (plan_is(&t->plan->connector, "generator")) return take_generated(t, partitions);
    if (plan_is(&t->plan->connector, "file")) return take_files(t, &partitions, &count);
    return take_last(t, partitions, count);
}

static err *take_real(const sample_options *o, const sl_source *plan, sample_source *into) {
    sl_value items[MOST_OPTIONS];
    sl_source own = *plan;
    const char *input = input_for(o, plan);
    sl_value path = plan_option("path", plan_text(input ? input : ""));
    sl_value options = input ? plan_table("", &path, 1) : free_options(plan->options, items);
    own.options = &options;
    if (input) own.connector = plan_text("file");
    taking t = { .options = o, .plan = &own, .into = into };
    t.ops = connector_source(&own.connector);
    err *e = t.ops->open(&own, &o->system, &t.handle);
    if (e) return e;
    e = take_opened(&t);
    t.ops->close(t.handle);
    mem_free(t.ranges);
    mem_free(t.records.items);
    return e;
}

static err *take(sample *s, const sl_plan *plan, uint32_t number, const sample_options *o) {
    const sl_source *source = &plan->sources[number];
    sample_source *into = mem_zalloc(1, sizeof *into);
    into->identity = sample_identity(source);
    into->name = mem_copy_text(source->name.data, source->name.len);
    arena_init(&into->bytes, SPAN_BYTES);
    s->sources = mem_realloc(s->sources, (s->count + 1) * sizeof(sample_source *));
    s->sources[s->count++] = into;
    into->taken_ms = clock_now_ms(o->system.clock);
    bool is_topic = plan_is(&source->connector, "kafka") && !input_for(o, source);
    bool is_made = o->is_made && is_topic, is_kept = o->keeps && is_topic && !is_made;
    if (is_kept && !o->is_fresh && sample_cache_read(into, o->last, into->taken_ms)) return NULL;
    err *e = is_made ? make_records(o, plan, number, into) : take_real(o, source, into);
    if (!e && is_kept && !*o->system.stop) sample_cache_write(into, o->last);
    if (!e && *o->system.stop) e = err_new(ERR_STOPPED, "stopped while a sample was taken");
    if (e) sample_drop_last(s);
    return e;
}

/* A file that is to stand for a source that there is not, or for one of several. */
static err *check_inputs(const sl_plan *plan, const sample_options *o) {
    const sl_string *name = &plan->sources[0].name;
    for (uint32_t i = 0; i < o->input_count; i++) {
        bool is_used = false;
        for (uint32_t n = 0; n < plan->source_count; n++) {
            sample_options one = *o;
            one.inputs = &o->inputs[i];
            one.input_count = 1;
            is_used |= input_for(&one, &plan->sources[n]) != NULL;
        }
        if (!is_used)
            return err_new(ERR_USAGE,
                           "--input %s: no source has that name; wanted NAME=FILE, as in --input "
                           "'%.*s=FILE'",
                           o->inputs[i], (int)name->len, name->data);
    }
    return NULL;
}

err *sample_take(sample *s, const sl_plan *plan, const sample_options *options, bool *took) {
    sample_options own = *options;
    *took = false;
    own.is_single = plan->source_count == 1;
    err *e = check_inputs(plan, &own);
    for (uint32_t i = 0; !e && i < plan->source_count; i++) {
        if (sample_has(s, &plan->sources[i])) continue;
        *took = true;
        e = take(s, plan, i, &own);
    }
    return e;
}
