/* DESIGN. Instead of a heap over all segments each slice of orders is read from every one of them
 * and sorted: hashes are spread, so a slice has about as much of each, and a sort by digits costs
 * less than the comparisons of a heap. */
#include "state/run_merge.h"

#include <string.h>

#include "runtime/base/mem.h"

enum { SLICE_BYTES = 1 << 20 };

typedef struct merge_source {
    run_reader *reader; /* owned */
    uint32_t pane;
} merge_source;

struct run_merge {
    const char *folder; /* borrowed */
    uint32_t shards;
    bool keeps_removed;
    merge_source *sources; /* owned */
    uint32_t count, room;
    uint64_t total_bytes;
    uint64_t next; /* order from which on it is read without seeking */
    bool is_begun; /* it has been read */
    ordered_list list;
    buf bytes;
};

run_merge *run_merge_new(const char *folder, uint32_t shards, bool keeps_removed) {
    run_merge *m = mem_zalloc(1, sizeof *m);
    m->folder = folder;
    m->shards = shards;
    m->keeps_removed = keeps_removed;
    return m;
}

void run_merge_free(run_merge *m) {
    if (!m) return;
    for (uint32_t i = 0; i < m->count; i++) run_reader_free(m->sources[i].reader);
    mem_free(m->sources);
    ordered_done(&m->list);
    buf_done(&m->bytes);
    mem_free(m);
}

void run_merge_add(run_merge *m, const run_segment *s, uint32_t pane) {
    if (m->count == m->room) {
        m->room = m->room ? 2 * m->room : 16;
        m->sources = mem_realloc(m->sources, m->room * sizeof *m->sources);
    }
    m->sources[m->count++] =
        (merge_source){ .reader = run_reader_new(m->folder, s), .pane = pane };
    m->total_bytes += s->len;
}

uint64_t run_merge_slices(const run_merge *m, uint64_t least) {
    uint64_t slices = least;
    while (m->total_bytes / slices > SLICE_BYTES) slices *= 2;
    return slices;
}

run_range run_slice(uint64_t slice, uint64_t slices) {
    uint32_t shift = 64 - (uint32_t)__builtin_ctzll(slices); /* 64: one slice */
    if (shift == 64) return (run_range){ 0, UINT64_MAX };
    return (run_range){ slice << shift, slice << shift | (((uint64_t)1 << shift) - 1) };
}

/* Of what stands several times in a pane the first is the newest. */
static void keep_newest(run_merge *m) {
    ordered *items = m->list.items;
    uint32_t kept = 0;
    ordered was = { 0 };
    for (uint32_t i = 0; i < m->list.count; i++) {
        bool is_old = was.at && items[i].order == was.order && items[i].from == was.from &&
                      ordered_is_same(&items[i], &was);
        if (is_old) continue;
        was = items[i];
        if (!m->keeps_removed && ordered_head(&was).value_words == VALUE_REMOVED) continue;
        items[kept++] = was;
    }
    m->list.count = kept;
}

err *run_merge_read(run_merge *m, run_range range, const ordered **items, uint32_t *count) {
    bool goes_on = range.from == m->next && (range.from || !m->is_begun);
    err *e = NULL;
    m->list.count = 0;
    buf_reset(&m->bytes);
    for (uint32_t i = 0; !e && i < m->count; i++) {
        const merge_source *s = &m->sources[i];
        if (!goes_on) e = run_reader_seek(s->reader, range.from);
        if (!e)
            e = run_reader_take(s->reader, range.from, range.to, m->shards, s->pane, &m->list,
                                &m->bytes);
    }
    m->next = range.to + 1;
    m->is_begun = true;
    if (e) return e;
    for (uint32_t i = 0; i < m->list.count; i++)
        m->list.items[i].at = m->bytes.data + (uintptr_t)m->list.items[i].at;
    uint64_t differ = range.from ^ range.to;
    ordered_sort(&m->list, differ ? (uint32_t)__builtin_clzll(differ) : 63);
    keep_newest(m);
    *items = m->list.items;
    *count = m->list.count;
    return NULL;
}
