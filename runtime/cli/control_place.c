#include "runtime/cli/control_place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/mem.h"

enum { MOST_FOLDERS = 2,
       SHOWN_OF_LONG = 40, /* bytes of a name that is too long for a file */
       LONGEST_LABEL = 80,
       BACKLOG = 16,
       READ_BYTES = 4096,
       LOCK_TRIES = 50,
       LOCK_REST_MS = 20 };

static const char END[] = ".sock", NOTE_END[] = ".run";

/* Of the user: who comes by cron has no variable, and must be found by who has one. "": none. */
static const char *runtime_folder(char text[32]) {
    const char *given = getenv("XDG_RUNTIME_DIR");
    struct stat is;
    if (given && *given) return given;
    snprintf(text, 32, "/run/user/%u", (unsigned)getuid());
    bool is_ours = !stat(text, &is) && S_ISDIR(is.st_mode) && is.st_uid == getuid();
    return is_ours ? text : "";
}

/* Folders that may be used, in order; each owned by the caller. */
static int list_folders(char *folders[MOST_FOLDERS]) {
    char text[32];
    const char *given = getenv("SLUICE_RUN_DIR"), *runtime = runtime_folder(text);
    buf path;
    int count = 0;
    buf_init(&path);
    if (given && *given) {
        folders[count++] = mem_copy_text(given, strlen(given));
        return count;
    }
    if (*runtime) {
        buf_printf(&path, "%s/sluice", runtime);
        folders[count++] = mem_copy_text(path.data, path.len);
        buf_reset(&path);
    }
    buf_printf(&path, "/tmp/sluice-%u", (unsigned)getuid());
    folders[count++] = mem_copy_text(path.data, path.len);
    buf_done(&path);
    return count;
}

static void free_folders(char *folders[MOST_FOLDERS], int count) {
    for (int i = 0; i < count; i++) mem_free(folders[i]);
}

/* A folder that nobody else can write to: who could, could take a name's place. */
static err *open_folder(const char *path, int *fd) {
    struct stat is;
    *fd = open(path, O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_RDONLY);
    if (*fd < 0) return err_new(ERR_IO, "%s: %s", path, strerror(errno));
    bool is_known = !fstat(*fd, &is) && (is.st_uid == getuid() || is.st_uid == 0);
    if (is_known && !(is.st_mode & (S_IWGRP | S_IWOTH))) return NULL;
    close(*fd);
    *fd = -1;
    return err_new(ERR_IO, "%s: others can write there", path);
}

static uint64_t hash_of(const char *text) {
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    for (; *text; text++) hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    return hash;
}

/* Names are letters, digits, `.`, `_`, `-`, and no `.` in front. */
static void file_of(const char *label, char file[112]) {
    if (strlen(label) <= LONGEST_LABEL)
        snprintf(file, 112, "%s%s", label, END);
    else
        snprintf(file, 112, "%.*s~%016" PRIx64 "%s", SHOWN_OF_LONG, label, hash_of(label), END);
}

static bool is_label(const char *text) {
    return *text && *text != '.' && !strchr(text, '/');
}

/* What bind and connect take, which have room for 107 bytes: a path that is longer goes by way of
 * the open folder. */
static struct sockaddr_un address_of(int folder, const char *path, const char *file) {
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    buf text;
    buf_init(&text);
    buf_printf(&text, "%s/%s", path, file);
    if (text.len >= sizeof address.sun_path) {
        buf_reset(&text);
        buf_printf(&text, "/proc/self/fd/%d/%s", folder, file);
    }
    size_t most = sizeof address.sun_path - 1;
    memcpy(address.sun_path, text.data, text.len < most ? text.len : most);
    buf_done(&text);
    return address;
}

/* Connect; -1: nobody listens. `pid`: of who does. */
static int try_connect(int folder, const char *path, const char *file, pid_t *pid) {
    struct sockaddr_un address = address_of(folder, path, file);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    struct ucred who = { .pid = 0 };
    socklen_t len = sizeof who;
    /* EAGAIN: its queue is full */
    bool is_there = !connect(fd, (struct sockaddr *)&address, sizeof address) || errno == EAGAIN;
    if (is_there) getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len);
    *pid = who.pid;
    if (is_there) return fd;
    close(fd);
    return -1;
}

/* Two that start at once must not both find a dead socket. A process that stands still while it
 * holds the lock is not waited for. */
static void lock_folder(int folder) {
    for (int i = 0; i < LOCK_TRIES && flock(folder, LOCK_EX | LOCK_NB); i++)
        nanosleep(&(struct timespec){ .tv_nsec = LOCK_REST_MS * 1000000 }, NULL);
}

static err *bind_socket(control_place *place, int *listener) {
    struct sockaddr_un address = address_of(place->folder, place->path, place->file);
    struct stat is;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return err_new(ERR_IO, "a socket: %s", strerror(errno));
    bool is_bound = !fchmod(fd, 0600) && !bind(fd, (struct sockaddr *)&address, sizeof address) &&
                    !listen(fd, BACKLOG) && !fstatat(place->folder, place->file, &is, 0);
    if (!is_bound) {
        err *e = err_new(ERR_IO, "%s/%s: %s", place->path, place->file, strerror(errno));
        close(fd);
        return e;
    }
    place->device = is.st_dev;
    place->inode = is.st_ino;
    *listener = fd;
    return NULL;
}

static void set_label(control_place *place, const char *name) {
    buf label;
    buf_init(&label);
    buf_put_text(&label, name);
    if (place->other) buf_printf(&label, "@%d", (int)getpid());
    place->label = mem_copy_text(label.data, label.len);
    buf_done(&label);
    file_of(place->label, place->file);
}

static err *make_in(control_place *place, const char *path, const char *name, int *listener) {
    *place = (control_place){ .folder = -1 };
    if (mkdir(path, 0700) && errno != EEXIST)
        return err_new(ERR_IO, "%s: %s", path, strerror(errno));
    err *e = open_folder(path, &place->folder);
    if (e) return e;
    place->path = mem_copy_text(path, strlen(path));
    lock_folder(place->folder);
    file_of(name, place->file);
    int other = try_connect(place->folder, place->path, place->file, &place->other);
    if (other >= 0) close(other);
    set_label(place, name);
    if (unlinkat(place->folder, place->file, 0) && errno != ENOENT)
        e = err_new(ERR_IO, "%s/%s: %s", path, place->file, strerror(errno));
    if (!e) e = bind_socket(place, listener);
    flock(place->folder, LOCK_UN);
    if (!e) return NULL;
    place->inode = 0;
    control_place_done(place);
    return e;
}

err *control_place_make(control_place *place, const char *name, int *listener) {
    char *folders[MOST_FOLDERS];
    int count = list_folders(folders);
    err *e = NULL;
    for (int i = 0; i < count; i++) {
        err_free(e);
        e = make_in(place, folders[i], name, listener);
        if (!e) break;
    }
    free_folders(folders, count);
    return e;
}

static bool is_ours(const control_place *place) {
    struct stat is;
    return place->inode && !fstatat(place->folder, place->file, &is, 0) &&
           is.st_ino == place->inode && is.st_dev == place->device;
}

static bool is_free(const control_place *place, const char *file) {
    pid_t pid;
    int fd = try_connect(place->folder, place->path, file, &pid);
    if (fd >= 0) close(fd);
    return fd < 0;
}

bool control_place_take_name(control_place *place, const char *name) {
    char file[112];
    if (place->folder < 0 || !place->other) return place->folder >= 0;
    file_of(name, file);
    if (!is_free(place, file)) return false;
    lock_folder(place->folder);
    bool takes = is_free(place, file) && is_ours(place) &&
                 !renameat(place->folder, place->file, place->folder, file);
    flock(place->folder, LOCK_UN);
    if (!takes) return false;
    mem_free(place->label);
    place->other = 0;
    set_label(place, name);
    return true;
}

void control_place_done(control_place *place) {
    if (place->folder >= 0) {
        lock_folder(place->folder);
        if (is_ours(place)) unlinkat(place->folder, place->file, 0);
        close(place->folder);
    }
    mem_free(place->path);
    mem_free(place->label);
    *place = (control_place){ .folder = -1 };
}

/* -- for commands */

static int connect_in(const char *path, const char *file, pid_t *pid) {
    int folder;
    err *e = open_folder(path, &folder);
    if (e) {
        err_free(e);
        return -1;
    }
    int fd = try_connect(folder, path, file, pid);
    close(folder);
    return fd;
}

static err *not_there(const char *label, char *const *folders, int count) {
    buf text, labels;
    buf_init(&text);
    buf_init(&labels);
    control_place_list(&labels);
    for (int i = 0; i < count; i++) buf_printf(&text, "%s%s", i ? ", " : "", folders[i]);
    buf_put_text(&text, labels.len ? "; there are: " : "; nothing runs here");
    for (size_t at = 0; at < labels.len; at += strlen(labels.data + at) + 1)
        buf_printf(&text, "%s%s", at ? ", " : "", labels.data + at);
    err *e = err_new(ERR_IO, "no pipeline called `%s` runs here for this user (looked in %s)",
                     label, buf_text(&text));
    buf_done(&text);
    buf_done(&labels);
    return e;
}

err *control_place_connect(const char *label, int *fd, pid_t *pid) {
    char *folders[MOST_FOLDERS], file[112];
    int count = list_folders(folders);
    *fd = -1;
    file_of(label, file);
    for (int i = 0; i < count && *fd < 0 && is_label(label); i++)
        *fd = connect_in(folders[i], file, pid);
    err *e = *fd < 0 ? not_there(label, folders, count) : NULL;
    if (!e) fcntl(*fd, F_SETFL, fcntl(*fd, F_GETFL) & ~O_NONBLOCK);
    free_folders(folders, count);
    return e;
}

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_socket(const struct dirent *entry) {
    size_t len = strlen(entry->d_name), end = sizeof END - 1;
    return len > end && !strcmp(entry->d_name + len - end, END);
}

void control_place_list(buf *labels) {
    char *folders[MOST_FOLDERS];
    int count = list_folders(folders);
    for (int i = 0; i < count; i++) {
        struct dirent **entries;
        int found = scandir(folders[i], &entries, is_socket, by_name);
        for (int n = 0; n < found; n++) {
            const char *file = entries[n]->d_name;
            pid_t pid;
            int fd = connect_in(folders[i], file, &pid);
            if (fd >= 0) {
                buf_put(labels, file, strlen(file) + 1 - sizeof END);
                buf_put_char(labels, '\0');
                close(fd);
            }
            mem_free(entries[n]);
        }
        if (found >= 0) mem_free(entries);
    }
    free_folders(folders, count);
}

/* -- notes */

static void note_file_of(const char *name, char file[112]) {
    file_of(name, file);
    strcpy(file + strlen(file) - (sizeof END - 1), NOTE_END); /* no longer than END */
}

/* Beside it first, so that nobody reads half of one. */
static err *write_note(int folder, const char *file, const char *bytes, size_t len) {
    char made[128];
    snprintf(made, sizeof made, "%s.%d", file, (int)getpid());
    int fd = openat(folder, made, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool is_written = fd >= 0 && write(fd, bytes, len) == (ssize_t)len;
    int code = errno;
    if (fd >= 0) close(fd);
    if (is_written && !renameat(folder, made, folder, file)) return NULL;
    if (is_written) code = errno;
    unlinkat(folder, made, 0);
    return err_new(ERR_IO, "%s: %s", file, strerror(code));
}

err *control_place_note(const char *name, const char *bytes, size_t len) {
    char *folders[MOST_FOLDERS], file[112];
    int count = list_folders(folders), folder;
    err *e = NULL;
    note_file_of(name, file);
    for (int i = 0; i < count; i++) {
        err_free(e);
        e = open_folder(folders[i], &folder);
        if (e) continue;
        e = write_note(folder, file, bytes, len);
        close(folder);
        if (!e) break;
    }
    free_folders(folders, count);
    return e;
}

static bool read_note(int folder, const char *file, buf *out) {
    int fd = openat(folder, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : 1;
    while (got > 0) {
        got = read(fd, buf_need(out, READ_BYTES), READ_BYTES);
        if (got > 0) out->len += (size_t)got;
    }
    if (fd >= 0) close(fd);
    return got == 0;
}

bool control_place_read_note(const char *name, buf *out) {
    char *folders[MOST_FOLDERS], file[112];
    int count = list_folders(folders), folder;
    bool found = false;
    note_file_of(name, file);
    for (int i = 0; i < count && !found && is_label(name); i++) {
        err *e = open_folder(folders[i], &folder);
        err_free(e);
        if (e) continue;
        found = read_note(folder, file, out);
        close(folder);
    }
    free_folders(folders, count);
    return found;
}
