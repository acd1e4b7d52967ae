#include "runtime/connect/fetch_conn.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/mem.h"

struct fetch_conn {
    int fd, stop_fd; /* -1: nothing stops it */
    fetch_watch watch;
    tls_session *tls; /* owned; NULL: in clear */
    char *address;    /* owned */
};

/* -- waiting and moving bytes */

static err *broken(const fetch_conn *c, const char *reason) {
    err *e = err_new(ERR_BROKER, "connection to %s: %s", c->address, reason);
    e->retriable = true;
    return e;
}

/* Wait until the socket can do `events`. */
static err *await(const fetch_conn *c, short events) {
    struct pollfd fds[] = { { .fd = c->fd, .events = events },
                            { .fd = c->stop_fd, .events = POLLIN } };
    int slice_ms = c->watch.look ? c->watch.slice_ms : FETCH_CONN_MS;
    for (int waited_ms = 0;;) {
        int count = poll(fds, 2, slice_ms);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return broken(c, strerror(errno));
        if (fds[1].revents) return err_new(ERR_STOPPED, "asked to stop");
        if (count) return NULL;
        err *e = c->watch.look ? c->watch.look(c->watch.owner) : NULL;
        if (e) return e;
        waited_ms += slice_ms;
        if (waited_ms >= FETCH_CONN_MS) return broken(c, "no answer for 30 s");
    }
}

typedef enum direction { SENDS,
                         RECEIVES } direction;

/* Try once; `*moved` 0: not now, `*events` are waited for. */
static err *try_clear(fetch_conn *c, direction way, char *data, size_t len, size_t *moved,
                      short *events) {
    ssize_t count = way == SENDS ? send(c->fd, data, len, MSG_NOSIGNAL) : recv(c->fd, data, len, 0);
    *events = way == SENDS ? POLLOUT : POLLIN;
    *moved = count > 0 ? (size_t)count : 0;
    if (count > 0) return NULL;
    if (count == 0) return broken(c, "closed by the broker");
    bool is_later = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    return is_later ? NULL : broken(c, strerror(errno));
}

/* What a call of TLS waits for. */
static err *tls_events(const fetch_conn *c, tls_state state, const char *reason, short *events) {
    *events = state == TLS_WANTS_WRITE ? POLLOUT : POLLIN;
    return state == TLS_BROKEN ? broken(c, reason) : NULL;
}

static err *try_tls(fetch_conn *c, direction way, char *data, size_t len, size_t *moved,
                    short *events) {
    const char *reason;
    tls_state state = way == SENDS ? tls_send(c->tls, data, len, moved, &reason)
                                   : tls_receive(c->tls, data, len, moved, &reason);
    return tls_events(c, state, reason, events);
}

/* Move all of `data`. */
static err *move(fetch_conn *c, direction way, char *data, size_t len) {
    while (len) {
        size_t moved;
        short events;
        err *e = c->tls ? try_tls(c, way, data, len, &moved, &events)
                        : try_clear(c, way, data, len, &moved, &events);
        if (!e && !moved) e = await(c, events);
        if (e) return e;
        data += moved;
        len -= moved;
    }
    return NULL;
}

/* -- connecting */

/* Finish what connect has begun. */
static err *finish_connect(const fetch_conn *c) {
    int code = 0;
    socklen_t len = sizeof code;
    err *e = await(c, POLLOUT);
    if (!e && getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &code, &len) != 0) code = errno;
    return !e && code ? broken(c, strerror(code)) : e;
}

static err *connect_to(fetch_conn *c, const struct addrinfo *to) {
    int on = 1;
    c->fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, to->ai_protocol);
    if (c->fd < 0) return broken(c, strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(c->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    if (connect(c->fd, to->ai_addr, to->ai_addrlen) == 0) return NULL;
    return errno == EINPROGRESS ? finish_connect(c) : broken(c, strerror(errno));
}

/* Split "host:port" at its last colon, and try each of the host's addresses. */
static err *connect_any(fetch_conn *c) {
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
    struct addrinfo *all = NULL;
    const char *colon = strrchr(c->address, ':');
    if (!colon) return broken(c, "the address has no port");
    char *host = mem_copy_text(c->address, (size_t)(colon - c->address));
    int code = getaddrinfo(host, colon + 1, &hints, &all);
    mem_free(host);
    err *e = broken(c, code ? gai_strerror(code) : "the host has no address");
    for (const struct addrinfo *one = all; e && e->code != ERR_STOPPED && one; one = one->ai_next) {
        err_free(e);
        if (c->fd >= 0) close(c->fd);
        e = connect_to(c, one);
    }
    if (all) freeaddrinfo(all);
    return e;
}

static err *shake_hands(fetch_conn *c, const tls_context *tls) {
    char *host = mem_copy_text(c->address, (size_t)(strrchr(c->address, ':') - c->address));
    c->tls = tls_session_new(tls, c->fd, host);
    mem_free(host);
    if (!c->tls) return broken(c, "TLS cannot begin");
    for (;;) {
        const char *reason;
        short events;
        tls_state state = tls_shake_hands(c->tls, &reason);
        if (state == TLS_DONE) return NULL;
        err *e = tls_events(c, state, reason, &events);
        if (!e) e = await(c, events);
        if (e) return e;
    }
}

static err *open_any(const char *address, const tls_context *tls, int stop_fd, fetch_watch watch,
                     fetch_conn **conn) {
    fetch_conn *c = mem_zalloc(1, sizeof *c);
    c->fd = -1;
    c->stop_fd = stop_fd;
    c->watch = watch;
    c->address = mem_copy_text(address, strlen(address));
    err *e = connect_any(c);
    if (!e && tls) e = shake_hands(c, tls);
    if (!e) *conn = c;
    if (e) fetch_conn_close(c);
    return e;
}

err *fetch_conn_open(const char *address, const tls_context *tls, int stop_fd, fetch_conn **conn) {
    return open_any(address, tls, stop_fd, (fetch_watch){ 0 }, conn);
}

err *fetch_conn_open_watched(const char *address, const tls_context *tls, const fetch_watch *watch,
                             fetch_conn **conn) {
    return open_any(address, tls, -1, *watch, conn);
}

bool fetch_conn_has_input(const fetch_conn *c) {
    struct pollfd one = { .fd = c->fd, .events = POLLIN };
    return (c->tls && tls_has_input(c->tls)) || poll(&one, 1, 0) > 0;
}

void fetch_conn_close(fetch_conn *c) {
    if (!c) return;
    tls_session_free(c->tls);
    if (c->fd >= 0) close(c->fd);
    mem_free(c->address);
    mem_free(c);
}

/* -- frames */

err *fetch_conn_send(fetch_conn *c, const buf *frame) {
    return move(c, SENDS, frame->data, frame->len);
}

err *fetch_conn_receive(fetch_conn *c, buf *frame, size_t most, bool *is_long) {
    unsigned char head[4];
    buf_reset(frame);
    *is_long = false;
    err *e = move(c, RECEIVES, (char *)head, sizeof head);
    if (e) return e;
    size_t len = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    *is_long = len > most;
    if (*is_long)
        return err_new(ERR_BROKER,
                       "an answer of %zu bytes, %zu are allowed (config: "
                       "receive.message.max.bytes)",
                       len, most);
    e = move(c, RECEIVES, buf_need(frame, len + 1), len);
    if (!e) frame->len = len;
    return e;
}
