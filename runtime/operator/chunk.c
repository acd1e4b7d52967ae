#include "runtime/operator/chunk.h"

#include "runtime/base/mem.h"

enum { CHUNK_TEXT = 256 << 10 };

void note_list_init(note_list *list) {
    *list = (note_list){ 0 };
    pthread_mutex_init(&list->lock, NULL);
}

void note_list_done(note_list *list) {
    pthread_mutex_destroy(&list->lock);
    mem_free(list->items);
}

void note_list_add(note_list *list, const note *n) {
    pthread_mutex_lock(&list->lock);
    if (list->count == list->room) {
        list->room = list->room ? list->room * 2 : 64;
        list->items = mem_realloc(list->items, list->room * sizeof *list->items);
    }
    list->items[list->count++] = *n;
    pthread_mutex_unlock(&list->lock);
}

chunk *chunk_new(uint32_t step_count) {
    chunk *c = mem_zalloc(1, sizeof *c);
    note_list_init(&c->notes);
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
    note_list_done(&c->notes);
    arena_done(&c->text);
    mem_free(c->sets);
    mem_free(c->nulls);
    mem_free(c->highs);
    mem_free(c);
}
