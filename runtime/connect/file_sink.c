#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/connect/envelope.h"
#include "runtime/connect/file.h"
#include "runtime/connect/options.h"

/* DESIGN: nothing reaches a file before flush, so a batch that failed half-way leaves no rows
 * behind, and begin can simply start again. The price is the batch's text in memory. */

enum {
    SLICE_MS = 50,         /* how often a wait looks whether it should stop */
    PIPE_CHUNK = 4096,     /* what a pipe that polls writable takes without waiting (PIPE_BUF) */
    KEPT_BYTES = 64 << 20, /* text of a batch whose memory is kept for the next */
};

typedef enum file_kind { FILE_STDOUT,
                         FILE_APPEND,
                         FILE_BATCHES } file_kind;

typedef struct file_sink {
    const sl_system *system; /* borrowed until close */
    const sl_sink *plan;     /* borrowed until close */
    char *path;              /* owned; file, directory or "-" */
    file_kind kind;
    int fd;         /* owned, but for stdout. FILE_APPEND: the file, -1: not made yet;
                       FILE_BATCHES: the directory */
    bool is_whole;  /* FILE_APPEND: no half line stands at its end */
    uint64_t batch; /* number of the batch that runs */
    uint64_t first; /* FILE_BATCHES: number of the file of batch 0, behind what is there */
    buf out;        /* its lines */
} file_sink;

static err *io_error(const char *what, const char *path) {
    int number = errno;
    return err_new(ERR_IO, "%s file sink `%s`: %s", what, path, strerror(number));
}

static void sink_close(void *sink) {
    file_sink *f = sink;
    if (f->fd >= 0 && f->kind != FILE_STDOUT) close(f->fd);
    buf_done(&f->out);
    mem_free(f->path);
    mem_free(f);
}

/* A restart counts its batches from 0 again: its files follow those that are there. */
static err *find_first(file_sink *f) {
    DIR *folder = opendir(f->path);
    if (!folder) return io_error("listing", f->path);
    for (const struct dirent *one; (one = readdir(folder));) {
        unsigned long long number;
        int end = 0;
        if (sscanf(one->d_name, "batch-%12llu.jsonl%n", &number, &end) != 1 || !end) continue;
        if (!one->d_name[end] && number >= f->first) f->first = number + 1;
    }
    closedir(folder);
    return NULL;
}

static err *open_directory(file_sink *f) {
    if (mkdir(f->path, 0777) && errno != EEXIST) return io_error("making the directory of",
                                                                 f->path);
    f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->fd >= 0) return find_first(f);
    if (errno != ENOTDIR) return io_error("opening", f->path);
    return err_new(ERR_IO, "file sink `%s`: is a file, wanted a directory for one file a batch "
                           "(or append = true)",
                   f->path);
}

/* Whether a file can be made there. */
static err *check_folder(const file_sink *f) {
    const char *slash = strrchr(f->path, '/');
    char *folder = slash ? mem_copy_text(f->path, (size_t)(slash - f->path) + 1)
                         : mem_copy_text(".", 1);
    err *e = access(folder, W_OK | X_OK) ? io_error("making", f->path) : NULL;
    mem_free(folder);
    return e;
}

/* A file that is not there is made by its first row: a start that fails, and a quarantine that
 * stays empty, leave nothing behind. */
static err *open_appended(file_sink *f, int flags) {
    f->fd = open(f->path, O_RDWR | O_APPEND | O_CLOEXEC | flags, 0666);
    if (f->fd < 0 && errno == ENOENT && !flags) return check_folder(f);
    return f->fd < 0 ? io_error("opening", f->path) : NULL;
}

/* A process that was killed may have left half a line: the next one must not grow out of it. */
static err *end_half_line(file_sink *f) {
    struct stat about;
    char last = '\n';
    if (fstat(f->fd, &about)) return io_error("looking at", f->path);
    if (about.st_size > 0 && pread(f->fd, &last, 1, about.st_size - 1) < 0) {
        return io_error("reading the end of", f->path);
    }
    if (last != '\n' && write(f->fd, "\n", 1) < 0) return io_error("writing", f->path);
    f->is_whole = true;
    return NULL;
}

static err *open_path(file_sink *f) {
    switch (f->kind) {
    case FILE_STDOUT: f->fd = STDOUT_FILENO; return NULL;
    case FILE_BATCHES: return open_directory(f);
    case FILE_APPEND: return open_appended(f, 0);
    }
    return NULL;
}

static err *sink_open(const sl_sink *plan, const sl_system *system, void **sink) {
    file_sink *f = mem_zalloc(1, sizeof *f);
    f->system = system;
    f->plan = plan;
    f->path = option_copy(plan->options, "path", "-");
    f->kind = option_flag(plan->options, "append", false) ? FILE_APPEND : FILE_BATCHES;
    if (!strcmp(f->path, "-")) f->kind = FILE_STDOUT;
    f->fd = -1;
    buf_init(&f->out);
    err *e = open_path(f);
    if (e) {
        sink_close(f);
        return e;
    }
    *sink = f;
    return NULL;
}

static err *sink_begin(void *sink, uint64_t batch, int64_t now_ms) {
    (void)now_ms;
    file_sink *f = sink;
    f->batch = batch;
    buf_reset(&f->out);
    if (f->out.room > KEPT_BYTES) buf_done(&f->out);
    return NULL;
}

static void put_plain(buf *out, const sl_message *m) {
    if (m->value.data)
        buf_put(out, m->value.data, m->value.len);
    else
        buf_put_text(out, "null");
    buf_put_char(out, '\n');
}

static err *sink_write(void *sink, const sl_message *messages, uint32_t count) {
    file_sink *f = sink;
    void (*put)(buf *, const sl_message *) = put_plain;
    if (f->plan->enveloped) put = envelope_put_row;
    if (f->plan->is_side) put = envelope_put_side;
    for (uint32_t i = 0; i < count; i++) put(&f->out, &messages[i]);
    return NULL;
}

/* Wait until stdout takes more, or the process is to stop. */
static err *wait_writable(const file_sink *f) {
    struct pollfd p = { .fd = f->fd, .events = POLLOUT };
    for (;;) {
        int ready = poll(&p, 1, SLICE_MS);
        if (ready > 0) return NULL;
        if (ready < 0 && errno != EINTR) return io_error("waiting for", f->path);
        if (*f->system->stop) return err_new(ERR_STOPPED, "stopped while writing to stdout");
    }
}

static err *write_stdout(file_sink *f) {
    const char *at = f->out.data, *end = at + f->out.len;
    while (at < end) {
        err *e = wait_writable(f);
        if (e) return e;
        size_t len = (size_t)(end - at) < PIPE_CHUNK ? (size_t)(end - at) : PIPE_CHUNK;
        ssize_t put = write(f->fd, at, len);
        if (put < 0 && errno == EPIPE) {
            return err_new(ERR_IO, "writing to stdout: the reader of the pipe has gone");
        }
        if (put < 0 && errno != EINTR && errno != EAGAIN) return io_error("writing", "-");
        if (put > 0) at += put;
    }
    return NULL;
}

static err *write_whole(int fd, const buf *out, const char *path) {
    size_t at = 0;
    while (at < out->len) {
        ssize_t put = write(fd, out->data + at, out->len - at);
        if (put < 0 && errno != EINTR) return io_error("writing", path);
        if (put > 0) at += (size_t)put;
    }
    return fsync(fd) && errno != EINVAL ? io_error("syncing", path) : NULL; /* EINVAL: a device */
}

/* Add the batch, or nothing: a full disk must not leave half a line for the next batch to
 * follow. */
static err *write_appended(file_sink *f) {
    struct stat before;
    err *e = f->fd < 0 ? open_appended(f, O_CREAT) : NULL;
    if (!e && !f->is_whole) e = end_half_line(f);
    if (e) return e;
    if (fstat(f->fd, &before)) return io_error("looking at", f->path);
    e = write_whole(f->fd, &f->out, f->path);
    if (e && S_ISREG(before.st_mode) && ftruncate(f->fd, before.st_size)) {
        e = err_wrap(e, "half a batch stays behind");
    }
    return e;
}

static err *write_file(file_sink *f, const char *name) {
    int fd = openat(f->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) return io_error("making a file in", f->path);
    err *e = write_whole(fd, &f->out, f->path);
    if (close(fd) && !e) e = io_error("closing a file in", f->path);
    return e;
}

static err *publish(file_sink *f) {
    char name[48], hidden[56];
    snprintf(name, sizeof name, "batch-%012llu.jsonl", (unsigned long long)(f->first + f->batch));
    snprintf(hidden, sizeof hidden, ".%s.tmp", name);
    err *e = write_file(f, hidden);
    if (e) return e;
    if (renameat(f->fd, hidden, f->fd, name)) return io_error("publishing a batch in", f->path);
    return fsync(f->fd) ? io_error("syncing the directory of", f->path) : NULL;
}

static err *sink_flush(void *sink, const sl_rejection **rejections, uint32_t *count) {
    file_sink *f = sink;
    *rejections = NULL;
    *count = 0;
    if (!f->out.len) return NULL;
    err *e = NULL;
    switch (f->kind) {
    case FILE_STDOUT: e = write_stdout(f); break;
    case FILE_APPEND: e = write_appended(f); break;
    case FILE_BATCHES: e = publish(f); break;
    }
    if (!e) buf_reset(&f->out);
    return e;
}

const sl_sink_ops file_sink_ops = {
    .name = "file",
    .open = sink_open,
    .begin = sink_begin,
    .write = sink_write,
    .flush = sink_flush,
    .close = sink_close,
};
