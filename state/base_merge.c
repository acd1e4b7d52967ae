/* DESIGN. Segments of a pane are merged only where it is of use. Panes that are read whole: when
 * entries that change again and again fill them, or there are very many; new entries, which are
 * what makes a state large, are written once and read once. Panes that are looked into: when four
 * or more of about one size have come together, so that there are few and no entry is copied often.
 * A large merge takes many runs, a stretch each: its segments stay until it is done, and what comes
 * meanwhile lies behind them. */
#include <string.h>

#include "runtime/base/mem.h"
#include "state/base_inside.h"
#include "state/run_merge.h"

enum {
    SOME = 4,
    FEW_SEGMENTS = 8,   /* of panes read whole: from here on copies are looked for, at every
                           fourth */
    MANY_SEGMENTS = 32, /* then the newest are merged */
};

/* The merge that is going on. */
struct base_merge {
    pane_id pane;
    uint64_t file, at;  /* of its first segment */
    uint32_t count;     /* segments */
    bool is_filtered;   /* what is made gets a filter */
    run_merge *sources; /* owned */
    uint64_t slice, slices;
    uint64_t slice_bytes; /* about what is read for one */
    uint64_t made;        /* number of the file */
    run_writer *writer;   /* of it; owned */
};

uint64_t base_merge_file(const base *b) { return b->merging ? b->merging->made : UINT64_MAX; }

void base_merge_forget(base *b) {
    if (!b->merging) return;
    run_merge_free(b->merging->sources);
    run_writer_give_up(b->merging->writer);
    mem_free(b->merging);
    b->merging = NULL;
}

/* -- what to merge */

/* About how many copies there are of an entry: the first orders of each segment stand for all. */
static err *count_copies(const base *b, const run_segment *s, uint32_t count, bool *many) {
    run_merge *all = run_merge_new(b->config.folder, b->config.shards, true);
    const ordered *items;
    uint32_t kept = 0;
    uint64_t sum = 0, slices = 1;
    for (uint32_t i = 0; i < count; i++) {
        run_merge_add(all, &s[count - 1 - i], 0);
        sum += s[i].count;
    }
    while (sum / slices > 1000 * (uint64_t)count) slices *= 2;
    err *e = run_merge_read(all, run_slice(0, slices), &items, &kept);
    *many = !e && sum / slices > 2 * (uint64_t)kept;
    run_merge_free(all);
    return e;
}

/* Older segments are taken in as long as they are no larger than what comes behind them. */
static uint32_t first_of_many(const run_segment *s, uint32_t count) {
    uint32_t first = count;
    uint64_t sum = 0;
    while (first > 0 && (count - first < MANY_SEGMENTS / 2 || s[first - 1].len <= 2 * sum))
        sum += s[--first].len;
    return first;
}

static err *first_of_whole(const base *b, const run_segment *s, uint32_t count, uint32_t *first) {
    bool many = false;
    err *e = NULL;
    *first = count;
    if (count < FEW_SEGMENTS) return NULL;
    if (count % SOME == 0) e = count_copies(b, s, count, &many);
    if (many)
        *first = 0;
    else if (count >= MANY_SEGMENTS)
        *first = first_of_many(s, count);
    return e;
}

/* The oldest that is at most half of what comes behind it: it is copied once until there is three
 * times as much. */
static uint32_t first_of_like(const run_segment *s, uint32_t count) {
    uint32_t first = count;
    uint64_t sum = 0;
    for (uint32_t i = count; i-- > 0; sum += s[i].len)
        if (count - i >= SOME && 2 * s[i].len <= sum) first = i;
    return first;
}

/* -- merging */

/* Begin to merge `count` segments from `s` on. `is_whole`: there is nothing before them. */
static err *begin(base *b, const run_segment *s, uint32_t count, bool is_whole) {
    base_merge *m = b->merging = mem_zalloc(1, sizeof *m);
    uint64_t sum = 0, bytes = 0;
    m->pane = s->pane;
    m->file = s->file;
    m->at = s->at;
    m->count = count;
    m->is_filtered = b->next.tables[s->pane.number - 1].way == BASE_LOOKED_INTO;
    m->sources = run_merge_new(b->config.folder, b->config.shards, !is_whole);
    for (uint32_t i = count; i-- > 0; sum += s[i].count, bytes += s[i].len)
        run_merge_add(m->sources, &s[i], 0);
    m->slices = run_merge_slices(m->sources, 1);
    m->slice_bytes = bytes / m->slices + 1;
    m->made = b->next.next_file++;
    err *e = run_writer_open(b->config.folder, m->made, &m->writer);
    if (!e) run_writer_begin(m->writer, m->is_filtered ? sum : 0);
    return e;
}

/* The next pane that has too many; b->merging is NULL then: there is none. */
static err *begin_next(base *b) {
    base_meta *m = &b->next;
    for (uint32_t i = m->segment_count; i > 0;) {
        const pane_id *of = &m->segments[i - 1].pane;
        uint32_t first, end, from;
        err *e = NULL;
        base_meta_segments(m, of, &first, &end);
        i = first;
        if (m->tables[of->number - 1].way == BASE_LOOKED_INTO)
            from = first_of_like(&m->segments[first], end - first);
        else
            e = first_of_whole(b, &m->segments[first], end - first, &from);
        if (e) return e;
        if (first + from < end)
            return begin(b, &m->segments[first + from], end - first - from, !from);
    }
    return NULL;
}

static err *merge_slice(base_merge *m) {
    const ordered *items;
    uint32_t count;
    err *e = run_merge_read(m->sources, run_slice(m->slice, m->slices), &items, &count);
    m->slice++;
    for (uint32_t i = 0; !e && i < count; i++) {
        entry_head head = ordered_head(&items[i]);
        run_writer_put(m->writer, items[i].order, items[i].at, stored_entry_len(&head));
    }
    return e;
}

/* Where the segments stand; false: the pane went meanwhile, and their files with it. */
static bool find_sources(const base *b, uint32_t *first) {
    const base_merge *m = b->merging;
    uint32_t end;
    base_meta_segments(&b->next, &m->pane, first, &end);
    for (; *first < end; ++*first) {
        const run_segment *s = &b->next.segments[*first];
        if (s->file == m->file && s->at == m->at) return true;
    }
    return false;
}

/* What was made takes the place of its segments. */
static err *finish(base *b) {
    base_merge *m = b->merging;
    run_segment made = { .pane = m->pane };
    uint32_t first;
    run_writer_end(m->writer, &made);
    err *e = run_writer_close(m->writer);
    m->writer = NULL;
    if (!e && find_sources(b, &first))
        base_meta_replace(&b->next, first, first + m->count, made.count ? &made : NULL);
    base_merge_forget(b);
    return e;
}

err *base_merge_files(base *b, uint64_t most) {
    err *e = NULL;
    uint32_t first;
    if (b->merging && !find_sources(b, &first)) base_merge_forget(b);
    for (uint64_t spent = 0; !e && spent < most;) {
        if (!b->merging) e = begin_next(b);
        if (e || !b->merging) break;
        if (b->merging->slice == b->merging->slices) {
            e = finish(b);
            continue;
        }
        e = merge_slice(b->merging);
        spent += b->merging->slice_bytes;
    }
    if (e) base_merge_forget(b);
    return e;
}
