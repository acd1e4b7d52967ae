#include "state/slab.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>

#include "runtime/base/mem.h"

enum { SPARE_BYTES = 32 << 20 };

struct slab_spare {
    slab_spare *next;
};

static unsigned bits_of(size_t len) {
    if (len <= (size_t)1 << SLAB_MIN_BITS) return SLAB_MIN_BITS;
    unsigned bits = 64 - (unsigned)__builtin_clzll(len - 1);
    assert(bits < SLAB_CLASSES);
    return bits;
}

void slab_pool_init(slab_pool *pool) {
    memset(pool, 0, sizeof *pool);
}

void slab_pool_done(slab_pool *pool) {
    assert(pool->used_bytes == 0);
    for (unsigned bits = 0; bits < SLAB_CLASSES; bits++) {
        while (pool->spare[bits]) {
            slab_spare *slab = pool->spare[bits];
            pool->spare[bits] = slab->next;
            mem_free(slab);
        }
    }
    pool->spare_bytes = 0;
}

void slab_pool_trim(slab_pool *pool, size_t keep) {
    for (unsigned bits = SLAB_CLASSES; bits-- > 0;) {
        while (pool->spare[bits] && pool->spare_bytes > keep) {
            slab_spare *slab = pool->spare[bits];
            pool->spare[bits] = slab->next;
            pool->spare_bytes -= (size_t)1 << bits;
            mem_free(slab);
        }
    }
}

size_t slab_size(size_t len) {
    return (size_t)1 << bits_of(len);
}

void *slab_take(slab_pool *pool, size_t len) {
    unsigned bits = bits_of(len);
    size_t size = (size_t)1 << bits;
    pool->used_bytes += size;
    slab_spare *slab = pool->spare[bits];
    if (slab) {
        pool->spare[bits] = slab->next;
        pool->spare_bytes -= size;
        return slab;
    }
    if (bits < SLAB_HUGE_BITS) return mem_alloc_aligned(64, size);
    void *huge = mem_alloc_aligned((size_t)1 << SLAB_HUGE_BITS, size);
    (void)madvise(huge, size, MADV_HUGEPAGE); /* a wish; without it only slower */
    return huge;
}

void slab_put(slab_pool *pool, void *slab, size_t len) {
    if (!slab) return;
    unsigned bits = bits_of(len);
    size_t size = (size_t)1 << bits;
    pool->used_bytes -= size;
    size_t keep = pool->used_bytes > SPARE_BYTES ? pool->used_bytes : SPARE_BYTES;
    if (pool->spare_bytes + size > keep) {
        mem_free(slab);
        return;
    }
    slab_spare *spare = slab;
    spare->next = pool->spare[bits];
    pool->spare[bits] = spare;
    pool->spare_bytes += size;
}

void slab_outgrown(slab_pool *pool, void *slab, size_t len) {
    size_t size = slab_size(len);
    if (size < (size_t)1 << SLAB_HUGE_BITS) {
        slab_put(pool, slab, len);
        return;
    }
    pool->used_bytes -= size;
    mem_free(slab);
}

void *slab_grow(slab_pool *pool, void *array, size_t len, size_t first) {
    void *larger = slab_take(pool, len ? 2 * len : first);
    if (len) memcpy(larger, array, len);
    slab_put(pool, array, len);
    return larger;
}
