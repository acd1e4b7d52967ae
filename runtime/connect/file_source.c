#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/connect/file.h"
#include "runtime/connect/options.h"

/* DESIGN: read() into one buffer, memchr for newlines, and one copy of each line into the batch's
 * arena. mmap was rejected: it saves that copy for files only, and a file cut short under it kills
 * the process. A followed file is looked at now and then: inotify was rejected, which says nothing
 * of files on other machines. */

enum {
    BUFFER_BYTES = 1 << 20,
    LINE_BYTES_MAX = 1 << 30,
    SLICE_MS = 50,   /* how often a wait looks whether it should stop */
    LINGER_MS = 50,  /* stdin: how long what came waits for more */
    FOLLOW_MS = 100, /* between two looks whether a followed file has grown */
};

typedef struct file_source {
    const sl_system *system; /* borrowed until close */
    char *path;              /* owned; as in the script */
    int fd;                  /* owned, but for stdin */
    bool is_stdin;
    bool is_regular; /* reading never waits */
    bool is_at_eof;  /* all bytes are in the buffer; never when followed */
    bool is_followed;
    bool is_caught_up;  /* followed: the last read gave nothing; what was appended comes later */
    int64_t read_bytes; /* followed: up to where the file has been read */
    char *data;         /* owned; bytes [from, to) are read but not taken */
    size_t from, to, room;
    size_t searched;        /* bytes behind `from` that hold no newline */
    sl_partition partition; /* position: number of the line at `from` */
} file_source;

static err *io_error(const file_source *f, const char *what) {
    int number = errno;
    return err_new(ERR_IO, "%s file source `%s`: %s", what, f->path, strerror(number));
}

/* The error of an open, which names where the file was looked for. */
static err *open_error(const file_source *f) {
    int number = errno;
    char here[PATH_MAX];
    if (f->path[0] == '/' || !getcwd(here, sizeof here)) {
        return err_new(ERR_IO, "opening file source `%s`: %s", f->path, strerror(number));
    }
    return err_new(ERR_IO, "opening file source `%s` (%s/%s): %s", f->path, here, f->path,
                   strerror(number));
}

/* Wait up to `timeout_ms` for bytes to read. Counts slices and not the clock, which may be a
 * manual one. */
static err *wait_readable(const file_source *f, int64_t timeout_ms, bool *is_readable) {
    struct pollfd p = { .fd = f->fd, .events = POLLIN };
    *is_readable = false;
    for (int64_t left = timeout_ms; !*is_readable; left -= SLICE_MS) {
        if (*f->system->stop)
            return err_new(ERR_STOPPED, "stopped while waiting for `%s`", f->path);
        int slice = left < SLICE_MS ? (int)left : SLICE_MS;
        int ready = poll(&p, 1, slice > 0 ? slice : 0);
        if (ready < 0 && errno != EINTR) return io_error(f, "waiting for");
        *is_readable = ready > 0;
        if (left <= SLICE_MS) break;
    }
    return NULL;
}

/* Lines that the rest of the buffer holds; the last one counts without a newline, too, unless more
 * may come. */
static int64_t lines_left(const file_source *f) {
    int64_t count = 0;
    const char *at = f->data + f->from, *end = f->data + f->to;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (!newline && f->is_followed) break;
        at = newline ? newline + 1 : end;
        count++;
    }
    return count;
}

static err *make_room(file_source *f) {
    if (f->from > 0) {
        memmove(f->data, f->data + f->from, f->to - f->from);
        f->to -= f->from;
        f->from = 0;
    }
    if (f->room - f->to >= BUFFER_BYTES / 2) return NULL;
    if (f->room > LINE_BYTES_MAX) {
        return err_new(ERR_DATA, "line %lld of `%s` is longer than 1 GiB",
                       (long long)f->partition.position + 1, f->path);
    }
    f->room = f->room ? f->room * 2 : BUFFER_BYTES;
    f->data = mem_realloc(f->data, f->room);
    return NULL;
}

/* Read once; the caller knows that this does not wait. */
static err *fill(file_source *f) {
    err *e = make_room(f);
    if (e) return e;
    ssize_t got = read(f->fd, f->data + f->to, f->room - f->to);
    if (got < 0) return errno == EINTR || errno == EAGAIN ? NULL : io_error(f, "reading");
    f->to += (size_t)got;
    f->read_bytes += got;
    if (got > 0) {
        f->is_caught_up = false;
        f->partition.end = INT64_MAX;
        return NULL;
    }
    f->is_caught_up = f->is_followed;
    f->is_at_eof = !f->is_followed;
    f->partition.end = f->partition.position + lines_left(f);
    f->partition.ended = f->is_at_eof;
    return NULL;
}

/* A followed file may only grow: what stands in its place or was cut off would be read as if it
 * went on. What the old one held is in the buffer by now. */
static err *check_same(const file_source *f, const struct stat *open_one) {
    struct stat named;
    if (open_one->st_size < f->read_bytes) {
        return err_new(ERR_IO, "the followed file `%s` was cut short: %lld bytes, %lld had been "
                               "read; it may only grow",
                       f->path, (long long)open_one->st_size, (long long)f->read_bytes);
    }
    if (f->is_stdin) return NULL; /* has no name by which another could take its place */
    if (stat(f->path, &named)) {
        return err_new(ERR_IO, "the followed file `%s` has gone: %s", f->path, strerror(errno));
    }
    if (named.st_ino == open_one->st_ino && named.st_dev == open_one->st_dev) return NULL;
    return err_new(ERR_IO, "the followed file `%s` was replaced by another one; it may only grow",
                   f->path);
}

/* Followed: read what was appended since the last read gave nothing; does not wait. */
static err *read_growth(file_source *f) {
    struct stat about;
    struct pollfd p = { .fd = f->fd, .events = POLLIN };
    err *e = NULL;
    if (!f->is_followed || (!f->is_regular && !f->is_caught_up)) return NULL;
    if (!f->is_regular) return poll(&p, 1, 0) > 0 && (p.revents & POLLIN) ? fill(f) : NULL;
    if (f->is_caught_up) {
        if (fstat(f->fd, &about)) return io_error(f, "looking at");
        if (about.st_size <= f->read_bytes) return check_same(f, &about);
        f->is_caught_up = false;
    }
    while (!e && !f->is_caught_up && f->to - f->from < BUFFER_BYTES / 2) e = fill(f);
    return e;
}

static void source_close(void *source) {
    file_source *f = source;
    if (f->fd >= 0 && !f->is_stdin) close(f->fd);
    mem_free(f->path);
    mem_free(f->data);
    mem_free(f);
}

static err *open_path(file_source *f) {
    f->is_stdin = !strcmp(f->path, "-");
    f->fd = f->is_stdin ? STDIN_FILENO : open(f->path, O_RDONLY | O_CLOEXEC);
    struct stat about;
    if (f->fd < 0 || fstat(f->fd, &about)) return open_error(f);
    errno = EISDIR;
    if (S_ISDIR(about.st_mode)) return open_error(f);
    f->is_regular = S_ISREG(about.st_mode);
    err *e = NULL;
    /* the end of a small file is known before the first batch is planned */
    while (f->is_regular && !f->is_at_eof && !f->is_caught_up && f->to < BUFFER_BYTES / 2 && !e)
        e = fill(f);
    return e;
}

static err *source_open(const sl_source *plan, const sl_system *system, void **source) {
    file_source *f = mem_zalloc(1, sizeof *f);
    f->system = system;
    f->path = option_copy(plan->options, "path", "-");
    f->is_followed = option_flag(plan->options, "follow", false);
    f->fd = -1;
    f->partition = (sl_partition){ .topic = f->path, .end = INT64_MAX, .confirmed_ms = INT64_MIN };
    err *e = open_path(f);
    if (e) {
        source_close(f);
        return e;
    }
    *source = f;
    return NULL;
}

static err *source_look(void *source, const sl_partition **partitions, uint32_t *count) {
    file_source *f = source;
    err *e = read_growth(f);
    if (e) return e;
    f->partition.confirmed_ms = clock_steady_ms(f->system->clock);
    *partitions = &f->partition;
    *count = 1;
    return NULL;
}

static err *source_confirm(void *source, int64_t timeout_ms) {
    (void)source, (void)timeout_ms;
    return NULL;
}

static bool has_line(file_source *f) {
    size_t len = f->to - f->from;
    if (f->is_at_eof) return len > 0;
    return len > f->searched && memchr(f->data + f->from + f->searched, '\n', len - f->searched);
}

/* Wait until a followed file holds another line. */
static err *wait_growth(file_source *f, int64_t timeout_ms) {
    for (int64_t left = timeout_ms;; left -= FOLLOW_MS) {
        err *e = read_growth(f);
        if (e || !f->is_caught_up || has_line(f) || left <= 0) return e;
        if (*f->system->stop)
            return err_new(ERR_STOPPED, "stopped while waiting for `%s`", f->path);
        poll(NULL, 0, left < FOLLOW_MS ? (int)left : FOLLOW_MS);
    }
}

static err *source_wait(void *source, int64_t timeout_ms) {
    file_source *f = source;
    bool is_readable;
    if (has_line(f)) return NULL;
    if (f->is_caught_up) return wait_growth(f, timeout_ms);
    if (!f->is_at_eof) {
        err *e = wait_readable(f, timeout_ms, &is_readable);
        return e || !is_readable ? e : fill(f);
    }
    for (int64_t left = timeout_ms; left > 0; left -= SLICE_MS) { /* nothing will come any more */
        if (*f->system->stop)
            return err_new(ERR_STOPPED, "stopped while waiting for `%s`", f->path);
        poll(NULL, 0, left < SLICE_MS ? (int)left : SLICE_MS);
    }
    return NULL;
}

/* Take the next line out of the buffer, without its end; false: no whole line is there. */
static bool take_line(file_source *f, sl_string *line) {
    char *start = f->data + f->from;
    size_t len = f->to - f->from;
    char *newline = len > f->searched ? memchr(start + f->searched, '\n', len - f->searched) : NULL;
    if (!newline && (!f->is_at_eof || !len)) {
        f->searched = len;
        return false;
    }
    if (newline) len = (size_t)(newline - start);
    f->from += len + (newline ? 1 : 0);
    f->searched = 0;
    f->partition.position++;
    if (len && start[len - 1] == '\r') len--;
    *line = (sl_string){ .data = start, .len = (uint32_t)len };
    return true;
}

static bool is_blank(sl_string line) {
    for (uint32_t i = 0; i < line.len; i++) {
        if (line.data[i] != ' ' && line.data[i] != '\t') return false;
    }
    return true;
}

static void put_record(sl_records *records, int64_t offset, sl_string line, arena *bytes) {
    if (records->count == records->room) {
        records->room = records->room ? records->room * 2 : 1024;
        records->items = mem_realloc(records->items, records->room * sizeof *records->items);
    }
    line.data = arena_copy(bytes, line.data, line.len);
    records->items[records->count++] = (sl_record){
        .offset = offset,
        .time_ms = -1,
        .value = line,
    };
}

/* Bring more bytes, for a fetch that has taken `taken` bytes. `is_over`: none came in time. */
static err *fill_in_time(file_source *f, int64_t taken, int64_t until_ms, bool *is_over) {
    int64_t left = until_ms - clock_steady_ms(f->system->clock);
    if (taken && left > LINGER_MS) left = LINGER_MS;
    bool is_readable;
    err *e = wait_readable(f, left > 0 ? left : 0, &is_readable);
    if (e && taken && e->code == ERR_STOPPED) { /* what came is given first */
        err_free(e);
        e = NULL;
    }
    *is_over = e || !is_readable;
    return *is_over ? e : fill(f);
}

/* Go to line `position`, by reading over what lies before. */
static err *seek_line(file_source *f, int64_t position, int64_t until_ms) {
    if (position < f->partition.position) {
        if (f->is_stdin || !f->is_regular || lseek(f->fd, 0, SEEK_SET) < 0) {
            return err_new(ERR_IO, "going back to line %lld of `%s`, which can be read once only",
                           (long long)position + 1, f->path);
        }
        f->from = f->to = f->searched = 0;
        f->is_at_eof = f->is_caught_up = false;
        f->read_bytes = 0;
        f->partition.position = 0;
    }
    sl_string line;
    bool is_over = false;
    while (f->partition.position < position && !is_over) {
        if (take_line(f, &line)) continue;
        if (f->is_at_eof || f->is_caught_up) return NULL;
        err *e = fill_in_time(f, 0, until_ms, &is_over);
        if (e) return e;
    }
    return NULL;
}

static err *fetch_range(file_source *f, sl_range *range, int64_t max_bytes, int64_t until_ms,
                        sl_records *records, arena *bytes) {
    int64_t taken = 0;
    bool is_over = false;
    sl_string line;
    err *e = seek_line(f, range->from, until_ms);
    if (e) return e;
    if (f->partition.position != range->from) is_over = true;
    while (!is_over && f->partition.position < range->to && taken < max_bytes) {
        if (take_line(f, &line)) {
            if (is_blank(line)) continue;
            put_record(records, f->partition.position - 1, line, bytes);
            taken += line.len + (int64_t)sizeof(sl_record);
        } else {
            if (f->is_at_eof || f->is_caught_up) break;
            e = fill_in_time(f, taken, until_ms, &is_over);
            if (e) return e;
        }
    }
    if (range->to > f->partition.position) range->to = f->partition.position;
    if (range->to < range->from) range->to = range->from;
    return NULL;
}

static err *source_fetch(void *source, sl_range *ranges, uint32_t count, int64_t max_bytes,
                         int64_t timeout_ms, sl_records *records, arena *bytes) {
    file_source *f = source;
    int64_t now_ms = clock_steady_ms(f->system->clock);
    int64_t until_ms = timeout_ms < INT64_MAX - now_ms ? now_ms + timeout_ms : INT64_MAX;
    for (uint32_t i = 0; i < count; i++) {
        err *e = fetch_range(f, &ranges[i], max_bytes, until_ms, records, bytes);
        if (e) return e;
    }
    /* so that the end is known before the next batch is planned */
    bool is_known = f->is_at_eof || f->is_caught_up || has_line(f);
    return !f->is_regular || is_known ? NULL : fill(f);
}

const sl_source_ops file_source_ops = {
    .name = "file",
    .open = source_open,
    .look = source_look,
    .confirm = source_confirm,
    .wait = source_wait,
    .fetch = source_fetch,
    .close = source_close,
};
