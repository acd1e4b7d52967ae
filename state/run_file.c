#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "runtime/base/crash.h"
#include "runtime/base/mem.h"
#include "state/run_filter.h"
#include "state/run_inside.h"
#include "state/shard.h"

enum {
    BLOCK_BYTES = 4 << 10, /* look-ups seldom find two keys in one */
    WRITE_BYTES = 1 << 20,
    READ_BYTES = 64 << 10,
    MOST_BLOCK = 1 << 30, /* one entry may be as large */
};

struct run_writer {
    char *path; /* owned */
    int fd;
    uint64_t file, written; /* number; bytes that are in the file */
    buf out;                /* those that wait */
    size_t block_at;        /* of the open block in `out` */
    uint32_t block_count;   /* entries in it; 0: none is open */
    uint64_t segment_at;
    uint64_t count;
    block_index *index; /* of the segment; owned */
    uint32_t blocks, index_room;
    uint64_t *filter; /* of the segment; owned; NULL: it gets none */
    uint64_t filter_lines;
    err *error; /* the first; owned */
};

struct run_reader {
    char *path; /* owned; opened for each read: there may be very many of them */
    run_segment segment;
    buf bytes;          /* read, from `bytes_at` of the file on */
    size_t used;        /* of them */
    uint64_t next;      /* in the file: behind what was read */
    uint32_t left;      /* entries of the open block */
    size_t block_end;   /* in `bytes` */
    block_index *index; /* once it was needed; owned */
};

void run_file_name(uint64_t file, char name[RUN_NAME_BYTES]) {
    snprintf(name, RUN_NAME_BYTES, "panes-%" PRIu64 ".run", file);
}

bool run_file_read_name(const char *name, uint64_t *file) {
    char again[RUN_NAME_BYTES];
    if (sscanf(name, "panes-%" SCNu64 ".run", file) != 1) return false;
    run_file_name(*file, again);
    return strcmp(name, again) == 0;
}

char *run_path(const char *folder, uint64_t file) {
    char name[RUN_NAME_BYTES];
    size_t room = strlen(folder) + RUN_NAME_BYTES + 1;
    char *path = mem_alloc(room);
    run_file_name(file, name);
    snprintf(path, room, "%s/%s", folder, name);
    return path;
}

err *run_failed(const char *what, const char *path, int code) {
    err *e = err_new(ERR_IO, "%s `%s`: %s", what, path, strerror(code));
    e->retriable = code == ENOSPC || code == EDQUOT;
    return e;
}

uint64_t run_block_sum(const char *block, size_t len, uint64_t file, uint64_t at) {
    size_t skipped = sizeof(uint64_t);
    return XXH3_64bits_withSeed(block + skipped, len - skipped, file << 40 ^ at);
}

/* -- writing */

err *run_writer_open(const char *folder, uint64_t file, run_writer **out) {
    run_writer *w = mem_zalloc(1, sizeof *w);
    w->path = run_path(folder, file);
    w->file = file;
    w->fd = open(w->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    err *e = w->fd < 0 ? run_failed("making", w->path, errno) : NULL;
    if (e) {
        mem_free(w->path);
        mem_free(w);
        return e;
    }
    *out = w;
    return NULL;
}

static void flush(run_writer *w) {
    const char *at = w->out.data;
    size_t left = w->out.len;
    while (left && !w->error) {
        ssize_t len = fault_is("run_file_full") ? (errno = ENOSPC, -1) : write(w->fd, at, left);
        if (len < 0 && errno == EINTR) continue;
        if (len < 0) w->error = run_failed("writing", w->path, errno);
        if (len < 0) break;
        at += len;
        left -= (size_t)len;
    }
    w->written += w->out.len;
    buf_reset(&w->out);
}

static void end_block(run_writer *w) {
    if (!w->block_count) return;
    char *block = w->out.data + w->block_at;
    size_t len = w->out.len - w->block_at;
    block_head head = { .len = (uint32_t)(len - sizeof head), .count = w->block_count };
    memcpy(block, &head, sizeof head);
    head.checksum = run_block_sum(block, len, w->file, w->written + w->block_at);
    memcpy(block, &head, sizeof head);
    w->block_count = 0;
    if (w->out.len >= WRITE_BYTES) flush(w);
}

static void begin_block(run_writer *w, uint64_t order) {
    if (w->blocks == w->index_room) {
        w->index_room = w->index_room ? 2 * w->index_room : 64;
        w->index = mem_realloc(w->index, w->index_room * sizeof *w->index);
    }
    w->block_at = w->out.len;
    w->index[w->blocks++] = (block_index){ order, w->written + w->out.len };
    buf_put(&w->out, &(block_head){ 0 }, sizeof(block_head));
}

void run_writer_begin(run_writer *w, uint64_t most) {
    w->segment_at = run_writer_bytes(w);
    w->count = 0;
    w->blocks = 0;
    w->filter_lines = filter_lines(most);
    w->filter = most ? mem_zalloc(w->filter_lines, FILTER_LINE_BYTES) : NULL;
}

void run_writer_put(run_writer *w, uint64_t order, const char *entry, size_t len) {
    if (w->block_count && w->out.len - w->block_at + len > BLOCK_BYTES) end_block(w);
    if (!w->block_count) begin_block(w, order);
    buf_put(&w->out, entry, len);
    if (w->filter) filter_add(w->filter, w->filter_lines, order);
    w->block_count++;
    w->count++;
}

/* With its checksum before it. */
static void put_summed(run_writer *w, const void *bytes, size_t len) {
    uint64_t sum = XXH3_64bits_withSeed(bytes, len, w->file);
    buf_put(&w->out, &sum, sizeof sum);
    buf_put(&w->out, bytes, len);
}

void run_writer_end(run_writer *w, run_segment *s) {
    end_block(w);
    s->file = w->file;
    s->at = w->segment_at;
    s->len = run_writer_bytes(w) - w->segment_at;
    s->block_count = w->blocks;
    s->count = w->count;
    s->filter_lines = w->filter ? filter_fold(w->filter, w->filter_lines, w->count) : 0;
    put_summed(w, w->index, w->blocks * sizeof *w->index);
    if (w->filter) put_summed(w, w->filter, s->filter_lines * FILTER_LINE_BYTES);
    mem_free(w->filter);
    w->filter = NULL;
}

uint64_t run_writer_bytes(const run_writer *w) {
    return w->written + w->out.len;
}

static void free_writer(run_writer *w) {
    close(w->fd);
    buf_done(&w->out);
    mem_free(w->index);
    mem_free(w->filter);
    mem_free(w->path);
    mem_free(w);
}

err *run_writer_close(run_writer *w) {
    flush(w);
    if (!w->error && fsync(w->fd)) w->error = run_failed("syncing", w->path, errno);
    err *e = w->error;
    if (e) unlink(w->path);
    free_writer(w);
    return e;
}

void run_writer_give_up(run_writer *w) {
    if (!w) return;
    err_free(w->error);
    unlink(w->path);
    free_writer(w);
}

/* -- reading */

run_reader *run_reader_new(const char *folder, const run_segment *s) {
    run_reader *r = mem_zalloc(1, sizeof *r);
    r->path = run_path(folder, s->file);
    r->segment = *s;
    r->next = s->at;
    return r;
}

void run_reader_free(run_reader *r) {
    if (!r) return;
    buf_done(&r->bytes);
    mem_free(r->index);
    mem_free(r->path);
    mem_free(r);
}

err *run_spoilt(const char *path) {
    unlink(path);
    return err_new(ERR_REFUSED,
                   "`%s` is damaged, and was removed: start again, and it is made anew from the "
                   "stored state",
                   path);
}

err *run_read(const char *path, int fd, char *to, size_t len, uint64_t at) {
    while (len) {
        ssize_t got = pread(fd, to, len, (off_t)at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return run_failed("reading", path, errno);
        if (!got) return run_spoilt(path);
        to += got;
        at += (uint64_t)got;
        len -= (size_t)got;
    }
    return NULL;
}

static err *read_at(const run_reader *r, char *to, size_t len, uint64_t at) {
    int fd = open(r->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return run_failed("opening", r->path, errno);
    err *e = run_read(r->path, fd, to, len, at);
    close(fd);
    return e;
}

/* Have `len` bytes behind those that are used. */
static err *need(run_reader *r, size_t len) {
    size_t there = r->bytes.len - r->used;
    if (there >= len) return NULL;
    uint64_t left = run_end(&r->segment) - r->next;
    size_t more = len - there > READ_BYTES ? len - there : READ_BYTES;
    if (more > left) more = (size_t)left;
    if (there + more < len) return run_spoilt(r->path);
    if (there) memmove(r->bytes.data, r->bytes.data + r->used, there);
    r->bytes.len = there;
    r->used = 0;
    err *e = read_at(r, buf_need(&r->bytes, more), more, r->next);
    if (e) return e;
    r->bytes.len += more;
    r->next += more;
    return NULL;
}

/* Whether the entries of a block are as long as they say. */
static bool fits(const char *at, const block_head *head) {
    size_t left = head->len;
    for (uint32_t i = 0; i < head->count; i++) {
        entry_head one;
        if (left < sizeof one) return false;
        memcpy(&one, at, sizeof one);
        size_t len = stored_entry_len(&one);
        if (len > left) return false;
        left -= len;
        at += len;
    }
    return !left;
}

/* Begin the next block; none is open then: that was all. */
static err *next_block(run_reader *r) {
    block_head head;
    uint64_t at = r->next - (r->bytes.len - r->used);
    if (at == run_end(&r->segment)) return NULL;
    err *e = need(r, sizeof head);
    if (e) return e;
    memcpy(&head, r->bytes.data + r->used, sizeof head);
    if (!head.count || head.len > MOST_BLOCK) return run_spoilt(r->path);
    e = need(r, sizeof head + head.len);
    if (e) return e;
    const char *block = r->bytes.data + r->used;
    size_t len = sizeof head + head.len;
    if (run_block_sum(block, len, r->segment.file, at) != head.checksum) return run_spoilt(r->path);
    if (!fits(block + sizeof head, &head)) return run_spoilt(r->path);
    r->used += sizeof head;
    r->left = head.count;
    return NULL;
}

/* Its checksum stands before it. */
static err *read_summed(const char *path, int fd, void *to, size_t len, uint64_t file,
                        uint64_t at) {
    uint64_t sum;
    err *e = run_read(path, fd, (char *)&sum, sizeof sum, at);
    if (!e) e = run_read(path, fd, to, len, at + sizeof sum);
    return !e && sum != XXH3_64bits_withSeed(to, len, file) ? run_spoilt(path) : e;
}

err *run_read_tail(const char *path, int fd, const run_segment *s, block_index *index,
                   uint64_t *filter) {
    size_t len = s->block_count * sizeof *index;
    uint64_t behind = run_end(s) + sizeof(uint64_t) + len;
    err *e = read_summed(path, fd, index, len, s->file, run_end(s));
    if (e || !filter) return e;
    return read_summed(path, fd, filter, s->filter_lines * FILTER_LINE_BYTES, s->file, behind);
}

static err *load_index(run_reader *r) {
    if (r->index) return NULL;
    int fd = open(r->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return run_failed("opening", r->path, errno);
    r->index = mem_alloc(r->segment.block_count * sizeof *r->index);
    err *e = run_read_tail(r->path, fd, &r->segment, r->index, NULL);
    close(fd);
    return e;
}

err *run_reader_check(run_reader *r) {
    err *e = load_index(r);
    return e ? e : next_block(r);
}

err *run_reader_seek(run_reader *r, uint64_t order) {
    err *e = load_index(r);
    if (e || !r->segment.block_count) return e;
    uint64_t low = 0, high = r->segment.block_count; /* the first that begins at it or behind */
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (r->index[middle].order < order)
            low = middle + 1;
        else
            high = middle;
    }
    r->next = r->index[low ? low - 1 : 0].at;
    r->bytes.len = r->used = 0;
    r->left = 0;
    return NULL;
}

err *run_reader_take(run_reader *r, uint64_t least, uint64_t to, uint32_t shards, uint32_t from,
                     ordered_list *list, buf *bytes) {
    for (;;) {
        err *e = r->left ? NULL : next_block(r);
        if (e || !r->left) return e;
        const char *at = r->bytes.data + r->used, *first = at;
        ordered_reserve(list, r->left);
        while (r->left) {
            entry_head head;
            memcpy(&head, at, sizeof head);
            uint64_t order = shard_order(head.hash, shards);
            if (order > to) break;
            size_t place = bytes->len + (size_t)(at - first);
            at += stored_entry_len(&head);
            r->left--;
            if (order < least) {
                first = at;
                continue;
            }
            list->items[list->count++] =
                (ordered){ .order = order, .at = (const char *)place, .from = from };
        }
        r->used = (size_t)(at - r->bytes.data);
        buf_put(bytes, first, (size_t)(at - first));
        if (r->left) return NULL;
    }
}
