#pragma once
/* Memory in slabs: blocks of a power of two of bytes, kept for reuse when they come back. Slabs of
 * 2 MB and more lie on huge pages; smaller ones do not (a huge page under each 640 KB of entries
 * made grouping five times slower). What lies spare is bounded: by what is in use, or 32 MB if that
 * is more. The holder of a slab remembers its size. One owner; thread: the owner's. */
#include <stddef.h>

enum {
    SLAB_MIN_BITS = 9,
    SLAB_HUGE_BITS = 21, /* from here on huge pages */
    SLAB_CLASSES = 48,
};

typedef struct slab_spare slab_spare;

typedef struct slab_pool {
    slab_spare *spare[SLAB_CLASSES]; /* by bits of the size; owned */
    size_t used_bytes;               /* in slabs that are out */
    size_t spare_bytes;              /* in slabs that lie here */
} slab_pool;

void slab_pool_init(slab_pool *pool);

/* Free all spare slabs; those that are out must have come back. */
void slab_pool_done(slab_pool *pool);

/* The size of the slab that slab_take gives for `len` bytes. */
size_t slab_size(size_t len);

/* Free spare slabs until no more than `keep` bytes lie here. */
void slab_pool_trim(slab_pool *pool, size_t keep);

/* Take a slab of slab_size(len) bytes, aligned to 64, not cleared. Given back by slab_put. */
void *slab_take(slab_pool *pool, size_t len) __attribute__((returns_nonnull));

/* A slab of twice `len` bytes that begins with those of `array`, which is given back; of `first`
 * bytes if there was none. Both powers of two. */
void *slab_grow(slab_pool *pool, void *array, size_t len, size_t first)
    __attribute__((returns_nonnull));

/* Give a slab back; `len` as for slab_take or the slab's size. NULL is allowed. */
void slab_put(slab_pool *pool, void *slab, size_t len);

/* Give back a slab that something twice as long has taken the place of: as slab_put, but a large
 * one is not kept, since nobody will ask for its size for long, and others can have its memory. */
void slab_outgrown(slab_pool *pool, void *slab, size_t len);
