#pragma once
/* Memory that dies all at once. Allocation moves a pointer; arena_reset keeps the chunks for the
 * next round. Every allocation has ARENA_PADDING readable bytes behind it (simdjson reads past the
 * end). Bytes that were made elsewhere join without a copy: a chunk is filled by its maker, then
 * given to the arena. One owner; thread: the owner's. */
#include <stddef.h>
#include <stdint.h>

enum { ARENA_PADDING = 64 };

typedef struct arena_chunk arena_chunk;

typedef struct arena {
    arena_chunk *first;   /* all chunks, in order of making; owned */
    arena_chunk *current; /* the one that is being filled */
    arena_chunk *given;   /* filled elsewhere; owned; die with the next reset */
    char *next;           /* first free byte of `current` */
    char *end;            /* end of what may be handed out of `current` (padding lies behind it) */
    size_t chunk_len;     /* usual size of a chunk, bytes */
} arena;

/* Set up an empty arena that grows by `chunk_len` bytes at a time. No memory is taken yet. */
void arena_init(arena *a, size_t chunk_len);
void arena_done(arena *a);

/* Forget all allocations; memory stays for reuse, but no more than `keep` bytes of it. */
void arena_reset(arena *a, size_t keep);

/* Slow path of arena_take. */
void *arena_take_slow(arena *a, size_t len, size_t align);

/* Take `len` bytes aligned to `align` (a power of two), not cleared; borrowed until arena_reset. */
static inline void *arena_take(arena *a, size_t len, size_t align) {
    uintptr_t at = ((uintptr_t)a->next + (align - 1)) & ~(uintptr_t)(align - 1);
    if (!a->next || at + len > (uintptr_t)a->end) return arena_take_slow(a, len, align);
    a->next = (char *)(at + len);
    return (void *)at;
}

/* Give back what lies behind the first `len` bytes of the last allocation, which is at `last`. */
static inline void arena_trim(arena *a, char *last, size_t len) { a->next = last + len; }

/* Copy `len` bytes of `data` into the arena (unaligned). */
char *arena_copy(arena *a, const void *data, size_t len);

/* Make a chunk of `len` bytes, not cleared, with padding behind. Owned by the caller until it is
 * given to an arena; else mem_free. thread: any. */
arena_chunk *arena_chunk_new(size_t len);
char *arena_chunk_data(arena_chunk *c);

/* Make it `len` bytes long, which may move it; what was in the first ones stays. NULL: a new one.
 * */
arena_chunk *arena_chunk_resize(arena_chunk *c, size_t len);

/* Only the first `len` bytes count from here on: padding is what follows them. */
void arena_chunk_trim(arena_chunk *c, size_t len);

/* Take over a chunk: it lives as long as what was allocated here. */
void arena_give(arena *a, arena_chunk *c);

/* Bytes held from the system. */
size_t arena_held(const arena *a);
