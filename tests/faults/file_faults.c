#include "tests/faults/file_faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* DESIGN: each call is taken over by name, and handed to the next library that has it (libc, or one
 * that watches, too). One lock around all of it: tests are not in a hurry. */

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

enum {
    RULES = 16,
    FILES = 4096,
    SHORT = -1,
    SKIP = -2,
};

typedef enum call_kind {
    CALL_OPEN,
    CALL_WRITE,
    CALL_SYNC,
    CALL_RENAME,
    CALL_LINK,
    CALL_MKDIR,
    CALL_UNLINK,
    CALLS,
} call_kind;

static const char *const call_names[CALLS] = { "open", "write", "sync", "rename",
                                               "link", "mkdir", "unlink" };

typedef struct what {
    const char *name;
    int number;
} what;

static const what whats[] = {
    { "EIO", EIO },
    { "ENOSPC", ENOSPC },
    { "EDQUOT", EDQUOT },
    { "EINTR", EINTR },
    { "EROFS", EROFS },
    { "EPERM", EPERM },
    { "short", SHORT },
    { "skip", SKIP },
    { NULL, 0 },
};

typedef struct rule {
    call_kind call;
    uint32_t first, last; /* numbers of the calls; 0: while `flag` is there */
    char flag[PATH_MAX];
    int number; /* errno, SHORT or SKIP */
} rule;

/* What is known of an inode, for the checks that need no disk. */
typedef struct watched {
    ino_t inode;
    bool is_dirty, has_failed;
} watched;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool is_ready;
static char under[PATH_MAX];
static rule rules[RULES];
static uint32_t rule_count, calls[CALLS];
static file_faults_seen seen;
static watched files[FILES];

static void say(const char *words, const char *text) {
    fprintf(stderr, "file_faults: %s `%s`\n", words, text);
    _exit(99);
}

static void add_rule(char *text) {
    char *when = strchr(text, ':'), *what = when ? strrchr(when + 1, ':') : NULL;
    if (!what || rule_count == RULES) say("no rule, wanted CALL:WHEN:WHAT:", text);
    *when++ = *what++ = '\0';
    rule *r = &rules[rule_count++];
    *r = (rule){ .call = CALLS };
    for (int i = 0; i < CALLS; i++) {
        if (!strcmp(text, call_names[i])) r->call = (call_kind)i;
    }
    for (int i = 0; whats[i].name; i++) {
        if (!strcmp(what, whats[i].name)) r->number = whats[i].number;
    }
    if (*when == '@')
        snprintf(r->flag, sizeof r->flag, "%s", when + 1);
    else {
        r->first = (uint32_t)strtoul(when, &when, 10);
        r->last = r->first + (*when == '+' ? (uint32_t)strtoul(when + 1, NULL, 10) : 0);
    }
    if (r->call == CALLS || !r->number || (!r->flag[0] && !r->first)) say("no such rule:", text);
}

static void set_rules(const char *text) {
    char copy[4096], *rest = copy;
    snprintf(copy, sizeof copy, "%s", text ? text : "");
    rule_count = 0;
    memset(calls, 0, sizeof calls);
    memset(files, 0, sizeof files);
    seen = (file_faults_seen){ 0 };
    for (char *one; (one = strsep(&rest, ","));) {
        if (*one) add_rule(one);
    }
}

/* With the lock held. */
static void get_ready(void) {
    if (is_ready) return;
    is_ready = true;
    const char *folder = getenv("SLUICE_FAULTS_UNDER");
    if (!under[0]) snprintf(under, sizeof under, "%s", folder ? folder : "");
    if (!rule_count) set_rules(getenv("SLUICE_FILE_FAULTS"));
}

void file_faults_set(const char *text) {
    pthread_mutex_lock(&lock);
    get_ready();
    set_rules(text);
    pthread_mutex_unlock(&lock);
}

void file_faults_clear(void) {
    pthread_mutex_lock(&lock);
    rule_count = 0;
    pthread_mutex_unlock(&lock);
}

void file_faults_watch(const char *folder) {
    pthread_mutex_lock(&lock);
    snprintf(under, sizeof under, "%s", folder);
    get_ready();
    pthread_mutex_unlock(&lock);
}

file_faults_seen file_faults_look(void) {
    pthread_mutex_lock(&lock);
    file_faults_seen s = seen;
    pthread_mutex_unlock(&lock);
    return s;
}

/* ---- which files */

static bool is_below(const char *path) {
    size_t len = strlen(under);
    return len && !strncmp(path, under, len) && (path[len] == '/' || !path[len]);
}

static bool path_counts(const char *path) {
    char whole[PATH_MAX];
    if (*path == '/') return is_below(path);
    if (!getcwd(whole, sizeof whole)) return false;
    size_t len = strlen(whole);
    if (!strncmp(path, "./", 2)) path += 2;
    snprintf(whole + len, sizeof whole - len, "/%s", path);
    return is_below(whole);
}

static bool fd_counts(int fd) {
    char name[32], path[PATH_MAX];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(name, path, sizeof path - 1);
    if (len <= 0) return false;
    path[len] = '\0';
    return is_below(path);
}

static watched *file_of(ino_t inode) {
    watched *free_one = NULL;
    for (int i = 0; i < FILES; i++) {
        if (files[i].inode == inode) return &files[i];
        if (!files[i].inode && !free_one) free_one = &files[i];
    }
    if (!free_one) say("more files than it can look after:", under);
    *free_one = (watched){ .inode = inode };
    return free_one;
}

static ino_t inode_of(const char *path, int fd) {
    struct stat about;
    if (path ? lstat(path, &about) : fstat(fd, &about)) return 0;
    return about.st_ino;
}

/* Whether this call is to fail: its errno, SHORT or SKIP; 0: no. With the lock held. */
static int fault_of(call_kind call) {
    uint32_t number = ++calls[call];
    for (uint32_t i = 0; i < rule_count; i++) {
        const rule *r = &rules[i];
        if (r->call != call) continue;
        bool is_meant = r->flag[0] ? access(r->flag, F_OK) == 0
                                   : number >= r->first && number <= r->last;
        if (is_meant) {
            seen.hits++;
            return r->number;
        }
    }
    return 0;
}

/* ---- the calls */

static int fail(int number) {
    pthread_mutex_unlock(&lock);
    errno = number;
    return -1;
}

static int leave(int result) {
    int number = errno;
    pthread_mutex_unlock(&lock);
    errno = number;
    return result;
}

static int open_watched(const char *path, int flags, int mode) {
    pthread_mutex_lock(&lock);
    get_ready();
    bool counts = (flags & (O_WRONLY | O_RDWR | O_CREAT)) && path_counts(path);
    int number = counts ? fault_of(CALL_OPEN) : 0;
    if (number) return fail(number);
    return leave(REAL(open)(path, flags, mode));
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, int) : 0;
    va_end(rest);
    return open_watched(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, int) : 0;
    va_end(rest);
    return open_watched(path, flags, mode);
}

/* How much of a write is to be done: all of it, half, or -1 and the errno in `number`. */
static ssize_t allowed(int fd, size_t len, int *number) {
    pthread_mutex_lock(&lock);
    get_ready();
    *number = fd_counts(fd) ? fault_of(CALL_WRITE) : 0;
    if (*number <= 0 && fd_counts(fd)) file_of(inode_of(NULL, fd))->is_dirty = true;
    pthread_mutex_unlock(&lock);
    if (*number > 0) return -1;
    return (ssize_t)(*number < 0 && len > 1 ? len / 2 : len);
}

ssize_t write(int fd, const void *bytes, size_t len) {
    int number;
    ssize_t some = allowed(fd, len, &number);
    if (some < 0) errno = number;
    return some < 0 ? -1 : REAL(write)(fd, bytes, (size_t)some);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at) {
    int number;
    ssize_t some = allowed(fd, len, &number);
    if (some < 0) errno = number;
    return some < 0 ? -1 : REAL(pwrite)(fd, bytes, (size_t)some, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t at) {
    return pwrite(fd, bytes, len, at);
}

static int sync_watched(int fd, int (*real)(int)) {
    pthread_mutex_lock(&lock);
    get_ready();
    if (!fd_counts(fd)) return leave(real(fd));
    watched *file = file_of(inode_of(NULL, fd));
    seen.resynced += file->has_failed;
    int number = fault_of(CALL_SYNC);
    if (number == SKIP) return leave(0);
    if (number) {
        file->has_failed = true;
        return fail(number);
    }
    int result = real(fd);
    if (!result) file->is_dirty = false;
    return leave(result);
}

int fsync(int fd) { return sync_watched(fd, REAL(fsync)); }
int fdatasync(int fd) { return sync_watched(fd, REAL(fdatasync)); }

/* A folder's entries are others now: its next sync says something again. */
static void note_changed(const char *path) {
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    ino_t inode = path_counts(path) ? inode_of(folder, -1) : 0;
    if (inode) file_of(inode)->has_failed = false;
}

/* Before a file gets a name: whether that is to fail. */
static int name_watched(call_kind call, const char *from, const char *to) {
    get_ready();
    if (!path_counts(to)) return 0;
    int number = fault_of(call);
    if (!number) note_changed(to);
    ino_t inode = inode_of(from, -1);
    if (!number && inode && file_of(inode)->is_dirty) seen.unsynced++;
    return number;
}

int rename(const char *from, const char *to) {
    pthread_mutex_lock(&lock);
    int number = name_watched(CALL_RENAME, from, to);
    return number ? fail(number) : leave(REAL(rename)(from, to));
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags) {
    pthread_mutex_lock(&lock);
    int number = name_watched(CALL_RENAME, from, to);
    if (number) return fail(number);
    return leave(REAL(renameat2)(from_fd, from, to_fd, to, flags));
}

int link(const char *from, const char *to) {
    pthread_mutex_lock(&lock);
    int number = name_watched(CALL_LINK, from, to);
    return number ? fail(number) : leave(REAL(link)(from, to));
}

int mkdir(const char *path, mode_t mode) {
    pthread_mutex_lock(&lock);
    get_ready();
    int number = path_counts(path) && !inode_of(path, -1) ? fault_of(CALL_MKDIR) : 0;
    if (number) return fail(number);
    int result = REAL(mkdir)(path, mode);
    if (!result) note_changed(path);
    return leave(result);
}

int unlink(const char *path) {
    pthread_mutex_lock(&lock);
    get_ready();
    int number = path_counts(path) ? fault_of(CALL_UNLINK) : 0;
    ino_t inode = number ? 0 : inode_of(path, -1);
    if (inode && path_counts(path)) { // the inode may come back as another file's
        struct stat about;
        if (!lstat(path, &about) && about.st_nlink == 1) *file_of(inode) = (watched){ 0 };
    }
    if (!number) note_changed(path);
    return number ? fail(number) : leave(REAL(unlink)(path));
}
