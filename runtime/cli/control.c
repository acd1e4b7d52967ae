#include "runtime/cli/control.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/json_text.h"
#include "runtime/base/mem.h"
#include "runtime/cli/control_place.h"
#include "runtime/cli/thread.h"

/* DESIGN. One thread, one poll. A client has at most one request that waits; while it does nothing
 * is read from it, so that who sends without reading fills its own socket and nobody's memory. */
enum {
    QUIET_MS = 10000, /* a client that neither asks nor reads is dropped */
    TURN_MS = 50,     /* between two turns while requests wait */
    LAST_MS = 500,    /* for the last answers to leave */
    READ_BYTES = 1024,
};

typedef struct client {
    int fd;           /* -1: the place is free; owned */
    uint64_t request; /* that waits for an answer; 0: none */
    buf in;           /* read, and not yet done */
    buf out;          /* to be written, from `sent` on */
    size_t sent;
    bool has_ended;   /* it sends no more, and may still read */
    int64_t moved_ms; /* steady time of the last request, answer or byte written */
} client;

typedef struct entry {
    const char *name;
    control_command *run;
    void *arg;
} entry;

struct control {
    control_place place;
    int listener, wake; /* -1: not open; owned */
    entry entries[CONTROL_COMMANDS];
    uint32_t entry_count;
    control_turn *turn; /* may be NULL */
    void *turn_arg;
    atomic_bool is_ending;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock; /* guards what follows */
    client clients[CONTROL_CLIENTS];
    uint64_t last_request;
};

static int64_t steady_ms(void) { return clock_steady_ms(&(clock_source){ 0 }); }

/* -- answers */

static void drop(client *l) {
    close(l->fd);
    buf_done(&l->in);
    buf_done(&l->out);
    *l = (client){ .fd = -1 };
}

static void put_answer(client *l, const char *json) {
    buf_put_text(&l->out, json);
    buf_put_char(&l->out, '\n');
    l->request = 0;
    l->moved_ms = steady_ms();
}

void control_answer(control *c, uint64_t request, const char *json) {
    pthread_mutex_lock(&c->lock);
    for (uint32_t i = 0; i < CONTROL_CLIENTS; i++)
        if (c->clients[i].fd >= 0 && c->clients[i].request == request)
            put_answer(&c->clients[i], json);
    pthread_mutex_unlock(&c->lock);
    eventfd_write(c->wake, 1);
}

bool control_is_waiting(control *c, uint64_t request) {
    bool waits = false;
    pthread_mutex_lock(&c->lock);
    for (uint32_t i = 0; i < CONTROL_CLIENTS; i++)
        waits |= c->clients[i].fd >= 0 && c->clients[i].request == request;
    pthread_mutex_unlock(&c->lock);
    return waits;
}

/* Write what can be written. The lock is held. */
static void write_out(client *l) {
    while (l->fd >= 0 && l->sent < l->out.len) {
        ssize_t wrote = send(l->fd, l->out.data + l->sent, l->out.len - l->sent, MSG_NOSIGNAL);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0 && errno == EAGAIN) return;
        if (wrote <= 0) {
            drop(l);
            return;
        }
        l->sent += (size_t)wrote;
        l->moved_ms = steady_ms();
    }
    buf_reset(&l->out);
    l->sent = 0;
}

/* -- requests */

static void put_unknown(const control *c, client *l, const char *name) {
    buf text, json;
    buf_init(&text);
    buf_init(&json);
    buf_printf(&text, "unknown command `%.40s`; there are: ", name);
    for (uint32_t i = 0; i < c->entry_count; i++)
        buf_printf(&text, "%s%s", i ? ", " : "", c->entries[i].name);
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] >= 0x80) text.data[i] = '?';
    buf_put_text(&json, "{\"error\":");
    json_text_put(&json, text.data, text.len);
    buf_put_char(&json, '}');
    put_answer(l, buf_text(&json));
    buf_done(&text);
    buf_done(&json);
}

/* Take the next line out of what was read; NULL: none is whole. Owned by the caller. */
static char *take_line(client *l) {
    const char *end = l->in.len ? memchr(l->in.data, '\n', l->in.len) : NULL;
    if (!end) return NULL;
    size_t len = (size_t)(end - l->in.data), rest = l->in.len - len - 1;
    char *line = mem_copy_text(l->in.data, len && end[-1] == '\r' ? len - 1 : len);
    memmove(l->in.data, end + 1, rest);
    l->in.len = rest;
    return line;
}

static const entry *find_entry(const control *c, const char *name) {
    for (uint32_t i = 0; i < c->entry_count; i++)
        if (!strcmp(c->entries[i].name, name)) return &c->entries[i];
    return NULL;
}

/* Do the next request of a client; false: there is none. */
static bool do_request(control *c, client *l) {
    pthread_mutex_lock(&c->lock);
    bool is_free = l->fd >= 0 && !l->request && !l->out.len;
    char *line = is_free ? take_line(l) : NULL;
    if (!line) {
        pthread_mutex_unlock(&c->lock);
        return false;
    }
    char *words = line + strcspn(line, " ");
    if (*words) *words++ = '\0';
    const entry *e = find_entry(c, line);
    uint64_t request = ++c->last_request;
    l->request = request;
    l->moved_ms = steady_ms();
    if (!e) put_unknown(c, l, line);
    pthread_mutex_unlock(&c->lock);
    if (e) e->run(e->arg, c, request, words);
    mem_free(line);
    return true;
}

/* Read what is there; a line that does not end is no request. The lock is held. */
static void read_in(client *l) {
    while (l->in.len <= CONTROL_LINE_BYTES) {
        ssize_t got = recv(l->fd, buf_need(&l->in, READ_BYTES), READ_BYTES, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == EAGAIN) return;
        if (got < 0) {
            drop(l);
            return;
        }
        if (got == 0) {
            l->has_ended = true;
            return;
        }
        l->in.len += (size_t)got;
    }
    if (!memchr(l->in.data, '\n', l->in.len)) drop(l);
}

/* -- the thread */

/* A place for one more: a free one, or that of who has been idle longest. */
static client *find_place(control *c) {
    client *idle = NULL;
    for (uint32_t i = 0; i < CONTROL_CLIENTS; i++) {
        client *l = &c->clients[i];
        if (l->fd < 0) return l;
        if (!l->request && (!idle || l->moved_ms < idle->moved_ms)) idle = l;
    }
    if (idle) drop(idle);
    return idle;
}

static void take_client(control *c) {
    int fd = accept4(c->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    pthread_mutex_lock(&c->lock);
    client *l = find_place(c);
    if (l)
        *l = (client){ .fd = fd, .moved_ms = steady_ms() };
    else
        close(fd);
    pthread_mutex_unlock(&c->lock);
}

/* What to wait for. */
static int put_polls(control *c, struct pollfd *polls, bool *waits) {
    polls[0] = (struct pollfd){ .fd = c->listener, .events = POLLIN };
    polls[1] = (struct pollfd){ .fd = c->wake, .events = POLLIN };
    *waits = false;
    pthread_mutex_lock(&c->lock);
    bool is_served = false;
    for (uint32_t i = 0; i < CONTROL_CLIENTS; i++) {
        const client *l = &c->clients[i];
        bool reads = !l->request && !l->has_ended;
        short events = l->out.len ? POLLOUT : reads ? POLLIN
                                                    : 0;
        polls[2 + i] = (struct pollfd){ .fd = l->fd, .events = events };
        *waits |= l->request != 0;
        is_served |= l->fd >= 0;
    }
    pthread_mutex_unlock(&c->lock);
    return *waits ? TURN_MS : is_served ? QUIET_MS / 10
                                        : -1;
}

/* Read and write where poll says so; drop who is gone or silent. */
static void serve_client(control *c, client *l, const struct pollfd *p) {
    const short gone = POLLHUP | POLLERR | POLLNVAL;
    pthread_mutex_lock(&c->lock);
    bool is_same = l->fd >= 0 && l->fd == p->fd;
    if (is_same && p->revents & POLLIN) read_in(l);
    if (is_same && l->fd >= 0 && l->out.len) write_out(l);
    if (is_same && l->fd >= 0 && p->revents & gone && !(p->revents & POLLIN)) drop(l);
    if (l->fd >= 0 && !l->request && steady_ms() - l->moved_ms > QUIET_MS) drop(l);
    pthread_mutex_unlock(&c->lock);
    bool more = true;
    while (more) {
        more = do_request(c, l);
        pthread_mutex_lock(&c->lock);
        if (l->fd >= 0) write_out(l);
        bool is_done = !more && l->fd >= 0 && l->has_ended && !l->request && !l->out.len;
        if (is_done) drop(l);
        pthread_mutex_unlock(&c->lock);
    }
}

static void *serve(void *arg) {
    control *c = arg;
    struct pollfd polls[2 + CONTROL_CLIENTS];
    while (!atomic_load(&c->is_ending)) {
        bool waits;
        int timeout_ms = put_polls(c, polls, &waits);
        if (poll(polls, 2 + CONTROL_CLIENTS, timeout_ms) < 0 && errno != EINTR) break;
        eventfd_t count;
        if (polls[1].revents) eventfd_read(c->wake, &count);
        for (uint32_t i = 0; i < CONTROL_CLIENTS; i++)
            serve_client(c, &c->clients[i], &polls[2 + i]);
        if (polls[0].revents & POLLIN) take_client(c);
        if (waits && c->turn) c->turn(c->turn_arg, c);
    }
    return NULL;
}

/* -- life */

control *control_new(void) {
    control *c = mem_zalloc(1, sizeof *c);
    c->listener = c->wake = c->place.folder = -1;
    for (uint32_t i = 0; i < CONTROL_CLIENTS; i++) c->clients[i].fd = -1;
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

void control_on(control *c, const char *name, control_command *run, void *arg) {
    if (c->entry_count < CONTROL_COMMANDS)
        c->entries[c->entry_count++] = (entry){ name, run, arg };
}

void control_on_turn(control *c, control_turn *turn, void *arg) {
    c->turn = turn;
    c->turn_arg = arg;
}

err *control_open(control *c, const char *name) {
    err *e = control_place_make(&c->place, name, &c->listener);
    if (e) return e;
    c->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    c->has_thread = c->wake >= 0 && thread_start(&c->thread, serve, c);
    return c->has_thread ? NULL : err_new(ERR_IO, "no thread for the control socket");
}

const char *control_label(const control *c, int *other) {
    *other = c->place.other;
    return c->place.label;
}

bool control_take_name(control *c, const char *name) {
    return control_place_take_name(&c->place, name);
}

/* The thread is gone: give what waits its answer, and a little time to leave. */
static void answer_last(control *c, const char *json) {
    int64_t until_ms = steady_ms() + LAST_MS;
    for (uint32_t i = 0; i < CONTROL_CLIENTS; i++) {
        client *l = &c->clients[i];
        if (l->fd >= 0 && l->request) put_answer(l, json);
        for (;;) {
            if (l->fd >= 0) write_out(l);
            int64_t left_ms = until_ms - steady_ms();
            if (l->fd < 0 || !l->out.len || left_ms <= 0) break;
            poll(&(struct pollfd){ .fd = l->fd, .events = POLLOUT }, 1, (int)left_ms);
        }
        if (l->fd >= 0) drop(l);
    }
}

void control_close(control *c, const char *json) {
    if (!c) return;
    atomic_store(&c->is_ending, true);
    if (c->wake >= 0) eventfd_write(c->wake, 1);
    if (c->has_thread) pthread_join(c->thread, NULL);
    answer_last(c, json);
    if (c->listener >= 0) close(c->listener);
    if (c->wake >= 0) close(c->wake);
    control_place_done(&c->place);
    pthread_mutex_destroy(&c->lock);
    mem_free(c);
}
