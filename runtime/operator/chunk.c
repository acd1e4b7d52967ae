#include "runtime/operator/chunk.h"

#include "runtime/base/mem.h"

enum { CHUNK_TEXT = 256 << 10 };

chunk *chunk_new(uint32_t step_count) {
    chunk *c = mem_zalloc(1, sizeof *c);
    arena_init(&c->text, CHUNK_TEXT);
    c->set_count = step_count;
    c->sets = mem_zalloc(step_count, sizeof *c->sets);
    return c;
}

row_set *chunk_set(chunk *c, uint32_t step) {
    if (!c->sets[step]) c->sets[step] = row_set_new();
    return c->sets[step];
}

void chunk_free(chunk *c) {
    if (!c) return;
    for (uint32_t s = 0; s < c->set_count; s++) row_set_free(c->sets[s]);
    arena_done(&c->text);
    mem_free(c->sets);
    mem_free(c->nulls);
    mem_free(c->highs);
    mem_free(c);
}
