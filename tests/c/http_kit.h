#pragma once
/* A server that answers what it is told, in that order, whatever it is asked, and keeps what it was
 * asked. One connection at a time. An answer that is one of:
 *
 *   "!close"  ends the connection without an answer
 *   "!hang"   lets the client wait until it goes away
 *
 * and one that says so, or ends before its Content-Length or last chunk, ends the connection, too.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/buf.h"

enum { KIT_ANSWERS = 32 };

typedef struct http_kit {
    int fd;
    int port;
    char endpoint[64]; /* "http://127.0.0.1:PORT" */
    pthread_t thread;
    const char *answers[KIT_ANSWERS]; /* up to a NULL */
    buf asked[KIT_ANSWERS];           /* whole requests, NUL-terminated */
    atomic_int count;                 /* of requests */
    int connections;
    atomic_bool is_over;
} http_kit;

static inline size_t kit_body_len(const char *head) {
    const char *line = strcasestr(head, "\r\nContent-Length:");
    return line ? (size_t)atol(line + 17) : 0;
}

/* Until there is something to read; false: nobody will come any more. */
static inline bool kit_wait(http_kit *k, int fd) {
    struct pollfd p = { .fd = fd, .events = POLLIN };
    while (!k->is_over) {
        if (poll(&p, 1, 10) > 0) return true;
    }
    return false;
}

/* A whole request into `to`; false: the client went away. */
static inline bool kit_read(http_kit *k, int fd, buf *to) {
    for (size_t head = 0;;) {
        ssize_t got = kit_wait(k, fd) ? read(fd, buf_need(to, 65536), 65535) : 0;
        if (got <= 0) return false;
        to->len += (size_t)got;
        const char *end = strstr(buf_text(to), "\r\n\r\n");
        if (end) head = (size_t)(end - to->data) + 4;
        if (head && to->len >= head + kit_body_len(to->data)) return true;
    }
}

/* Whether the connection goes on. */
static inline bool kit_answer(http_kit *k, int fd, const char *answer) {
    char byte;
    if (!answer || !strcmp(answer, "!close")) return false;
    if (!strcmp(answer, "!hang")) {
        while (kit_wait(k, fd) && read(fd, &byte, 1) > 0) {
        }
        return false;
    }
    size_t len = strlen(answer), sent = 0;
    while (sent < len) {
        ssize_t wrote = send(fd, answer + sent, len - sent, MSG_NOSIGNAL);
        if (wrote <= 0) return false;
        sent += (size_t)wrote;
    }
    const char *body = strstr(answer, "\r\n\r\n");
    if (strstr(answer, "Connection: close")) return false;
    if (strstr(answer, "chunked")) return strstr(answer, "\r\n0\r\n\r\n");
    return body && strlen(body + 4) >= kit_body_len(answer);
}

static inline void *kit_serve(void *arg) {
    http_kit *k = arg;
    while (kit_wait(k, k->fd)) {
        int fd = accept(k->fd, NULL, NULL);
        k->connections++;
        for (bool goes_on = true; goes_on && k->count < KIT_ANSWERS;) {
            buf *asked = &k->asked[k->count];
            goes_on = kit_read(k, fd, asked);
            if (goes_on)
                goes_on = kit_answer(k, fd, k->answers[k->count++]);
            else
                buf_done(asked);
        }
        close(fd);
    }
    return NULL;
}

/* Begin to serve; `answers` up to a NULL. */
static inline void kit_start(http_kit *k, const char *const *answers) {
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof at;
    *k = (http_kit){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
    for (int i = 0; answers[i]; i++) k->answers[i] = answers[i];
    if (bind(k->fd, (struct sockaddr *)&at, len) || listen(k->fd, 16)) perror("http_kit");
    getsockname(k->fd, (struct sockaddr *)&at, &len);
    k->port = ntohs(at.sin_port);
    snprintf(k->endpoint, sizeof k->endpoint, "http://127.0.0.1:%d", k->port);
    pthread_create(&k->thread, NULL, kit_serve, k);
}

/* The n-th request as text; "" where there was none. */
static inline const char *kit_asked(http_kit *k, int n) {
    return n < k->count ? buf_text(&k->asked[n]) : "";
}

static inline void kit_stop(http_kit *k) {
    k->is_over = true;
    pthread_join(k->thread, NULL);
    close(k->fd);
    for (int i = 0; i < KIT_ANSWERS; i++) buf_done(&k->asked[i]);
}
