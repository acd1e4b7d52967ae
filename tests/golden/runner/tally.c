#include "tests/golden/runner/tally.h"

#include "runtime/base/mem.h"

/* Counters are structs of uint64_t and nothing else. */
static void add(void *to, const void *from, size_t size) {
    uint64_t *a = to;
    const uint64_t *b = from;
    for (size_t i = 0; i < size / sizeof *a; i++) a[i] += b[i];
}

static void *grow(void *list, uint32_t *count, uint32_t wanted, size_t size) {
    if (wanted <= *count) return list;
    char *larger = mem_realloc(list, wanted * size);
    for (size_t i = *count * size; i < wanted * size; i++) larger[i] = 0;
    *count = wanted;
    return larger;
}

void tally_add(tally *t, const pipeline *p) {
    t->sources = grow(t->sources, &t->source_count, p->input_count, sizeof *t->sources);
    t->sinks = grow(t->sinks, &t->sink_count, p->out.count, sizeof *t->sinks);
    for (uint32_t i = 0; i < p->input_count; i++)
        add(&t->sources[i], &p->inputs[i].counters, sizeof *t->sources);
    for (uint32_t i = 0; i < p->out.count; i++)
        add(&t->sinks[i], &p->out.sinks[i].counters, sizeof *t->sinks);
    add(&t->run, &p->counters, sizeof t->run);
}

source_counters tally_source(const tally *t, const pipeline *p, uint32_t i) {
    source_counters sum = p->inputs[i].counters;
    if (i < t->source_count) add(&sum, &t->sources[i], sizeof sum);
    return sum;
}

sink_counters tally_sink(const tally *t, const pipeline *p, uint32_t i) {
    sink_counters sum = p->out.sinks[i].counters;
    if (i < t->sink_count) add(&sum, &t->sinks[i], sizeof sum);
    return sum;
}

run_counters tally_run(const tally *t, const pipeline *p) {
    run_counters sum = p->counters;
    add(&sum, &t->run, sizeof sum);
    return sum;
}

void tally_done(tally *t) {
    mem_free(t->sources);
    mem_free(t->sinks);
    *t = (tally){ 0 };
}
