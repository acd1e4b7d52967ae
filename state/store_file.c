#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/crash.h"
#include "runtime/base/mem.h"
#include "state/file_write.h"
#include "state/image_format.h"
#include "state/store_inside.h"

/* DESIGN: an object is a file of its name below the folder.
 *
 *   write .tmp/<random> ─ fdatasync ─ rename to NAME (STORE_NEW: link) ─ fsync of NAME's folder
 *
 * so that after a crash it is there whole or not at all. After an error of fsync nothing can be
 * said about the file any more, and asking again may answer "fine" (the kernel forgets the pages it
 * could not write): the bytes are written once more, to a new file; then it is an error. A folder's
 * entry in the one above is made durable once a process, also where somebody else made it: he may
 * have died before he did.
 *
 * Own files begin with a dot, which no object's name does. */

enum {
    TEMP_GRACE_MS = 15 * 60 * 1000, /* a temporary file that old belongs to nobody */
    READ_CHUNK = 1 << 16,
};

typedef struct held_lock {
    struct held_lock *next;
    char *name; /* owned */
    int fd;     /* owned; holds the flock */
} held_lock;

typedef struct file_store {
    char *root; /* owned; no slash at its end, unless it is "/" */
    size_t root_len;
    store_names folders;  /* that are durable */
    pthread_mutex_t lock; /* guards `locks` */
    held_lock *locks;
} file_store;

static bool may_pass(int number) {
    switch (number) {
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN:
    case ETIMEDOUT:
    case ESTALE: return true;
    default: return false;
    }
}

/* The folder that `path` lies in; owned. */
static char *folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    if (!slash) return mem_copy_text(".", 1);
    return mem_copy_text(path, slash == path ? 1 : (size_t)(slash - path));
}

/* ", 1.2 MB and 34 files are free", of the disk that the folder is on or would be made on. */
static void tell_room(const file_store *f, char into[64]) {
    struct statvfs about;
    char *folder = mem_copy_text(f->root, f->root_len);
    while (statvfs(folder, &about) && strcmp(folder, ".") && strcmp(folder, "/")) {
        char *above = folder_of(folder);
        mem_free(folder);
        folder = above;
    }
    if (!statvfs(folder, &about)) {
        snprintf(into, 64, ", %.1f MB and %" PRIu64 " files are free",
                 (double)about.f_bavail * (double)about.f_frsize / 1e6, (uint64_t)about.f_favail);
    }
    mem_free(folder);
}

/* Of errno. A full disk is told with what is free. */
static err *file_error(const file_store *f, const char *doing, const char *name) {
    int number = errno;
    char room[64] = "";
    if (number == ENOSPC || number == EDQUOT) tell_room(f, room);
    err *e = err_new(ERR_IO, "file:%s: %s `%s`: %s%s", f->root, doing, name, strerror(number),
                     room);
    e->retriable = may_pass(number);
    return e;
}

static char *path_below(const file_store *f, const char *folder, const char *name) {
    buf path = { 0 };
    buf_printf(&path, "%s/%s%s", f->root_len > 1 ? f->root : "", folder, name);
    char *text = mem_copy_text(path.data, path.len);
    buf_done(&path);
    return text;
}

static err *file_open(const store_config *config, void **handle) {
    const char *path = store_rest_of(config->url);
    if (!strncmp(path, "//", 2)) path += 2;
    if (path != store_rest_of(config->url) && *path != '/') {
        return err_new(ERR_PLAN, "checkpoint `%s`: names another host, wanted file:FOLDER or "
                                 "file:///FOLDER",
                       config->url);
    }
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/') len--;
    if (!len) return err_new(ERR_PLAN, "checkpoint `file:`: has no folder, wanted file:FOLDER");
    struct stat about;
    file_store *f = mem_zalloc(1, sizeof *f);
    f->root = mem_copy_text(path, len);
    f->root_len = len;
    pthread_mutex_init(&f->lock, NULL);
    store_names_init(&f->folders);
    err *e = NULL;
    if (!stat(f->root, &about) && !S_ISDIR(about.st_mode)) {
        e = err_new(ERR_PLAN, "checkpoint `file:%s`: is a file, wanted a folder", f->root);
    }
    *handle = f;
    if (e) store_file_ops.close(f);
    return e;
}

static void file_close(void *handle) {
    file_store *f = handle;
    while (f->locks) {
        held_lock *l = f->locks;
        f->locks = l->next;
        close(l->fd);
        mem_free(l->name);
        mem_free(l);
    }
    store_names_done(&f->folders);
    pthread_mutex_destroy(&f->lock);
    mem_free(f->root);
    mem_free(f);
}

/* Make the entries of a folder durable. 0 or -1 and errno. Where folders cannot be synced (EINVAL)
 * there is nothing that could be done. */
static int sync_folder(const char *folder) {
    if (fault_is("no_fsync")) return 0;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return -1;
    int status = fsync(fd), number = errno;
    close(fd);
    errno = number;
    return status && number != EINVAL ? -1 : 0;
}

static int make_folder(file_store *f, const char *folder, bool is_ours) {
    struct stat about;
    int made = mkdir(folder, 0777), number = errno;
    if (made && number != EEXIST && (stat(folder, &about) || !S_ISDIR(about.st_mode))) {
        errno = number;
        return -1;
    }
    if (made && !is_ours) return 0;
    char *above = folder_of(folder);
    int status = sync_folder(above);
    mem_free(above);
    // the next try must make it anew: see name_temp
    if (status && !made) (void)!rmdir(folder);
    // a folder that somebody gave us may stand in one that we cannot read
    if (status && made && errno == EACCES && strlen(folder) == f->root_len) return 0;
    return status;
}

/* Every folder above `path`, with durable entries. 0 or -1 and errno. */
static int make_folders(file_store *f, const char *path) {
    char *folder = mem_copy_text(path, strlen(path));
    int status = 0;
    for (char *at = strchr(folder + 1, '/'); at && !status; at = strchr(at + 1, '/')) {
        *at = '\0';
        bool is_ours = (size_t)(at - folder) >= f->root_len;
        if (!store_names_has(&f->folders, folder)) {
            status = make_folder(f, folder, is_ours);
            if (!status) store_names_add(&f->folders, folder);
        }
        *at = '/';
    }
    int number = errno;
    mem_free(folder);
    errno = number;
    return status;
}

/* A new temporary file; its path is owned by the caller also after an error. */
static int open_temp(file_store *f, char **path) {
    uint64_t random[2];
    char name[40];
    if (getrandom(random, sizeof random, 0) != sizeof random) return -1;
    snprintf(name, sizeof name, "%016" PRIx64 "%016" PRIx64, random[0], random[1]);
    *path = path_below(f, ".tmp/", name);
    if (make_folders(f, *path)) return -1;
    return open(*path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
}

/* How far a put came; what follows a failure depends on it. */
typedef enum put_step {
    STEP_MAKE,
    STEP_WRITE,
    STEP_SYNC,
    STEP_NAME,
    STEP_FOLDER,
    STEP_DONE,
} put_step;

static put_step write_temp(int fd, const void *bytes, size_t len) {
    put_step step = STEP_NAME;
    if (file_write(fd, bytes, len))
        step = STEP_WRITE;
    else if (!fault_is("no_fsync") && fdatasync(fd))
        step = STEP_SYNC;
    int number = errno;
    if (close(fd) && step == STEP_NAME) return STEP_SYNC;
    errno = number;
    return step;
}

/* Give the file its name if there is none of that name. -1: errno. */
static int link_new(const char *temp, const char *path, bool *exists) {
    struct stat about;
    if (!link(temp, path)) return 0;
    if (errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS) { // no hard links there
        if (!renameat2(AT_FDCWD, temp, AT_FDCWD, path, RENAME_NOREPLACE)) return 0;
    }
    if (errno != EEXIST) return -1;
    // over NFS an answer can be lost, and the kernel's second try then meets the first one's link
    *exists = stat(temp, &about) || about.st_nlink != 2;
    return 0;
}

static put_step name_temp(const char *temp, const char *path, int32_t how, bool *exists) {
    bool is_new = how == STORE_NEW;
    if (is_new ? link_new(temp, path, exists) : rename(temp, path)) return STEP_NAME;
    crash_point("store_named");
    char *folder = folder_of(path);
    put_step step = sync_folder(folder) ? STEP_FOLDER : STEP_DONE;
    int number = errno;
    // the next try must make the entry anew, else its fsync has nothing left to do
    if (step == STEP_FOLDER && is_new && !*exists) unlink(path);
    mem_free(folder);
    errno = number;
    return step;
}

static put_step put_once(file_store *f, const char *path, const void *bytes, size_t len,
                         int32_t how, bool *exists) {
    char *temp = NULL;
    put_step step = make_folders(f, path) ? STEP_MAKE : STEP_WRITE;
    int fd = step == STEP_WRITE ? open_temp(f, &temp) : -1;
    if (fd >= 0) step = write_temp(fd, bytes, len);
    if (step == STEP_NAME) {
        crash_point("store_synced");
        step = name_temp(temp, path, how, exists);
    }
    int number = errno;
    if (temp && (step != STEP_DONE || how == STORE_NEW)) unlink(temp);
    mem_free(temp);
    errno = number;
    return step;
}

static err *file_put(void *handle, const char *name, const void *bytes, size_t len, int32_t how,
                     bool *exists) {
    static const char *const doing[] = { "making the folders of", "writing", "syncing", "naming",
                                         "syncing the folder of" };
    file_store *f = handle;
    *exists = false;
    err *e = store_check_name(name);
    if (e) return e;
    char *path = path_below(f, "", name);
    put_step step = put_once(f, path, bytes, len, how, exists);
    bool is_gone = step != STEP_DONE && errno == ENOENT;
    bool is_unsynced = step == STEP_SYNC || step == STEP_FOLDER;
    if (step <= STEP_WRITE && errno == EIO) is_unsynced = true; // of a folder that was made
    if (is_gone) store_names_clear(&f->folders);                // somebody removed them
    if (is_gone || is_unsynced) {
        *exists = false;
        step = put_once(f, path, bytes, len, how, exists);
    }
    if (step != STEP_DONE) e = file_error(f, doing[step], name);
    mem_free(path);
    return e;
}

static err *read_all(const file_store *f, int fd, const char *name, buf *out) {
    struct stat about;
    if (fstat(fd, &about)) return file_error(f, "looking at", name);
    if (!S_ISREG(about.st_mode)) {
        return err_new(ERR_IO, "file:%s: `%s` is no plain file, wanted an object", f->root, name);
    }
    size_t want = (size_t)about.st_size + 1, start = out->len;
    image_reserve(out, want); /* parts are large */
    for (;;) {
        ssize_t got = read(fd, buf_need(out, want), want);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) out->len = start;
        if (got < 0) return file_error(f, "reading", name);
        if (!got) return NULL;
        out->len += (size_t)got;
        want = want > (size_t)got ? want - (size_t)got : READ_CHUNK;
    }
}

static bool is_absent(int number) { return number == ENOENT || number == ENOTDIR; }

static err *file_get(void *handle, const char *name, buf *out, bool *missing) {
    file_store *f = handle;
    *missing = false;
    err *e = store_check_name(name);
    if (e) return e;
    char *path = path_below(f, "", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        e = read_all(f, fd, name, out);
        close(fd);
    } else if (is_absent(errno)) {
        *missing = true;
    } else {
        e = file_error(f, "opening", name);
    }
    mem_free(path);
    return e;
}

/* Temporary files of processes that died. That one cannot be removed is nobody's business. */
static void remove_old_temps(const file_store *f) {
    char *path = path_below(f, ".tmp", "");
    DIR *folder = opendir(path);
    int64_t before_ms = clock_now_ms(&(clock_source){ 0 }) - TEMP_GRACE_MS;
    for (const struct dirent *one; folder && (one = readdir(folder));) {
        struct stat about;
        if (fstatat(dirfd(folder), one->d_name, &about, AT_SYMLINK_NOFOLLOW)) continue;
        if (!S_ISREG(about.st_mode) || about.st_mtim.tv_sec > before_ms / 1000) continue;
        unlinkat(dirfd(folder), one->d_name, 0);
    }
    if (folder) closedir(folder);
    mem_free(path);
}

static err *list_folder(const file_store *f, const char *path, const char *prefix,
                        store_listing *found);

static err *list_one(const file_store *f, const char *path, const char *prefix,
                     store_listing *found) {
    struct stat about;
    const char *name = path + (f->root_len > 1 ? f->root_len : 0) + 1;
    size_t len = strlen(name), prefix_len = strlen(prefix);
    if (!store_is_name(name) || strncmp(name, prefix, len < prefix_len ? len : prefix_len)) {
        return NULL;
    }
    if (stat(path, &about)) return is_absent(errno) ? NULL : file_error(f, "looking at", name);
    if (S_ISDIR(about.st_mode)) return list_folder(f, path, prefix, found);
    if (!S_ISREG(about.st_mode) || len < prefix_len) return NULL;
    store_listing_add(found, name, about.st_size,
                      about.st_mtim.tv_sec * 1000 + about.st_mtim.tv_nsec / 1000000);
    return NULL;
}

/* What begins with `prefix` in a folder and below. What goes away meanwhile is left out. */
static err *list_folder(const file_store *f, const char *path, const char *prefix,
                        store_listing *found) {
    DIR *folder = opendir(path);
    if (!folder) return is_absent(errno) ? NULL : file_error(f, "listing", path);
    err *e = NULL;
    buf one_path = { 0 };
    for (const struct dirent *one; !e && (one = readdir(folder));) {
        if (one->d_name[0] == '.') continue;
        buf_reset(&one_path);
        buf_printf(&one_path, "%s/%s", strcmp(path, "/") ? path : "", one->d_name);
        e = list_one(f, buf_text(&one_path), prefix, found);
    }
    buf_done(&one_path);
    closedir(folder);
    return e;
}

static err *file_list(void *handle, const char *prefix, store_visit *visit, void *arg) {
    const file_store *f = handle;
    store_listing found = { 0 };
    remove_old_temps(f);
    err *e = list_folder(f, f->root, prefix, &found);
    if (!e) e = store_listing_visit(&found, visit, arg);
    store_listing_done(&found);
    return e;
}

static err *file_remove(void *handle, const char *name) {
    const file_store *f = handle;
    err *e = store_check_name(name);
    if (e) return e;
    char *path = path_below(f, "", name);
    if (unlink(path) && !is_absent(errno)) e = file_error(f, "removing", name);
    mem_free(path);
    return e;
}

/* Who holds it stands in the file: "pid 42 on HOST". */
static void tell_holder(int fd) {
    char host[40] = "", text[64];
    gethostname(host, sizeof host - 1);
    int len = snprintf(text, sizeof text, "pid %d on %s", (int)getpid(), host);
    if (!ftruncate(fd, 0)) (void)!pwrite(fd, text, (size_t)len, 0);
}

static err *take_lock(file_store *f, const char *path, const char *name, bool *taken,
                      char by[64]) {
    for (const held_lock *l = f->locks; l; l = l->next) {
        if (!strcmp(l->name, name)) return NULL;
    }
    int fd = make_folders(f, path) ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) return file_error(f, "opening the lock of", name);
    err *e = NULL;
    if (!flock(fd, LOCK_EX | LOCK_NB)) {
        tell_holder(fd);
        held_lock *l = mem_zalloc(1, sizeof *l);
        *l = (held_lock){ f->locks, mem_copy_text(name, strlen(name)), fd };
        f->locks = l;
        return NULL;
    }
    *taken = errno == EWOULDBLOCK;
    if (!*taken) e = file_error(f, "locking", name);
    ssize_t len = *taken ? pread(fd, by, 63, 0) : 0;
    if (len <= 0) len = snprintf(by, 64, "another process");
    by[len] = '\0';
    close(fd);
    return e;
}

static err *file_lock(void *handle, const char *name, bool *taken, char by[64]) {
    file_store *f = handle;
    *taken = false;
    err *e = store_check_name(name);
    if (e) return e;
    char *flat = mem_copy_text(name, strlen(name));
    for (char *at = flat; (at = strchr(at, '/'));) *at = '%';
    char *path = path_below(f, ".lock/", flat);
    pthread_mutex_lock(&f->lock);
    e = take_lock(f, path, name, taken, by);
    pthread_mutex_unlock(&f->lock);
    mem_free(path);
    mem_free(flat);
    return e;
}

const store_ops store_file_ops = {
    .scheme = "file",
    .open = file_open,
    .put = file_put,
    .get = file_get,
    .list = file_list,
    .remove = file_remove,
    .lock = file_lock,
    .close = file_close,
};
