#include "runtime/cli/sample.h"

#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/connect/options.h"

void sample_init(sample *s) { *s = (sample){ .step = 1, .steps = 1 }; }

static void free_source(sample_source *s) {
    for (uint32_t p = 0; p < s->count; p++) {
        mem_free(s->partitions[p].topic);
        mem_free(s->partitions[p].records);
    }
    arena_done(&s->bytes);
    mem_free(s->partitions);
    mem_free(s->identity);
    mem_free(s->name);
    mem_free(s);
}

void sample_done(sample *s) {
    for (uint32_t i = 0; i < s->count; i++) free_source(s->sources[i]);
    mem_free(s->sources);
    *s = (sample){ 0 };
}

char *sample_identity(const sl_source *plan) {
    buf text;
    buf_init(&text);
    sl_string brokers = option_text(plan->options, "brokers");
    buf_printf(&text, "%.*s|%.*s|%.*s|%u", (int)plan->connector.len, plan->connector.data,
               (int)plan->name.len, plan->name.data, (int)brokers.len,
               brokers.data ? brokers.data : "", plan->has_header);
    char *made = mem_copy_text(text.data, text.len);
    buf_done(&text);
    return made;
}

static sample_source *find(const sample *s, const sl_source *plan) {
    char *identity = sample_identity(plan);
    sample_source *found = NULL;
    for (uint32_t i = 0; i < s->count && !found; i++)
        if (!strcmp(s->sources[i]->identity, identity)) found = s->sources[i];
    mem_free(identity);
    return found;
}

bool sample_has(const sample *s, const sl_source *plan) { return find(s, plan) != NULL; }

void sample_drop_last(sample *s) { free_source(s->sources[--s->count]); }

sample_partition *sample_partition_of(sample_source *s, const char *topic, int32_t number) {
    for (uint32_t i = 0; i < s->count; i++)
        if (s->partitions[i].number == number && !strcmp(s->partitions[i].topic, topic))
            return &s->partitions[i];
    s->partitions = mem_realloc(s->partitions, (s->count + 1) * sizeof *s->partitions);
    sample_partition *made = &s->partitions[s->count++];
    *made = (sample_partition){ .topic = mem_copy_text(topic, strlen(topic)), .number = number };
    return made;
}

void sample_keep(sample_source *s, sample_partition *p, const sl_record *r) {
    if (p->count == p->room) {
        p->room = p->room ? 2 * p->room : 64;
        p->records = mem_realloc(p->records, p->room * sizeof *p->records);
    }
    p->records[p->count] = *r;
    p->records[p->count++].partition = (uint32_t)(p - s->partitions);
}

uint64_t sample_records(const sample *s, const sl_plan *plan) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < plan->source_count; i++) {
        const sample_source *source = find(s, &plan->sources[i]);
        for (uint32_t p = 0; source && p < source->count; p++) sum += source->partitions[p].count;
    }
    return sum;
}

int64_t sample_kept_ms(const sample *s, const sl_plan *plan) {
    int64_t oldest = 0;
    for (uint32_t i = 0; i < plan->source_count; i++) {
        const sample_source *source = find(s, &plan->sources[i]);
        bool is = source && source->is_kept && (!oldest || source->taken_ms < oldest);
        if (is) oldest = source->taken_ms;
    }
    return oldest;
}

void sample_begin(sample *s, uint32_t steps) {
    s->step = 1;
    s->steps = steps ? steps : 1;
}

bool sample_go_on(sample *s) {
    if (s->step >= s->steps) return false;
    s->step++;
    return true;
}

/* -- serving it */

/* A run's view of a source. */
typedef struct served {
    const sample *sample;        /* borrowed */
    const sample_source *source; /* borrowed */
    const clock_source *clock;   /* borrowed */
    sl_partition *view;          /* owned */
} served;

static int64_t offset_at(const sample_partition *p, uint32_t i) {
    if (i < p->count) return p->records[i].offset;
    return p->count ? p->records[p->count - 1].offset + 1 : 0;
}

static err *served_open(const sl_source *plan, const sl_system *system, void **source) {
    const sample *s = system->resume_arg;
    sample_source *from = find(s, plan);
    if (!from)
        return err_new(ERR_IO, "nothing was taken of `%.*s`", (int)plan->name.len, plan->name.data);
    served *made = mem_zalloc(1, sizeof *made);
    *made = (served){ .sample = s, .source = from, .clock = system->clock };
    made->view = mem_zalloc(from->count + 1u, sizeof *made->view);
    for (uint32_t i = 0; i < from->count; i++) {
        const sample_partition *p = &from->partitions[i];
        made->view[i] = (sl_partition){ .topic = p->topic,
                                        .number = p->number,
                                        .begin = offset_at(p, 0),
                                        .position = offset_at(p, 0) };
    }
    *source = made;
    return NULL;
}

static err *served_look(void *source, const sl_partition **partitions, uint32_t *count) {
    served *v = source;
    for (uint32_t i = 0; i < v->source->count; i++) {
        const sample_partition *p = &v->source->partitions[i];
        uint64_t shown = (uint64_t)p->count * v->sample->step / v->sample->steps;
        v->view[i].end = offset_at(p, (uint32_t)shown);
        v->view[i].confirmed_ms = clock_steady_ms(v->clock);
    }
    *partitions = v->view;
    *count = v->source->count;
    return NULL;
}

static err *served_confirm(void *source, int64_t timeout_ms) {
    (void)source, (void)timeout_ms;
    return NULL;
}

/* The first record at or behind an offset. */
static uint32_t seek(const sample_partition *p, int64_t offset) {
    uint32_t low = 0, high = p->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (p->records[middle].offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* All of the range: it is in memory already, max_bytes would save nothing. */
static err *served_fetch(void *source, sl_range *ranges, uint32_t count, int64_t max_bytes,
                         int64_t timeout_ms, sl_records *records, struct arena *bytes) {
    served *v = source;
    (void)max_bytes, (void)timeout_ms, (void)bytes;
    for (uint32_t i = 0; i < count; i++) {
        const sample_partition *p = &v->source->partitions[ranges[i].partition];
        uint32_t from = seek(p, ranges[i].from), more = seek(p, ranges[i].to) - from;
        if (records->count + more > records->room) {
            records->room = records->count + more;
            records->items = mem_realloc(records->items, records->room * sizeof *records->items);
        }
        if (more)
            memcpy(records->items + records->count, p->records + from, more * sizeof *p->records);
        records->count += more;
        v->view[ranges[i].partition].position = ranges[i].to;
    }
    return NULL;
}

static void served_close(void *source) {
    served *v = source;
    mem_free(v->view);
    mem_free(v);
}

static const sl_source_ops served_ops = {
    .name = "sample",
    .open = served_open,
    .look = served_look,
    .confirm = served_confirm,
    .wait = served_confirm,
    .fetch = served_fetch,
    .close = served_close,
};

const sl_source_ops *sample_ops(const sl_string *connector) {
    (void)connector;
    return &served_ops;
}
