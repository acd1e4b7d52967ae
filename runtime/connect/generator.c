#include "runtime/connect/generator.h"

#include <time.h>

#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/connect/options.h"

typedef struct generator {
    const sl_system *system; /* borrowed */
    char *name;              /* stands for the topic; owned */
    double rate;             /* records a second; 0: no brake */
    int64_t count;           /* INT64_MAX: without end */
    int64_t opened_ms;       /* steady time */
    int64_t base;            /* records of earlier runs */
    sl_partition partition;
} generator;

static err *generator_open(const sl_source *plan, const sl_system *system, void **source) {
    generator *g = mem_zalloc(1, sizeof *g);
    double count = option_number(plan->options, "count", 0);
    g->system = system;
    g->name = mem_copy_text(plan->name.data, plan->name.len);
    g->rate = option_number(plan->options, "rate", 0);
    g->count = count > 0 ? (int64_t)count : INT64_MAX;
    g->opened_ms = clock_steady_ms(system->clock);
    g->partition = (sl_partition){ .topic = g->name, .confirmed_ms = INT64_MIN };
    if (system->resume && system->resume(system->resume_arg, g->name, 0, &g->base) != SL_KNOWN)
        g->base = 0;
    g->partition.position = g->base;
    *source = g;
    return NULL;
}

static int64_t end_now(const generator *g) {
    if (g->rate <= 0) return g->count;
    double due = g->rate * (double)(clock_steady_ms(g->system->clock) - g->opened_ms) / 1000.0;
    return due >= (double)(g->count - g->base) ? g->count : g->base + (int64_t)due;
}

static err *generator_look(void *source, const sl_partition **partitions, uint32_t *count) {
    generator *g = source;
    g->partition.end = end_now(g);
    g->partition.ended = g->partition.end == g->count;
    g->partition.confirmed_ms = clock_steady_ms(g->system->clock);
    *partitions = &g->partition;
    *count = 1;
    return NULL;
}

static err *generator_confirm(void *source, int64_t timeout_ms) {
    (void)source;
    (void)timeout_ms;
    return NULL;
}

static err *generator_wait(void *source, int64_t timeout_ms) {
    generator *g = source;
    int64_t left_ms = timeout_ms;
    if (g->rate > 0) {
        int64_t made = g->partition.position - g->base;
        int64_t next_ms = (int64_t)(1000.0 * (double)(made + 1) / g->rate) + 1;
        int64_t until_ms = g->opened_ms + next_ms - clock_steady_ms(g->system->clock);
        if (until_ms < left_ms) left_ms = until_ms;
    }
    if (left_ms <= 0) return NULL;
    struct timespec pause = { .tv_sec = left_ms / 1000, .tv_nsec = left_ms % 1000 * 1000000 };
    nanosleep(&pause, NULL);
    return NULL;
}

static err *generator_fetch(void *source, sl_range *ranges, uint32_t count, int64_t max_bytes,
                            int64_t timeout_ms, sl_records *records, struct arena *bytes) {
    generator *g = source;
    (void)timeout_ms;
    (void)bytes;
    if (!count) return NULL;
    int64_t room = UINT32_MAX - records->count;            /* max_records may be above it */
    int64_t fits = max_bytes / (int64_t)sizeof(sl_record); /* a row has no bytes of its own yet */
    if (fits < 1) fits = 1;
    if (room > fits) room = fits;
    if (ranges->to - ranges->from > room) ranges->to = ranges->from + room;
    uint32_t more = (uint32_t)(ranges->to - ranges->from);
    if (records->count + more > records->room) {
        records->room = records->count + more;
        records->items = mem_realloc(records->items, records->room * sizeof *records->items);
    }
    for (int64_t i = ranges->from; i < ranges->to; i++)
        records->items[records->count++] = (sl_record){ .offset = i, .time_ms = -1 };
    g->partition.position = ranges->to;
    return NULL;
}

static void generator_close(void *source) {
    generator *g = source;
    mem_free(g->name);
    mem_free(g);
}

const sl_source_ops generator_source_ops = {
    .name = "generator",
    .open = generator_open,
    .look = generator_look,
    .confirm = generator_confirm,
    .wait = generator_wait,
    .fetch = generator_fetch,
    .close = generator_close,
};
