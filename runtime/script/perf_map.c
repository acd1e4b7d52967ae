#include "runtime/script/perf_map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/buf.h"

enum { PATH_ROOM = 64 };

static void put_path(char *path) {
    snprintf(path, PATH_ROOM, "/tmp/perf-%d.map", (int)getpid());
}

/* /tmp is everybody's: a file, or a link, that somebody else put there is not written through. */
err *perf_map_begin(void) {
    char path[PATH_ROOM];
    put_path(path);
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_new(ERR_IO, "making %s, where perf looks for names: %s", path, strerror(errno));
    close(fd);
    return NULL;
}

/* In one write: threads of several workers add lines. */
void perf_map_add(uintptr_t code, size_t len, const char *name) {
    char path[PATH_ROOM];
    buf line;
    put_path(path);
    int fd = open(path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return;
    buf_init(&line);
    buf_printf(&line, "%zx %zx %s\n", (size_t)code, len, name);
    ssize_t written = write(fd, line.data, line.len);
    (void)written;
    buf_done(&line);
    close(fd);
}
