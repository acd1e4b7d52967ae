#include "runtime/operator/chunk.h"

#include "runtime/base/mem.h"

enum { CHUNK_TEXT = 256 << 10 };

chunk *chunk_new(void) {
    chunk *c = mem_zalloc(1, sizeof *c);
    arena_init(&c->text, CHUNK_TEXT);
    for (uint32_t k = 0; k < SL_MAX_OUTPUTS; k++) outbox_init(&c->messages[k]);
    return c;
}

void chunk_free(chunk *c) {
    if (!c) return;
    for (uint32_t k = 0; k < SL_MAX_OUTPUTS; k++) {
        grouping *g = &c->groups[k];
        outbox_done(&c->messages[k]);
        mem_free(g->indices);
        mem_free(g->panes);
        mem_free(g->hashes);
        mem_free(g->keys);
        mem_free(g->key_lens);
    }
    arena_done(&c->text);
    mem_free(c->row_memory);
    mem_free(c->nulls);
    mem_free(c->highs);
    mem_free(c);
}
