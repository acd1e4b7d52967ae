#include "runtime/cli/ask.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/cli/control_place.h"

enum { READ_BYTES = 4096 };

static int64_t steady_ms(void) { return clock_steady_ms(&(clock_source){ 0 }); }

/* Read up to the end of a line; false: none came (*is_late: in time). */
static bool read_line(int fd, int64_t until_ms, buf *answer, bool *is_late) {
    for (;;) {
        int64_t left_ms = until_ms - steady_ms();
        int count = poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1,
                         left_ms > 0 ? (int)left_ms : 0);
        *is_late = count == 0;
        if (count == 0) return false;
        if (count < 0 && errno == EINTR) continue;
        ssize_t got = recv(fd, buf_need(answer, READ_BYTES), READ_BYTES, 0);
        if (got <= 0) return false;
        answer->len += (size_t)got;
        if (answer->data[answer->len - 1] != '\n') continue;
        answer->len--;
        return true;
    }
}

err *ask(const char *label, const char *request, int64_t timeout_ms, buf *answer, pid_t *pid,
         bool *is_late) {
    int fd;
    buf line;
    *is_late = false;
    err *e = control_place_connect(label, &fd, pid);
    if (e) return e;
    buf_init(&line);
    buf_printf(&line, "%s\n", request);
    bool is_sent = send(fd, line.data, line.len, MSG_NOSIGNAL) == (ssize_t)line.len;
    bool is_read = is_sent && read_line(fd, steady_ms() + timeout_ms, answer, is_late);
    buf_done(&line);
    close(fd);
    if (is_read) return NULL;
    if (*is_late)
        return err_new(ERR_IO, "`%s` (pid %d) does not answer within %lld ms", label, (int)*pid,
                       (long long)timeout_ms);
    return err_new(ERR_IO, "`%s` (pid %d) ended without an answer; its log says why", label,
                   (int)*pid);
}

void ask_await_end(pid_t pid, int64_t timeout_ms) {
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0) return; /* it is gone */
    poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, (int)timeout_ms);
    close(fd);
}
