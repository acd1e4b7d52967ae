/* DESIGN. Ranges are read slice after slice, by several threads: what was opened for a pane stays
 * open until its thread asks for the next one, so that reading goes on where it ended. Idle readers
 * go whenever something has been written: it may have changed their panes. */
#include <string.h>

#include "runtime/base/mem.h"
#include "state/base_inside.h"
#include "state/run_merge.h"

enum { MOST_IDLE = 256 };

struct base_range_reader {
    base_range_reader *next; /* idle ones, the last used first; owned */
    pthread_t thread;        /* that used it */
    pane_id pane;
    uint64_t written; /* base.written when it was opened */
    base_table table; /* its layout; no name; owned */
    run_merge *merge; /* owned */
};

/* With `lock`. */
static void free_reader(base *b, base_range_reader *r) {
    run_merge_free(r->merge);
    base_layout_done(&r->table);
    mem_free(r);
    b->reading--;
}

void base_drop_readers(base *b) {
    while (b->idle) {
        base_range_reader *r = b->idle;
        b->idle = r->next;
        free_reader(b, r);
    }
    b->written++;
}

base_table base_layout(const base *b, uint32_t number) {
    base_table t = b->meta.tables[number - 1];
    const uint32_t *offsets = t.part_offsets;
    size_t len = t.part_count * sizeof *offsets;
    t.name = NULL;
    t.part_offsets = mem_alloc(len);
    if (len) memcpy(t.part_offsets, offsets, len);
    return t;
}

void base_layout_done(base_table *t) { mem_free(t->part_offsets); }

run_merge *base_merge_of(const base *b, const base_meta *m, const base_range *of) {
    run_merge *merge = run_merge_new(b->config.folder, m->shards, false);
    uint32_t first, end;
    pane_id id = { base_meta_find(m, of->table), of->generation, of->start };
    base_meta_segments(m, &id, &first, &end);
    for (; end > first; end--) run_merge_add(merge, &m->segments[end - 1], 0);
    return merge;
}

err *base_put_merged(base_section *s, run_merge *merge, const base_range *of) {
    uint64_t slices = run_merge_slices(merge, 1);
    err *e = NULL;
    for (uint64_t slice = 0; !e && slice < slices; slice++) {
        const ordered *items;
        uint32_t count = 0;
        run_range range = run_slice(slice, slices);
        if (range.to < of->from || range.from > of->to) continue;
        if (range.from < of->from) range.from = of->from;
        if (range.to > of->to) range.to = of->to;
        e = run_merge_read(merge, range, &items, &count);
        for (uint32_t i = 0; !e && i < count; i++) {
            entry_head head = ordered_head(&items[i]);
            e = base_section_put(s, of->start, of->generation, items[i].at,
                                 stored_entry_len(&head));
        }
    }
    return e;
}

/* With `lock`. */
static base_range_reader *open_reader(base *b, const pane_id *id, const base_range *range) {
    base_range_reader *r = mem_zalloc(1, sizeof *r);
    *r = (base_range_reader){ .thread = pthread_self(),
                              .pane = *id,
                              .written = b->written,
                              .table = base_layout(b, id->number),
                              .merge = base_merge_of(b, &b->meta, range) };
    b->reading++;
    return r;
}

/* The thread's own, if it read the pane last time; NULL: it is not in files. With `lock`. */
static base_range_reader *take_reader(base *b, const base_range *range) {
    pane_id id = { base_meta_find(&b->meta, range->table), range->generation, range->start };
    if (!id.number || b->meta.tables[id.number - 1].way == BASE_IN_ROCKS) return NULL;
    for (base_range_reader **at = &b->idle; *at; at = &(*at)->next) {
        base_range_reader *r = *at;
        if (pane_id_compare(&r->pane, &id) || !pthread_equal(r->thread, pthread_self())) continue;
        *at = r->next;
        return r;
    }
    return open_reader(b, &id, range);
}

static void put_back(base *b, base_range_reader *r, bool is_sound) {
    pthread_mutex_lock(&b->lock);
    uint32_t count = 0;
    for (base_range_reader *other = b->idle; other; other = other->next) count++;
    if (!is_sound || r->written != b->written || count >= MOST_IDLE) {
        free_reader(b, r);
    } else {
        r->next = b->idle;
        b->idle = r;
    }
    pthread_mutex_unlock(&b->lock);
}

static err *read_database(base *b, const base_range *range, base_section *s) {
    base_meta meta = { 0 };
    base_read_begin(b, &meta);
    uint32_t number = base_meta_find(&meta, range->table);
    s->table = number ? &meta.tables[number - 1] : NULL;
    err *e = number ? base_read_stored(b, &meta, range, s) : NULL;
    if (!e && number) e = base_section_end(s);
    base_read_end(b, &meta);
    return e;
}

err *base_read_range(base *b, const base_range *range, base_visit *visit, void *arg) {
    base_section s = {
        .name = range->table, .shards = b->config.shards, .visit = visit, .arg = arg
    };
    pthread_mutex_lock(&b->lock);
    base_range_reader *r = take_reader(b, range);
    pthread_mutex_unlock(&b->lock);
    err *e = NULL;
    if (r) {
        s.table = &r->table;
        e = base_put_merged(&s, r->merge, range);
        if (!e) e = base_section_end(&s);
        put_back(b, r, !e);
    } else {
        e = read_database(b, range, &s);
    }
    buf_done(&s.bytes);
    return e;
}

static uint64_t bytes_of(const run_segment *segments, uint32_t count) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) bytes += segments[i].len;
    return bytes;
}

uint64_t base_bytes(base *b) {
    uint64_t bytes = rocks_bytes_held(b->rocks);
    pthread_mutex_lock(&b->lock);
    bytes += bytes_of(b->meta.segments, b->meta.segment_count);
    pthread_mutex_unlock(&b->lock);
    return bytes;
}

uint64_t base_range_bytes(base *b, const base_range *range) {
    char from[BASE_KEY_BYTES], to[BASE_KEY_BYTES];
    uint64_t bytes = 0;
    uint32_t first, end;
    pthread_mutex_lock(&b->lock);
    pane_id id = { base_meta_find(&b->meta, range->table), range->generation, range->start };
    bool in_files = id.number && b->meta.tables[id.number - 1].way != BASE_IN_ROCKS;
    bool is_there = base_bounds(&b->meta, range, from, to);
    base_meta_segments(&b->meta, &id, &first, &end);
    if (in_files) bytes = bytes_of(&b->meta.segments[first], end - first);
    pthread_mutex_unlock(&b->lock);
    if (!is_there || in_files) return bytes;
    return rocks_size(b->rocks, (rocks_bytes){ from, sizeof from }, (rocks_bytes){ to, sizeof to });
}
