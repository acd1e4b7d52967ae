#pragma once
/* A connection to a broker: TCP, or TLS on it, and frames with their length in front. Every wait
 * ends when `stop_fd` can be read, when the watch says so, or nothing moves for FETCH_CONN_MS. No
 * logins (SASL). One owner; thread: the owner's. */
#include <stdbool.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/connect/tls.h"

enum { FETCH_CONN_MS = 30000 }; /* longer than a leader slows its clients down */

typedef struct fetch_conn fetch_conn;

/* Looks in while there is nothing to do but wait; its error ends the wait. */
typedef struct fetch_watch {
    err *(*look)(void *owner); /* NULL: nobody looks */
    void *owner;
    int slice_ms; /* between two looks */
} fetch_watch;

/* Connect to "host:port"; `tls` NULL: in clear. ERR_BROKER, ERR_STOPPED. */
err *fetch_conn_open(const char *address, const tls_context *tls, int stop_fd, fetch_conn **conn);
void fetch_conn_close(fetch_conn *c); /* NULL is allowed */

/* The same, watched, and without a descriptor that stops it. The watch is copied. */
err *fetch_conn_open_watched(const char *address, const tls_context *tls, const fetch_watch *watch,
                             fetch_conn **conn);

/* Whether something may have come. Does not wait. */
bool fetch_conn_has_input(const fetch_conn *c);

/* Send a frame that has its length in front. ERR_BROKER, ERR_STOPPED: the connection is of no more
 * use. */
err *fetch_conn_send(fetch_conn *c, const buf *frame);

/* Receive a frame of at most `most` bytes into `frame`, without its length. Likewise; `*is_long`:
 * it has more. */
err *fetch_conn_receive(fetch_conn *c, buf *frame, size_t most, bool *is_long);
