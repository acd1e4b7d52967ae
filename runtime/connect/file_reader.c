#include "runtime/connect/file_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/clock.h"
#include "runtime/base/mem.h"

/* DESIGN: read() into one buffer, memchr for newlines, and one copy of each line into the batch's
 * arena. mmap was rejected: it saves that copy for files only, and a file cut short under it kills
 * the process. */

enum {
    BUFFER_BYTES = 1 << 20,
    PACKED_BYTES = 64 << 10,
    LINE_BYTES_MAX = 1 << 30,
    SLICE_MS = 50,  /* how often a wait looks whether it should stop */
    LINGER_MS = 50, /* stdin: how long what came waits for more */
};

static err *io_error(const file_reader *f, const char *what) {
    int number = errno;
    return err_new(ERR_IO, "%s file source `%s`: %s", what, f->path, strerror(number));
}

/* The error of an open, which names where the file was looked for. */
static err *open_error(const file_reader *f) {
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
static err *wait_readable(const file_reader *f, int64_t timeout_ms, bool *is_readable) {
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
static int64_t lines_left(const file_reader *f) {
    int64_t count = 0;
    const char *at = f->data + f->from, *end = f->data + f->to;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (!newline && f->is_followed && !f->is_at_eof) break;
        at = newline ? newline + 1 : end;
        count++;
    }
    return count;
}

static err *make_room(file_reader *f) {
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

/* Read once; `*got` 0 at the end, `*again`: nothing was there just now. */
static err *read_plain(file_reader *f, char *to, size_t room, size_t *got, bool *again) {
    ssize_t count = read(f->fd, to, room);
    *got = count > 0 ? (size_t)count : 0;
    *again = count < 0 && (errno == EINTR || errno == EAGAIN);
    if (count < 0 && !*again) return io_error(f, "reading");
    f->read_bytes += (int64_t)*got;
    return NULL;
}

/* Where in the file the byte behind those unpacked lies. */
static long long packed_place(const file_reader *f) {
    return (long long)f->read_bytes - (long long)(f->packed_to - f->packed_from);
}

/* The file's end was seen: not in the middle of what was packed, unless more may come. */
static err *check_whole(const file_reader *f) {
    if (unpacker_is_whole(f->unpack) || (f->is_followed && !f->is_at_eof)) return NULL;
    return err_new(ERR_DATA,
                   "`%s` ends at byte %lld in the middle of its %s data, behind line %lld: was it "
                   "copied in part, or is it still being written?",
                   f->path, packed_place(f), unpacker_name(f->unpack),
                   (long long)(f->partition.position + lines_left(f)));
}

/* The same, unpacked: reads until something came of it, or the end. */
static err *read_packed(file_reader *f, char *to, size_t room, size_t *got, bool *again) {
    *got = 0;
    if (!f->packed) f->packed = mem_alloc(PACKED_BYTES);
    for (;;) {
        if (f->packed_from == f->packed_to) {
            size_t raw;
            err *e = read_plain(f, f->packed, PACKED_BYTES, &raw, again);
            if (e || *again) return e;
            if (!raw) return check_whole(f);
            f->packed_from = 0;
            f->packed_to = raw;
        }
        size_t used = 0;
        err *e = unpacker_run(f->unpack, f->packed + f->packed_from, f->packed_to - f->packed_from,
                              &used, to, room, got);
        f->packed_from += used;
        if (e)
            return err_wrap(e, "`%s`: its %s data is damaged near byte %lld, behind line %lld",
                            f->path, unpacker_name(f->unpack), packed_place(f),
                            (long long)(f->partition.position + lines_left(f)));
        if (*got) return NULL;
    }
}

/* Read once; the caller knows that this does not wait. */
static err *fill(file_reader *f) {
    size_t got;
    bool again = false;
    err *e = make_room(f);
    if (!e)
        e = (f->unpack ? read_packed : read_plain)(f, f->data + f->to, f->room - f->to, &got,
                                                   &again);
    if (e || again) return e;
    f->to += got;
    if (got > 0) {
        f->is_caught_up = false;
        f->partition.end = INT64_MAX;
        return NULL;
    }
    /* what was packed and is whole will not grow: writers add members, and then a name */
    bool goes_on = f->is_followed && !(f->unpack && f->read_bytes && unpacker_is_whole(f->unpack));
    f->is_caught_up = goes_on;
    f->is_at_eof = !goes_on;
    f->partition.end = f->partition.position + lines_left(f);
    f->partition.ended = f->is_at_eof;
    return NULL;
}

err *file_reader_grow(file_reader *f) {
    struct stat about;
    struct pollfd p = { .fd = f->fd, .events = POLLIN };
    err *e = NULL;
    if (f->fd < 0 || !f->is_followed || f->is_at_eof) return NULL;
    if (!f->is_regular && !f->is_caught_up) return NULL;
    if (!f->is_regular) return poll(&p, 1, 0) > 0 && (p.revents & POLLIN) ? fill(f) : NULL;
    if (f->is_caught_up) {
        if (fstat(f->fd, &about)) return io_error(f, "looking at");
        if (about.st_size <= f->read_bytes) return NULL;
        f->is_caught_up = false;
    }
    while (!e && !f->is_caught_up && !f->is_at_eof && f->to - f->from < BUFFER_BYTES / 2)
        e = fill(f);
    return e;
}

file_reader *file_reader_new(const sl_system *system, const char *path, int32_t number,
                             bool is_followed) {
    file_reader *f = mem_zalloc(1, sizeof *f);
    f->system = system;
    f->path = mem_copy_text(path, strlen(path));
    f->is_followed = is_followed;
    f->is_stdin = !strcmp(path, "-");
    f->fd = -1;
    f->unpack = unpacker_for(path);
    f->partition = (sl_partition){ .topic = f->path,
                                   .number = number,
                                   .end = INT64_MAX,
                                   .confirmed_ms = INT64_MIN };
    return f;
}

void file_reader_rest(file_reader *f) {
    if (f->fd >= 0 && !f->is_stdin) close(f->fd);
    f->fd = -1;
    mem_free(f->data);
    mem_free(f->packed);
    f->data = f->packed = NULL;
    f->from = f->to = f->room = f->searched = f->packed_from = f->packed_to = 0;
}

void file_reader_free(file_reader *f) {
    if (!f) return;
    file_reader_rest(f);
    unpacker_free(f->unpack);
    mem_free(f->path);
    mem_free(f);
}

/* At the file's first byte. */
static void begin_anew(file_reader *f) {
    f->from = f->to = f->searched = f->packed_from = f->packed_to = 0;
    f->is_at_eof = f->is_caught_up = false;
    f->read_bytes = 0;
    f->partition.position = 0;
    f->partition.end = INT64_MAX;
    f->partition.ended = 0;
    if (f->unpack) unpacker_reset(f->unpack);
}

static bool take_line(file_reader *f, sl_string *line);

/* Read over what earlier runs have read. */
static err *skip_read(file_reader *f) {
    sl_string line;
    err *e = NULL;
    while (!e && f->partition.position < f->resume_at) {
        if (take_line(f, &line)) continue;
        if (f->is_at_eof || f->is_caught_up) break;
        e = fill(f);
    }
    if (e || f->is_followed || f->partition.position == f->resume_at) return e;
    return err_new(ERR_DATA,
                   "`%s` has %lld lines, and %lld of it were read by an earlier run: it was cut "
                   "short or replaced. Put it back, or give the pipeline another name",
                   f->path, (long long)f->partition.position, (long long)f->resume_at);
}

void file_reader_resume(file_reader *f, int64_t lines) {
    f->resume_at = f->partition.position = lines;
}

err *file_reader_open(file_reader *f) {
    f->fd = f->is_stdin ? STDIN_FILENO : open(f->path, O_RDONLY | O_CLOEXEC);
    struct stat about;
    if (f->fd < 0 || fstat(f->fd, &about)) return open_error(f);
    errno = EISDIR;
    if (S_ISDIR(about.st_mode)) return open_error(f);
    f->is_regular = S_ISREG(about.st_mode);
    f->device = about.st_dev;
    f->inode = about.st_ino;
    begin_anew(f);
    err *e = f->is_regular ? skip_read(f) : NULL;
    /* the end of a small file is known before the first batch is planned */
    while (f->is_regular && !f->is_at_eof && !f->is_caught_up && f->to < BUFFER_BYTES / 2 && !e)
        e = fill(f);
    return e;
}

void file_reader_finish(file_reader *f) {
    f->is_at_eof = true;
    f->is_caught_up = false;
    f->partition.end = f->partition.position + lines_left(f);
    f->partition.ended = 1;
}

bool file_reader_has_line(file_reader *f) {
    size_t len = f->to - f->from;
    if (f->is_at_eof) return len > 0;
    return len > f->searched && memchr(f->data + f->from + f->searched, '\n', len - f->searched);
}

err *file_reader_wait(file_reader *f, int64_t timeout_ms) {
    bool is_readable;
    err *e = wait_readable(f, timeout_ms, &is_readable);
    return e || !is_readable ? e : fill(f);
}

/* Take the next line out of the buffer, without its end; false: no whole line is there. */
static bool take_line(file_reader *f, sl_string *line) {
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

static void put_record(sl_records *records, uint32_t partition, int64_t offset, sl_string line,
                       arena *bytes) {
    if (records->count == records->room) {
        records->room = records->room ? records->room * 2 : 1024;
        records->items = mem_realloc(records->items, records->room * sizeof *records->items);
    }
    line.data = arena_copy(bytes, line.data, line.len);
    records->items[records->count++] = (sl_record){
        .offset = offset,
        .partition = partition,
        .time_ms = -1,
        .value = line,
    };
}

/* Bring more bytes, for a fetch that has taken `taken` bytes. `is_over`: none came in time. */
static err *fill_in_time(file_reader *f, int64_t taken, int64_t until_ms, bool *is_over) {
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
static err *seek_line(file_reader *f, int64_t position, int64_t until_ms) {
    bool is_once = f->is_stdin || f->is_done || (f->fd >= 0 && !f->is_regular);
    if (position < f->partition.position && is_once)
        return err_new(ERR_IO, "going back to line %lld of `%s`, which can be read once only",
                       (long long)position + 1, f->path);
    if (f->fd < 0) {
        err *e = file_reader_open(f);
        if (e) return e;
    }
    if (position < f->partition.position) {
        if (lseek(f->fd, 0, SEEK_SET) < 0) return io_error(f, "going back in");
        begin_anew(f);
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

err *file_reader_fetch(file_reader *f, sl_range *range, int64_t max_bytes, int64_t until_ms,
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
            put_record(records, range->partition, f->partition.position - 1, line, bytes);
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

err *file_reader_settle(file_reader *f) {
    bool is_known =
        f->fd < 0 || f->is_at_eof || f->is_caught_up || file_reader_has_line(f);
    return !f->is_regular || is_known ? NULL : fill(f);
}
