/* DESIGN. Panes that are spilled are not worth a database: what a run has of one is a segment, in a
 * file that is durable before RocksDB takes in what names it. Until then, and once nothing names it
 * any more, the file is garbage. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/crash.h"
#include "runtime/base/mem.h"
#include "state/base_inside.h"

enum {
    AHEAD = 8,
    OWN_FILE_BYTES = 256 << 10, /* a segment that does not share a file, which would outlive it */
    /* so many times what the run before wrote is read for merging, and so much at least: no run
     * waits long */
    MERGED = 8,
    MERGED_LEAST = 4 << 20,
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

/* Begin a segment of about `bytes`; `most` as of run_writer_begin. */
static err *begin_segment(files *f, size_t bytes, uint64_t most) {
    err *e = bytes > OWN_FILE_BYTES ? close_file(f) : NULL;
    if (!e && !f->open)
        e = run_writer_open(f->b->config.folder, f->b->next.next_file++, &f->open);
    if (!e) run_writer_begin(f->open, most);
    return e;
}

static err *end_segment(files *f, run_segment *s) {
    run_writer_end(f->open, s);
    f->b->file_bytes += s->len;
    return run_writer_bytes(f->open) > OWN_FILE_BYTES ? close_file(f) : NULL;
}

static err *write_pane(files *f, const gather_view *v) {
    base_meta *m = &f->b->next;
    uint32_t first, end;
    if (v->is_dropped) {
        base_meta_segments_from(m, v->pane.number, v->pane.start, &first, &end);
        if (end > first) base_meta_replace(m, first, end, NULL);
    }
    if (!v->count) return NULL;
    entry_head head = ordered_head(v->items);
    bool has_filter = m->tables[v->pane.number - 1].way == BASE_LOOKED_INTO;
    err *e = begin_segment(f, v->count * stored_entry_len(&head), has_filter ? v->count : 0);
    if (e) return e;
    for (uint32_t i = 0; i < v->count; i++) {
        const char *ahead = v->items[i + AHEAD < v->count ? i + AHEAD : i].at;
        __builtin_prefetch(ahead);
        __builtin_prefetch(ahead + 64);
        head = ordered_head(&v->items[i]);
        run_writer_put(f->open, v->items[i].order, v->items[i].at, stored_entry_len(&head));
    }
    run_segment s = { .pane = v->pane };
    e = end_segment(f, &s);
    base_meta_segments(m, &v->pane, &first, &end);
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
    err *e = base_merge_files(b, MERGED * b->file_bytes + MERGED_LEAST);
    b->file_bytes = 0;
    for (uint32_t at = 0; !e && gather_next(b->gather, true, &at, &view);)
        e = write_pane(&f, &view);
    err *closed = close_file(&f);
    e = e ? err_join(e, closed) : closed;
    if (!e && b->next.next_file != b->synced_file) e = sync_folder(b);
    if (!e) b->synced_file = b->next.next_file;
    crash_point("base_files_made");
    return e;
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
    uint32_t count = m->segment_count;
    uint64_t *kept = mem_alloc((count + b->looker_count + 1) * sizeof *kept);
    for (uint32_t i = 0; i < count; i++) kept[i] = m->segments[i].file;
    count += base_looker_files(b, kept + count);
    kept[count++] = base_merge_file(b);
    qsort(kept, count, sizeof *kept, by_number);
    remove_others(b->config.folder, kept, count);
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
