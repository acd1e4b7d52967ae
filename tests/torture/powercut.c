/* Preloaded under a program: writes down what it does to files below POWERCUT_FOLDER, in the order
 * in which it does it, to POWERCUT_LOG, so that powercut.py can undo whatever a power cut would.
 *
 *   w PATH    bytes were written      s PATH        the file was synced
 *   n PATH    it got this name        d PATH        the folder was synced
 *   m PATH    the folder was made     r OLD<TAB>NEW the file of the first name got the second
 *   o PATH    there was one of the name that the next line gives
 *
 * What changes something is noted before it is done, what makes it durable when it has returned: a
 * kill between the two errs on the side of loss. */
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FDS = 4096 };

static char paths[FDS][PATH_MAX]; /* of open files below the folder; "": another one */

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static bool is_below(const char *path) {
    const char *folder = getenv("POWERCUT_FOLDER");
    size_t len = folder ? strlen(folder) : 0;
    return len && !strncmp(path, folder, len) && (path[len] == '/' || !path[len]);
}

/* Absolute, without asking the file system, which may not have it yet. */
static bool whole(const char *path, char out[PATH_MAX]) {
    if (*path == '/') {
        snprintf(out, PATH_MAX, "%s", path);
    } else {
        char here[PATH_MAX / 2];
        if (!getcwd(here, sizeof here)) return false;
        if (snprintf(out, PATH_MAX, "%s/%s", here, path) >= PATH_MAX) return false;
    }
    return is_below(out);
}

static void note(char what, const char *path) {
    static int log = -1;
    char line[PATH_MAX + 4];
    if (log < 0) log = REAL(open)(getenv("POWERCUT_LOG"), O_WRONLY | O_APPEND | O_CREAT, 0666);
    int len = snprintf(line, sizeof line, "%c %s\n", what, path);
    if (REAL(write)(log, line, (size_t)len) != len) abort();
}

static void note_fd(char what, int fd) {
    if (fd >= 0 && fd < FDS && *paths[fd]) note(what, paths[fd]);
}

static int opened(int fd, const char *path, int flags) {
    char full[PATH_MAX];
    if (fd < 0 || fd >= FDS) return fd;
    *paths[fd] = '\0';
    if (!whole(path, full)) return fd;
    memcpy(paths[fd], full, sizeof full);
    if (flags & O_TRUNC) note('w', full);
    return fd;
}

/* A file that is new has a name that is not durable, and no bytes that are. */
static void before_open(const char *path, int flags) {
    char full[PATH_MAX];
    if (!(flags & O_CREAT) || !whole(path, full) || !access(full, F_OK)) return;
    note('n', full);
    note('w', full);
}

static mode_t mode_of(int flags, va_list rest) {
    return flags & O_CREAT ? va_arg(rest, mode_t) : 0;
}

#define OPEN(name)                                                 \
    int name(const char *path, int flags, ...) {                   \
        va_list rest;                                              \
        va_start(rest, flags);                                     \
        mode_t mode = mode_of(flags, rest);                        \
        va_end(rest);                                              \
        before_open(path, flags);                                  \
        return opened(REAL(name)(path, flags, mode), path, flags); \
    }
OPEN(open)
OPEN(open64)

int close(int fd) {
    if (fd >= 0 && fd < FDS) *paths[fd] = '\0';
    return REAL(close)(fd);
}

ssize_t write(int fd, const void *bytes, size_t len) {
    note_fd('w', fd);
    return REAL(write)(fd, bytes, len);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at) {
    note_fd('w', fd);
    return REAL(pwrite)(fd, bytes, len, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t at) {
    note_fd('w', fd);
    return REAL(pwrite64)(fd, bytes, len, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    note_fd('w', fd);
    return REAL(writev)(fd, parts, count);
}

static int synced(int fd, int status) {
    struct stat about;
    if (!status && !fstat(fd, &about)) note_fd(S_ISDIR(about.st_mode) ? 'd' : 's', fd);
    return status;
}

int fsync(int fd) { return synced(fd, REAL(fsync)(fd)); }

int fdatasync(int fd) { return synced(fd, REAL(fdatasync)(fd)); }

/* Of a rename or link: whether the bytes are durable goes with the file, so that comes first. */
static void named(const char *from, const char *to) {
    char old[PATH_MAX], full[PATH_MAX], both[2 * PATH_MAX + 2];
    if (!whole(to, full)) return;
    if (!access(full, F_OK)) note('o', full);
    if (whole(from, old) && snprintf(both, sizeof both, "%s\t%s", old, full) < PATH_MAX)
        note('r', both);
    else
        note('n', full);
}

int rename(const char *from, const char *to) {
    named(from, to);
    return REAL(rename)(from, to);
}

int link(const char *from, const char *to) {
    if (access(to, F_OK)) named(from, to);
    return REAL(link)(from, to);
}

int mkdir(const char *path, mode_t mode) {
    char full[PATH_MAX];
    if (whole(path, full) && access(full, F_OK)) note('m', full);
    return REAL(mkdir)(path, mode);
}
