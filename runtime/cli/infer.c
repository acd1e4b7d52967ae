/* `sluice schema infer`: takes a sample of a topic or a file, and prints a script whose schema fits
 * it, with what was seen. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/plan_options.h"
#include "runtime/cli/sample.h"
#include "runtime/cli/stop.h"
#include "runtime/script/tool.h"

enum { LAST = 10000,
       MOST_LAST = 1000000 };

/* Where and what, in turns, as the library takes it. */
typedef struct sightings {
    sl_string *items; /* owned */
    uint32_t count;
    buf places; /* texts of places, each with a NUL behind it */
} sightings;

static const char *brokers_of(const args *a) {
    const char *named = a->brokers ? a->brokers : getenv("KAFKA_BROKERS");
    return named && *named ? named : "localhost:9092";
}

/* Files of CSV are known by their names, packed or not. */
static bool is_csv(const args *a) {
    static const char *const ENDS[] = { ".csv", ".tsv", ".csv.gz", ".tsv.gz", ".csv.zst",
                                        ".tsv.zst" };
    size_t len = a->input_count ? strlen(a->inputs[0]) : 0;
    for (size_t i = 0; i < sizeof ENDS / sizeof *ENDS; i++) {
        size_t end = strlen(ENDS[i]);
        if (len >= end && !strcasecmp(a->inputs[0] + len - end, ENDS[i])) return true;
    }
    return false;
}

/* A plan of one source: the topic, or the file. */
static err *take(const args *a, int64_t last, sample *s, logger *log) {
    clock_source clock = { 0 };
    sl_value topic[] = { { .kind = SL_TEXT, .text = plan_text(a->operand ? a->operand : "") } };
    sl_value of_kafka[] = { plan_table("topics", topic, 1),
                            plan_option("brokers", plan_text(brokers_of(a))) };
    sl_value of_file[] = { plan_option("path", plan_text(a->input_count ? a->inputs[0] : "")) };
    sl_value options = a->input_count ? plan_table("", of_file, 1) : plan_table("", of_kafka, 2);
    sl_source source = {
        .name = a->input_count ? of_file[0].text : topic[0].text,
        .connector = plan_text(a->input_count ? "file" : "kafka"),
        .options = &options,
        .has_header = is_csv(a),
    };
    sl_plan plan = { .sources = &source, .source_count = 1 };
    sample_options wanted = {
        .last = last,
        .system = { .pipeline = "sluice-infer",
                    .log = log,
                    .clock = &clock,
                    .stop = stop_asked() },
    };
    bool took;
    return sample_take(s, &plan, &wanted, &took);
}

static void list_all(sightings *all, const sample_source *s) {
    uint64_t count = 0;
    buf_init(&all->places);
    for (uint32_t p = 0; p < s->count; p++) count += s->partitions[p].count;
    all->items = mem_zalloc(2 * count + 1, sizeof *all->items);
    for (uint32_t p = 0; p < s->count; p++) {
        for (uint32_t i = 0; i < s->partitions[p].count; i++) {
            const sl_record *r = &s->partitions[p].records[i];
            size_t from = all->places.len;
            buf_printf(&all->places, "%s:%d:%lld", s->partitions[p].topic, s->partitions[p].number,
                       (long long)r->offset);
            all->items[all->count++].len = (uint32_t)(all->places.len - from);
            all->items[all->count++] = r->value;
        }
    }
    size_t at = 0;
    for (uint32_t i = 0; i < all->count; i += 2) {
        all->items[i].data = all->places.data + at;
        at += all->items[i].len;
    }
}

static err *draft(const args *a, const sample *s, buf *out) {
    sightings all = { 0 };
    list_all(&all, s->sources[0]);
    const sl_string arguments[] = {
        plan_text(is_csv(a) ? "csv" : a->input_count ? "file"
                                                     : "topic"),
        plan_text(a->input_count ? a->inputs[0] : a->operand),
        plan_text(a->brokers && !a->input_count ? a->brokers : ""),
    };
    const script_tool tool = { .library = getenv("SLUICE_LUA"),
                               .module = "sluice.infer",
                               .function = "text",
                               .arguments = arguments,
                               .argument_count = 3,
                               .list = all.items,
                               .list_count = all.count };
    err *e = script_tool_run(&tool, out);
    mem_free(all.items);
    buf_done(&all.places);
    return e;
}

static err *read_last(const args *a, int64_t *last) {
    char *end;
    *last = LAST;
    if (!a->last) return NULL;
    *last = strtoll(a->last, &end, 10);
    if (!*end && *last > 0 && *last <= MOST_LAST) return NULL;
    return err_new(ERR_USAGE, "--last %s: wanted a number of records from 1 to %d", a->last,
                   MOST_LAST);
}

static err *check(const args *a) {
    if (!a->operand == !a->input_count)
        return err_new(ERR_USAGE, "schema infer: wanted a topic, or --input FILE");
    return NULL;
}

int command_schema_infer(const args *a) {
    int64_t last;
    logger log;
    sample s;
    buf out;
    log_init(&log, 2, LOG_PLAIN, LOG_ERROR);
    sample_init(&s);
    buf_init(&out);
    stop_install(command_end_now, "");
    err *e = check(a);
    if (!e) e = read_last(a, &last);
    if (!e) e = take(a, last, &s, &log);
    if (!e) e = draft(a, &s, &out);
    if (!e) fwrite(out.data, 1, out.len, stdout);
    buf_done(&out);
    sample_done(&s);
    log_done(&log);
    return e ? command_failed(e) : 0;
}
