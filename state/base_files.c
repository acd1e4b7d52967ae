/* DESIGN. Panes of tables that are read whole are not worth a database: what a run has of one is a
 * segment, in a file that is durable before RocksDB takes in what names it. Until then, and once
 * nothing names it any more, the file is garbage. Segments are merged only where it is of use:
 * entries that change again and again fill them, or there are very many. New entries, which are
 * what makes a state large, are written once and read once. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/crash.h"
#include "runtime/base/mem.h"
#include "state/base_inside.h"
#include "state/run_merge.h"

enum {
    AHEAD = 8,
    OWN_FILE_BYTES = 256 << 10, /* a segment that does not share a file, which would outlive it */
    FEW_SEGMENTS = 8,           /* from here on copies are looked for, at every fourth */
    SOME = 4,
    MANY_SEGMENTS = 32, /* then the newest are merged */
};

/* -- writing */

typedef struct files {
    base *b;
    run_writer *open; /* owned; NULL: none is */
} files;

static err *close_file(files *f) {
    err *e = f->open ? run_writer_close(f->open) : NULL;
    f->open = NULL;
    return e;
}

/* Begin a segment of about `bytes`. */
static err *begin_segment(files *f, size_t bytes) {
    err *e = bytes > OWN_FILE_BYTES ? close_file(f) : NULL;
    if (!e && !f->open)
        e = run_writer_open(f->b->config.folder, f->b->next.next_file++, &f->open);
    if (!e) run_writer_begin(f->open);
    return e;
}

static err *end_segment(files *f, run_segment *s) {
    run_writer_end(f->open, s);
    return run_writer_bytes(f->open) > OWN_FILE_BYTES ? close_file(f) : NULL;
}

static err *write_pane(files *f, const gather_view *v) {
    base_meta *m = &f->b->next;
    uint32_t first, end;
    if (v->is_dropped) {
        base_meta_segments(m, v->number, v->start, 0, UINT32_MAX, &first, &end);
        if (end > first) base_meta_replace(m, first, end, NULL);
    }
    if (!v->count) return NULL;
    entry_head head = ordered_head(v->items);
    err *e = begin_segment(f, v->count * stored_entry_len(&head));
    if (e) return e;
    for (uint32_t i = 0; i < v->count; i++) {
        const char *ahead = v->items[i + AHEAD < v->count ? i + AHEAD : i].at;
        __builtin_prefetch(ahead);
        __builtin_prefetch(ahead + 64);
        head = ordered_head(&v->items[i]);
        run_writer_put(f->open, v->items[i].order, v->items[i].at, stored_entry_len(&head));
    }
    run_segment s = { .number = v->number, .start = v->start, .generation = v->generation };
    e = end_segment(f, &s);
    base_meta_segments(m, v->number, v->start, v->generation, v->generation, &first, &end);
    base_meta_replace(m, end, end, &s);
    return e;
}

/* What was made in the folder is there after a crash. */
static err *sync_folder(const base *b) {
    int fd = open(b->config.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_synced = fd >= 0 && !fsync(fd);
    if (fd >= 0) close(fd);
    return is_synced ? NULL : err_new(ERR_IO, "syncing the folder `%s`", b->config.folder);
}

err *base_write_files(base *b) {
    files f = { .b = b };
    gather_view view;
    uint64_t before = b->next.next_file;
    err *e = NULL;
    for (uint32_t at = 0; !e && gather_next(b->gather, true, &at, &view);)
        e = write_pane(&f, &view);
    err *closed = close_file(&f);
    e = e ? err_join(e, closed) : closed;
    if (!e && b->next.next_file != before) e = sync_folder(b);
    crash_point("base_files_made");
    return e;
}

/* -- merging */

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

/* Where to begin: older segments are taken in as long as they are no larger than what comes behind
 * them, so that no entry is copied often. */
static uint32_t first_to_merge(const run_segment *s, uint32_t count) {
    uint32_t first = count;
    uint64_t sum = 0;
    while (first > 0 && (count - first < MANY_SEGMENTS / 2 || s[first - 1].len <= 2 * sum))
        sum += s[--first].len;
    return first;
}

static err *copy_merged(files *f, const run_segment *s, uint32_t count, bool is_whole,
                        run_segment *made) {
    const base *b = f->b;
    run_merge *all = run_merge_new(b->config.folder, b->config.shards, !is_whole);
    for (uint32_t i = count; i-- > 0;) run_merge_add(all, &s[i], 0);
    uint64_t slices = run_merge_slices(all, 1);
    err *e = begin_segment(f, SIZE_MAX);
    for (uint64_t slice = 0; !e && slice < slices; slice++) {
        const ordered *items;
        uint32_t item_count;
        e = run_merge_read(all, run_slice(slice, slices), &items, &item_count);
        for (uint32_t i = 0; !e && i < item_count; i++) {
            entry_head head = ordered_head(&items[i]);
            run_writer_put(f->open, items[i].order, items[i].at, stored_entry_len(&head));
        }
    }
    run_merge_free(all);
    err *ended = f->open ? end_segment(f, made) : NULL;
    return e ? err_join(e, ended) : ended;
}

/* The segments [first, end) of a pane become fewer, if there are too many. */
static err *merge_pane(files *f, uint32_t first, uint32_t end, bool *merged) {
    base_meta *m = &f->b->next;
    uint32_t count = end - first, from = count;
    bool many = false;
    err *e = NULL;
    if (count < FEW_SEGMENTS) return NULL;
    if (count % SOME == 0) e = count_copies(f->b, &m->segments[first], count, &many);
    if (many)
        from = 0;
    else if (!e && count >= MANY_SEGMENTS)
        from = first_to_merge(&m->segments[first], count);
    if (e || from == count) return e;
    const run_segment *s = &m->segments[first];
    run_segment made = { .number = s->number, .start = s->start, .generation = s->generation };
    e = copy_merged(f, s + from, count - from, !from, &made);
    if (e) return e;
    base_meta_replace(m, first + from, end, made.count ? &made : NULL);
    *merged = true;
    return NULL;
}

err *base_merge_files(base *b, bool *merged) {
    files f = { .b = b };
    err *e = NULL;
    for (uint32_t i = b->next.segment_count; !e && i > 0;) {
        const run_segment *s = &b->next.segments[i - 1];
        uint32_t first, end;
        base_meta_segments(&b->next, s->number, s->start, s->generation, s->generation, &first,
                           &end);
        i = first;
        e = merge_pane(&f, first, end, merged);
    }
    err *closed = close_file(&f);
    e = e ? err_join(e, closed) : closed;
    return e || !*merged ? e : sync_folder(b);
}

/* -- which there are */

static int by_number(const void *x, const void *y) {
    const uint64_t *a = x, *b = y;
    return (*a > *b) - (*a < *b);
}

/* Remove all but `kept`, which are sorted. */
static void remove_others(const char *path, const uint64_t *kept, uint32_t count) {
    struct dirent *item;
    uint64_t file;
    char name[4096];
    DIR *folder = opendir(path);
    if (!folder) return;
    while ((item = readdir(folder))) {
        if (!run_file_read_name(item->d_name, &file)) continue;
        if (count && bsearch(&file, kept, count, sizeof *kept, by_number)) continue;
        snprintf(name, sizeof name, "%s/%s", path, item->d_name);
        unlink(name);
    }
    closedir(folder);
}

void base_remove_files(base *b) {
    const base_meta *m = &b->meta;
    if (b->reading) return;
    uint64_t *kept = mem_alloc((m->segment_count + 1) * sizeof *kept);
    for (uint32_t i = 0; i < m->segment_count; i++) kept[i] = m->segments[i].file;
    qsort(kept, m->segment_count, sizeof *kept, by_number);
    remove_others(b->config.folder, kept, m->segment_count);
    mem_free(kept);
}

err *base_destroy(const char *folder) {
    err *e = rocks_destroy(folder);
    if (!e) remove_others(folder, NULL, 0);
    if (!e) rmdir(folder); /* RocksDB leaves it where there were files of ours */
    return e;
}

err *base_check_files(const base *b) {
    err *e = NULL;
    for (uint32_t i = 0; !e && i < b->meta.segment_count; i++) {
        run_reader *r = run_reader_new(b->config.folder, &b->meta.segments[i]);
        e = run_reader_check(r);
        run_reader_free(r);
    }
    return e;
}
