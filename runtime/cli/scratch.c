#include "runtime/cli/scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/buf.h"

/* In each that a command has made: one that is called alike and lacks it is the user's. */
static const char MARK[] = ".sluice-scratch";

enum { YOUNG_S = 60 }; /* one that has just been made may not be locked yet */

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at) {
    (void)info, (void)kind, (void)at;
    return remove(path);
}

static void remove_folder(const char *path) {
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Ours, nobody else's, and no link to somewhere. */
static bool is_left(int fd) {
    struct stat is, mark;
    if (fstatat(fd, MARK, &mark, AT_SYMLINK_NOFOLLOW) || !S_ISREG(mark.st_mode)) return false;
    bool is_old = !fstat(fd, &is) && is.st_uid == getuid() && time(NULL) - is.st_mtime > YOUNG_S;
    return is_old && !flock(fd, LOCK_EX | LOCK_NB);
}

static void remove_left(const char *in, const char *kind) {
    DIR *all = opendir(in);
    buf start, path;
    buf_init(&start);
    buf_init(&path);
    buf_printf(&start, "sluice-%s-", kind);
    for (struct dirent *one; all && (one = readdir(all));) {
        if (strncmp(one->d_name, buf_text(&start), start.len) != 0) continue;
        buf_reset(&path);
        buf_printf(&path, "%s/%s", in, one->d_name);
        int fd = open(buf_text(&path), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0) continue;
        if (is_left(fd)) remove_folder(buf_text(&path));
        close(fd);
    }
    if (all) closedir(all);
    buf_done(&start);
    buf_done(&path);
}

err *scratch_make(scratch *s, const char *kind) {
    const char *in = getenv("TMPDIR");
    if (!in || !*in) in = P_tmpdir;
    *s = (scratch){ .fd = -1 };
    remove_left(in, kind);
    int len = snprintf(s->path, sizeof s->path, "%s/sluice-%s-XXXXXX", in, kind);
    if (len >= (int)sizeof s->path || !mkdtemp(s->path)) {
        s->path[0] = '\0';
        return err_new(ERR_IO, "a temporary folder is wanted: none can be made in %s", in);
    }
    s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_locked = s->fd >= 0 && !flock(s->fd, LOCK_EX | LOCK_NB);
    /* without a lock it has no mark, and nobody removes it */
    int mark = is_locked ? openat(s->fd, MARK, O_CREAT | O_WRONLY | O_CLOEXEC, 0600) : -1;
    if (mark >= 0) close(mark);
    return NULL;
}

void scratch_remove(scratch *s) {
    if (!s->path[0]) return;
    remove_folder(s->path);
    if (s->fd >= 0) close(s->fd);
    *s = (scratch){ .fd = -1 };
}
