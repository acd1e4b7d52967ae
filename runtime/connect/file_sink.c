#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/crash.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/connect/envelope.h"
#include "runtime/connect/file.h"
#include "runtime/connect/options.h"

/* DESIGN: nothing reaches a file before flush, so a batch that failed half-way leaves no rows
 * behind, and begin can simply start again. The price is the batch's text in memory.
 *
 * A batch whose commit failed, or that a killed process had flushed and not committed, comes again,
 * and must leave no trace. A file a batch: it has the batch's number, so that the new one takes its
 * place. A growing file: it is cut back to where it was; before the first batch of a process that
 * place comes from the checkpoint (`position`), which holds the length behind the last batch that
 * counts. What was written beside it is never synced or cut: only the tail that no commit knows.
 *
 * A process that stands still is no danger to Kafka, where its successor shuts it out; a file takes
 * what it writes when it wakes. So whoever keeps a place holds a lock on the file or the folder
 * from open to close, and only then asks whether that place is still the last one (flow: claim,
 * then resume). */

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
    bool is_kept;   /* a checkpoint holds its position */
    bool is_plain;  /* FILE_APPEND: a regular file, which can be cut */
    bool is_whole;  /* FILE_APPEND: no half line stands at its end */
    bool has_begun; /* `batch` runs or ran */
    bool has_place; /* told by a checkpoint where it was */
    bool is_new;    /* and it will be, by the commit of the batch that runs */
    uint64_t batch; /* number of the batch that runs */
    uint64_t next;  /* number of the batch behind the last one that was flushed */
    uint64_t first; /* FILE_BATCHES: number of the file of batch 0, behind what is there */
    int64_t base;   /* FILE_APPEND: length before the batch that runs */
    int64_t length; /* FILE_APPEND: behind what is flushed */
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

/* Whether a name is that of a batch's file: its number. */
static bool is_batch(const char *name, uint64_t *number) {
    unsigned long long found;
    int end = 0;
    if (sscanf(name, "batch-%12llu.jsonl%n", &found, &end) != 1 || !end || name[end]) return false;
    *number = found;
    return true;
}

/* A run without a checkpoint, and the first one with it, count their batches from 0: their files
 * follow those that are there. */
static err *find_first(file_sink *f) {
    DIR *folder = opendir(f->path);
    if (!folder) return io_error("listing", f->path);
    uint64_t number;
    for (const struct dirent *one; (one = readdir(folder));)
        if (is_batch(one->d_name, &number) && number >= f->first) f->first = number + 1;
    closedir(folder);
    return NULL;
}

/* Files of batches that nothing is committed of: all behind number `last`, which is the next one
 * and will be replaced. */
static err *remove_behind(const file_sink *f, uint64_t last) {
    DIR *folder = opendir(f->path);
    if (!folder) return io_error("listing", f->path);
    err *e = NULL;
    uint64_t number;
    for (const struct dirent *one; !e && (one = readdir(folder));) {
        bool is_hidden = one->d_name[0] == '.' && !strncmp(one->d_name, ".batch-", 7);
        if (!is_hidden && !(is_batch(one->d_name, &number) && number > last)) continue;
        if (unlinkat(f->fd, one->d_name, 0) && errno != ENOENT)
            e = io_error("removing what was not committed in", f->path);
    }
    closedir(folder);
    return e;
}

/* The folder that a path stands in; owned by the caller. */
static char *folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? mem_copy_text(path, (size_t)(slash - path) + 1) : mem_copy_text(".", 1);
}

/* What was made is there after a power cut, too, once its folder is synced. */
static err *sync_folder(const file_sink *f) {
    char *folder = folder_of(f->path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    err *e = fd < 0 || fsync(fd) ? io_error("syncing the folder of", f->path) : NULL;
    if (fd >= 0) close(fd);
    mem_free(folder);
    return e;
}

/* Keep others out until it is closed. */
static err *lock(const file_sink *f) {
    if (!f->is_kept || !flock(f->fd, LOCK_EX | LOCK_NB)) return NULL;
    if (errno != EWOULDBLOCK) return io_error("locking", f->path);
    return err_new(ERR_FENCED, "file sink `%s`: another process writes to it (`fuser -v %s` tells "
                               "which): stop one of the two, or give one another path",
                   f->path, f->path);
}

static err *open_directory(file_sink *f) {
    bool is_new = !mkdir(f->path, 0777);
    if (!is_new && errno != EEXIST) return io_error("making the directory of", f->path);
    err *e = is_new ? sync_folder(f) : NULL;
    if (e) return e;
    f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->fd >= 0) {
        e = lock(f);
        return e ? e : find_first(f);
    }
    if (errno != ENOTDIR) return io_error("opening", f->path);
    return err_new(ERR_IO, "file sink `%s`: is a file, wanted a directory for one file a batch "
                           "(or append = true)",
                   f->path);
}

/* Whether a file can be made there. */
static err *check_folder(const file_sink *f) {
    char *folder = folder_of(f->path);
    err *e = access(folder, W_OK | X_OK) ? io_error("making", f->path) : NULL;
    mem_free(folder);
    return e;
}

/* A file that is not there is made by its first row: a start that fails, and a quarantine that
 * stays empty, leave nothing behind. */
static err *open_appended(file_sink *f, int flags) {
    struct stat about;
    f->fd = open(f->path, O_RDWR | O_APPEND | O_CLOEXEC | flags, 0666);
    if (f->fd < 0 && errno == ENOENT && !flags) return check_folder(f);
    if (f->fd < 0 && errno == EEXIST)
        return err_new(ERR_FENCED, "file sink `%s`: another process has made it since this one "
                                   "began: stop one of the two",
                       f->path);
    if (f->fd < 0) return io_error("opening", f->path);
    if (fstat(f->fd, &about)) return io_error("looking at", f->path);
    f->is_plain = S_ISREG(about.st_mode);
    err *e = f->is_plain ? lock(f) : NULL;
    if (e) return e;
    /* again, locked: it may have grown until then */
    if (fstat(f->fd, &about)) return io_error("looking at", f->path);
    f->base = f->length = f->is_plain ? about.st_size : 0;
    return flags & O_CREAT ? sync_folder(f) : NULL;
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
    f->is_kept = plan->kind == SL_SINK_BY_BATCH;
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

static err *write_whole(int fd, const buf *out, const char *path) {
    size_t at = 0;
    while (at < out->len) {
        ssize_t put = write(fd, out->data + at, out->len - at);
        if (put < 0 && errno != EINTR) return io_error("writing", path);
        if (put > 0) at += (size_t)put;
    }
    return fsync(fd) && errno != EINVAL ? io_error("syncing", path) : NULL; /* EINVAL: a device */
}

/* Cut off what nobody committed. */
static err *cut(file_sink *f, int64_t length) {
    if (ftruncate(f->fd, length) || fsync(f->fd)) return io_error("cutting back", f->path);
    f->base = f->length = length;
    f->is_whole = false;
    return NULL;
}

/* A sink that is new in a pipeline with a checkpoint has no place there before its first commit.
 * Until then a file beside the growing one, or the folder, says where it began. */

static char *mark_of(const file_sink *f) {
    char *folder = folder_of(f->path);
    const char *slash = strrchr(f->path, '/');
    buf path;
    buf_init(&path);
    buf_printf(&path, "%s/.%s.begin", folder, slash ? slash + 1 : f->path);
    char *text = mem_copy_text(path.data, path.len);
    buf_done(&path);
    mem_free(folder);
    return text;
}

static void remove_mark(const file_sink *f) {
    char *path = mark_of(f);
    unlink(path); /* one that stays is looked at by a new sink only */
    mem_free(path);
}

static err *write_mark(const file_sink *f) {
    char *path = mark_of(f), text[24];
    snprintf(text, sizeof text, "%" PRId64 "\n",
             f->kind == FILE_APPEND ? f->base : (int64_t)f->first);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    buf line = { .data = text, .len = strlen(text) };
    err *e = fd < 0 ? io_error("making", path) : write_whole(fd, &line, path);
    if (fd >= 0) close(fd);
    mem_free(path);
    return e ? e : sync_folder(f);
}

/* Where an earlier process began, that did not get as far as a commit. */
static bool read_mark(const file_sink *f, int64_t *began) {
    char *path = mark_of(f);
    FILE *file = fopen(path, "re");
    bool has_mark = file && fscanf(file, "%" SCNd64, began) == 1;
    if (file) fclose(file);
    mem_free(path);
    return has_mark;
}

/* What an earlier process wrote in the first batch goes, or is replaced. */
static err *begin_new(file_sink *f) {
    int64_t began;
    if (f->kind == FILE_STDOUT || (f->kind == FILE_APPEND && f->fd >= 0 && !f->is_plain))
        return NULL;
    f->is_new = true;
    if (!read_mark(f, &began)) return NULL;
    if (f->kind == FILE_BATCHES) f->first = (uint64_t)began;
    return f->kind == FILE_APPEND && f->fd >= 0 && began < f->length ? cut(f, began) : NULL;
}

static err *sink_begin(void *sink, uint64_t batch, int64_t now_ms) {
    (void)now_ms;
    file_sink *f = sink;
    bool is_again = f->has_begun && f->batch == batch, is_first = !f->has_begun;
    if (f->is_new && !is_again) {
        remove_mark(f);
        f->is_new = false;
    }
    if (is_first && batch && f->is_kept && !f->has_place) {
        err *e = begin_new(f);
        if (e) return e;
    }
    f->has_begun = true;
    f->batch = batch;
    buf_reset(&f->out);
    if (f->out.room > KEPT_BYTES) buf_done(&f->out);
    if (is_again && f->is_plain && f->length > f->base) return cut(f, f->base);
    f->base = f->length;
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
    struct stat about;
    bool waits = fstat(f->fd, &about) || !S_ISREG(about.st_mode); /* a file takes all at once */
    while (at < end) {
        err *e = waits ? wait_writable(f) : NULL;
        if (e) return e;
        size_t len = (size_t)(end - at);
        if (waits && len > PIPE_CHUNK) len = PIPE_CHUNK;
        ssize_t put = write(f->fd, at, len);
        if (put < 0 && errno == EPIPE) {
            return err_new(ERR_IO, "writing to stdout: the reader of the pipe has gone");
        }
        if (put < 0 && errno != EINTR && errno != EAGAIN) return io_error("writing", "-");
        if (put > 0) at += put;
    }
    return NULL;
}

/* Add the batch, or nothing: a full disk must not leave half a line for the next batch to
 * follow. */
static err *write_appended(file_sink *f) {
    struct stat before;
    err *e = f->fd < 0 ? open_appended(f, f->is_kept ? O_CREAT | O_EXCL : O_CREAT) : NULL;
    if (!e && f->is_new) e = write_mark(f);
    if (!e && !f->is_whole) e = end_half_line(f);
    if (e) return e;
    if (fstat(f->fd, &before)) return io_error("looking at", f->path);
    e = write_whole(f->fd, &f->out, f->path);
    if (e && f->is_plain && ftruncate(f->fd, before.st_size)) {
        e = err_wrap(e, "half a batch stays behind");
    }
    if (!e && f->is_plain) f->length = before.st_size + (int64_t)f->out.len;
    crash_point("file_appended");
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
    if (!f->out.len) { /* one that was not committed may have had rows */
        if (!f->is_kept || !unlinkat(f->fd, name, 0) || errno == ENOENT) return NULL;
        return io_error("removing what was not committed in", f->path);
    }
    err *e = f->is_new ? write_mark(f) : NULL;
    if (!e) e = write_file(f, hidden);
    if (e) return e;
    crash_point("file_hidden");
    if (renameat(f->fd, hidden, f->fd, name)) return io_error("publishing a batch in", f->path);
    crash_point("file_renamed");
    return fsync(f->fd) ? io_error("syncing the directory of", f->path) : NULL;
}

static err *sink_flush(void *sink, const sl_rejection **rejections, uint32_t *count) {
    file_sink *f = sink;
    *rejections = NULL;
    *count = 0;
    f->next = f->batch + 1;
    if (!f->out.len && f->kind != FILE_BATCHES) return NULL;
    err *e = NULL;
    switch (f->kind) {
    case FILE_STDOUT: e = write_stdout(f); break;
    case FILE_APPEND: e = write_appended(f); break;
    case FILE_BATCHES: e = publish(f); break;
    }
    if (!e) buf_reset(&f->out);
    return e;
}

/* -- what a checkpoint holds: two numbers of 64 bits, lowest byte first
 *
 *   FILE_BATCHES   number of the file of batch 0; number of the next batch
 *   FILE_APPEND    length; 0 */

static void put_number(buf *out, uint64_t number) {
    for (int i = 0; i < 8; i++) buf_put_char(out, (char)(number >> 8 * i));
}

static uint64_t get_number(const char *at) {
    uint64_t number = 0;
    for (int i = 7; i >= 0; i--) number = number << 8 | (unsigned char)at[i];
    return number;
}

static err *sink_position(void *sink, buf *out) {
    const file_sink *f = sink;
    if (!f->is_kept || (f->fd >= 0 && f->kind == FILE_APPEND && !f->is_plain)) return NULL;
    put_number(out, f->kind == FILE_APPEND ? (uint64_t)f->length : f->first);
    put_number(out, f->kind == FILE_APPEND ? 0 : f->next);
    return NULL;
}

/* A file that is gone was moved away by whoever reads it; one that is shorter has lost rows. */
static err *resume_appended(file_sink *f, int64_t length) {
    if (f->fd < 0 || (f->is_plain && !f->length)) {
        if (length)
            log_warn(f->system->log, "the file of a sink is gone: a new one begins",
                     log_text("path", f->path), log_number("committed_bytes", length));
        return NULL;
    }
    if (!f->is_plain) return NULL;
    if (f->length < length)
        return err_new(ERR_REFUSED,
                       "file sink `%s` holds %" PRId64 " bytes, and %" PRId64 " were committed: "
                       "somebody cut it. Bring back what is missing, or move the file away: a new "
                       "one begins then",
                       f->path, f->length, length);
    return f->length > length ? cut(f, length) : NULL;
}

static err *sink_resume(void *sink, const char *position, size_t len) {
    file_sink *f = sink;
    if (!f->is_kept || len != 2 * sizeof(uint64_t)) return NULL;
    f->has_place = true;
    uint64_t first = get_number(position), next = get_number(position + sizeof(uint64_t));
    remove_mark(f);
    if (f->kind == FILE_APPEND) return resume_appended(f, (int64_t)first);
    f->first = first;
    f->next = next;
    return remove_behind(f, first + next);
}

const sl_sink_ops file_sink_ops = {
    .name = "file",
    .open = sink_open,
    .begin = sink_begin,
    .write = sink_write,
    .flush = sink_flush,
    .position = sink_position,
    .resume = sink_resume,
    .close = sink_close,
};
