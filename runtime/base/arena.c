#include "runtime/base/arena.h"

#include <string.h>

#include "runtime/base/mem.h"

struct arena_chunk {
    arena_chunk *next;
    size_t len; /* bytes in `data`, padding not counted */
    _Alignas(16) char data[];
};

void arena_init(arena *a, size_t chunk_len) { *a = (arena){ .chunk_len = chunk_len }; }

static void free_list(arena_chunk *c) {
    while (c) {
        arena_chunk *next = c->next;
        mem_free(c);
        c = next;
    }
}

void arena_done(arena *a) {
    free_list(a->first);
    free_list(a->given);
    arena_init(a, a->chunk_len);
}

arena_chunk *arena_chunk_resize(arena_chunk *c, size_t len) {
    c = mem_realloc(c, sizeof *c + len + ARENA_PADDING);
    memset(c->data + len, 0, ARENA_PADDING);
    c->next = NULL;
    c->len = len;
    return c;
}

arena_chunk *arena_chunk_new(size_t len) { return arena_chunk_resize(NULL, len); }

void arena_chunk_trim(arena_chunk *c, size_t len) { memset(c->data + len, 0, ARENA_PADDING); }

char *arena_chunk_data(arena_chunk *c) { return c->data; }

void arena_give(arena *a, arena_chunk *c) {
    c->next = a->given;
    a->given = c;
}

static void enter(arena *a, arena_chunk *c) {
    a->current = c;
    a->next = c ? c->data : NULL;
    a->end = c ? c->data + c->len : NULL;
}

void arena_reset(arena *a, size_t keep) {
    size_t held = 0;
    free_list(a->given);
    a->given = NULL;
    arena_chunk **link = &a->first;
    while (*link) {
        arena_chunk *c = *link;
        if (held + c->len > keep) {
            *link = c->next;
            mem_free(c);
        } else {
            held += c->len;
            link = &c->next;
        }
    }
    enter(a, a->first);
}

void *arena_take_slow(arena *a, size_t len, size_t align) {
    while (a->current && a->current->next) {
        enter(a, a->current->next);
        uintptr_t at = ((uintptr_t)a->next + (align - 1)) & ~(uintptr_t)(align - 1);
        if (at + len <= (uintptr_t)a->end) {
            a->next = (char *)(at + len);
            return (void *)at;
        }
    }
    size_t want = len + align > a->chunk_len ? len + align : a->chunk_len;
    arena_chunk *c = arena_chunk_new(want);
    if (a->current)
        a->current->next = c;
    else
        a->first = c;
    enter(a, c);
    uintptr_t at = ((uintptr_t)a->next + (align - 1)) & ~(uintptr_t)(align - 1);
    a->next = (char *)(at + len);
    return (void *)at;
}

char *arena_copy(arena *a, const void *data, size_t len) {
    char *copy = arena_take(a, len, 1);
    if (len) memcpy(copy, data, len);
    return copy;
}

size_t arena_held(const arena *a) {
    size_t held = 0;
    for (const arena_chunk *c = a->first; c; c = c->next) held += c->len;
    for (const arena_chunk *c = a->given; c; c = c->next) held += c->len;
    return held;
}
