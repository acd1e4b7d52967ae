#include "state/spares.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#include "runtime/base/mem.h"

enum {
    MOST = 16, /* blocks */
    HUGE_BYTES = 2 << 20,
    STEPS = 16, /* sizes to a doubling: objects of about one size use each other's */
};

struct spares {
    pthread_mutex_t lock; /* guards what follows */
    buf blocks[MOST];     /* owned; the one given last behind the others */
    uint32_t count;
    size_t bytes, keep_bytes;
};

spares *spares_new(size_t keep_bytes) {
    spares *s = mem_zalloc(1, sizeof *s);
    s->keep_bytes = keep_bytes;
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

/* With the lock held. */
static buf take_out(spares *s, uint32_t i) {
    buf b = s->blocks[i];
    s->bytes -= b.room;
    s->count--;
    for (; i < s->count; i++) s->blocks[i] = s->blocks[i + 1];
    return b;
}

void spares_free(spares *s) {
    if (!s) return;
    for (uint32_t i = 0; i < s->count; i++) buf_done(&s->blocks[i]);
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
}

static buf fresh(size_t bytes) {
    size_t step = HUGE_BYTES;
    while (step * 2 * STEPS <= bytes) step *= 2;
    size_t room = (bytes + step - 1) / step * step;
    buf b = { .data = mem_alloc_aligned(HUGE_BYTES, room), .room = room };
    (void)madvise(b.data, room, MADV_HUGEPAGE); /* a wish; without it only slower */
    return b;
}

buf spares_take(spares *s, size_t bytes) {
    buf b = { 0 };
    if (!s) return fresh(bytes);
    pthread_mutex_lock(&s->lock);
    uint32_t best = s->count;
    for (uint32_t i = 0; i < s->count; i++) {
        bool is_better = best == s->count || s->blocks[i].room < s->blocks[best].room;
        if (s->blocks[i].room >= bytes && is_better) best = i;
    }
    if (best < s->count) b = take_out(s, best);
    pthread_mutex_unlock(&s->lock);
    return b.data ? b : fresh(bytes);
}

/* Of pages, and not more than may be kept. */
static bool is_kept(const spares *s, const buf *b) {
    return s && b->room >= SPARES_LEAST_BYTES && b->room <= s->keep_bytes &&
           (uintptr_t)b->data % HUGE_BYTES == 0 && b->room % HUGE_BYTES == 0;
}

void spares_give(spares *s, buf *b) {
    buf gone[MOST];
    uint32_t gone_count = 0;
    if (!is_kept(s, b)) {
        buf_done(b);
        return;
    }
    b->len = 0;
    (void)madvise(b->data, b->room, MADV_FREE);
    pthread_mutex_lock(&s->lock);
    while (s->count == MOST || s->bytes + b->room > s->keep_bytes)
        gone[gone_count++] = take_out(s, 0);
    s->blocks[s->count++] = *b;
    s->bytes += b->room;
    pthread_mutex_unlock(&s->lock);
    buf_init(b);
    for (uint32_t i = 0; i < gone_count; i++) buf_done(&gone[i]);
}
