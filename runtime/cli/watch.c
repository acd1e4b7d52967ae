#include "runtime/cli/watch.h"

#include <glob.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "runtime/base/buf.h"
#include "runtime/base/mem.h"

enum { LOOK_MS = 15,    /* between two looks */
       SETTLE_MS = 5 }; /* a file that is the same after that is written */

typedef struct mark {
    int64_t changed_ns, bytes;
    ino_t inode;
} mark;

struct watch_file {
    char *path; /* owned */
    mark seen;
};

static mark mark_of(const char *path) {
    struct stat about;
    if (stat(path, &about)) return (mark){ .bytes = -1 };
    return (mark){ .changed_ns =
                       (int64_t)about.st_mtim.tv_sec * 1000000000 + about.st_mtim.tv_nsec,
                   .bytes = about.st_size,
                   .inode = about.st_ino };
}

static bool is_equal(const mark *a, const mark *b) {
    return a->changed_ns == b->changed_ns && a->bytes == b->bytes && a->inode == b->inode;
}

void watch_add(watch *w, const char *path) {
    for (uint32_t i = 0; i < w->count; i++)
        if (!strcmp(w->files[i].path, path)) return;
    w->files = mem_realloc(w->files, (w->count + 1) * sizeof *w->files);
    w->files[w->count++] =
        (watch_file){ .path = mem_copy_text(path, strlen(path)), .seen = mark_of(path) };
}

void watch_add_folder(watch *w, const char *path) {
    const char *slash = strrchr(path, '/');
    glob_t found;
    buf pattern;
    buf_init(&pattern);
    if (slash) buf_put(&pattern, path, (size_t)(slash - path) + 1);
    buf_put_text(&pattern, "*.lua");
    if (!glob(buf_text(&pattern), GLOB_NOSORT, NULL, &found))
        for (size_t i = 0; i < found.gl_pathc; i++) watch_add(w, found.gl_pathv[i]);
    globfree(&found);
    buf_done(&pattern);
}

static void rest(int ms) {
    nanosleep(&(struct timespec){ .tv_nsec = (long)ms * 1000000 }, NULL);
}

/* Take note of what has changed. */
static bool look(watch *w) {
    bool has_changed = false;
    for (uint32_t i = 0; i < w->count; i++) {
        mark now = mark_of(w->files[i].path);
        has_changed |= !is_equal(&now, &w->files[i].seen);
        w->files[i].seen = now;
    }
    return has_changed;
}

static bool is_missing(const watch *w) {
    for (uint32_t i = 0; i < w->count; i++)
        if (w->files[i].seen.bytes <= 0) return true;
    return false;
}

/* One that is empty or gone is most likely being written: it is waited for a little longer. */
bool watch_wait(watch *w, const volatile int *stop) {
    while (!*stop && !look(w)) rest(LOOK_MS);
    do rest(SETTLE_MS);
    while (!*stop && look(w));
    for (int i = 0; i < 10 && is_missing(w) && !*stop; i++) {
        rest(LOOK_MS);
        look(w);
    }
    return !*stop;
}

void watch_done(watch *w) {
    for (uint32_t i = 0; i < w->count; i++) mem_free(w->files[i].path);
    mem_free(w->files);
    *w = (watch){ 0 };
}
