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
    uint64_t next; /* slice that is read without seeking */
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

void run_slice_range(uint64_t slice, uint64_t slices, uint64_t *from, uint64_t *to) {
    uint32_t shift = 64 - (uint32_t)__builtin_ctzll(slices); /* 64: one slice */
    *from = shift == 64 ? 0 : slice << shift;
    *to = shift == 64 ? UINT64_MAX : *from + (((uint64_t)1 << shift) - 1);
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

err *run_merge_read(run_merge *m, uint64_t slice, uint64_t slices, const ordered **items,
                    uint32_t *count) {
    uint64_t from, to;
    err *e = NULL;
    run_slice_range(slice, slices, &from, &to);
    m->list.count = 0;
    buf_reset(&m->bytes);
    for (uint32_t i = 0; !e && i < m->count; i++) {
        if (slice != m->next) e = run_reader_seek(m->sources[i].reader, from);
        if (!e)
            e = run_reader_take(m->sources[i].reader, from, to, m->shards, m->sources[i].pane,
                                &m->list, &m->bytes);
    }
    m->next = slice + 1;
    if (e) return e;
    for (uint32_t i = 0; i < m->list.count; i++)
        m->list.items[i].at = m->bytes.data + (uintptr_t)m->list.items[i].at;
    ordered_sort(&m->list, (uint32_t)__builtin_ctzll(slices));
    keep_newest(m);
    *items = m->list.items;
    *count = m->list.count;
    return NULL;
}
