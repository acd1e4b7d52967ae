#include "state/file_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

enum {
    PAST_CACHE_BYTES = 1 << 20,
    PAGE_BYTES = 4096,     /* what any disk wants memory, places and lengths to be multiples of */
    ONCE_BYTES = 16 << 20, /* in one call: it is locked in memory meanwhile */
};

/* How far it came; less than `len`: -1 was answered, with errno. `in_pages`: or it stands inside
 * of a page. */
static size_t write_some(int fd, const char *bytes, size_t len, bool in_pages) {
    size_t done = 0;
    while (done < len && !(in_pages && done % PAGE_BYTES)) {
        size_t left = len - done;
        ssize_t wrote = write(fd, bytes + done, left < ONCE_BYTES ? left : ONCE_BYTES);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) break;
        done += (size_t)wrote;
    }
    return done;
}

/* What the file system did not take so, or only in part, is still to be written. */
static size_t write_past_cache(int fd, const char *bytes, size_t len) {
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_DIRECT)) return 0;
    size_t done = write_some(fd, bytes, len / PAGE_BYTES * PAGE_BYTES, true);
    (void)fcntl(fd, F_SETFL, flags);
    return done;
}

int file_write(int fd, const void *from, size_t len) {
    const char *bytes = from;
    bool is_large = len >= PAST_CACHE_BYTES && (uintptr_t)bytes % PAGE_BYTES == 0;
    size_t done = is_large ? write_past_cache(fd, bytes, len) : 0;
    return done + write_some(fd, bytes + done, len - done, false) == len ? 0 : -1;
}
