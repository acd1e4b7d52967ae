#pragma once
/* A connection to a broker: TCP, or TLS on it, and frames with their length in front. Every wait
 * ends when `stop_fd` can be read, or nothing moves for FETCH_CONN_MS. No logins (SASL). One owner;
 * thread: the owner's. */
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/connect/tls.h"

enum { FETCH_CONN_MS = 30000 }; /* longer than a leader slows its clients down */

typedef struct fetch_conn fetch_conn;

/* Connect to "host:port"; `tls` NULL: in clear. ERR_BROKER, ERR_STOPPED. */
err *fetch_conn_open(const char *address, const tls_context *tls, int stop_fd, fetch_conn **conn);
void fetch_conn_close(fetch_conn *c); /* NULL is allowed */

/* Send a frame that has its length in front. ERR_BROKER, ERR_STOPPED: the connection is of no more
 * use. */
err *fetch_conn_send(fetch_conn *c, const buf *frame);

/* Receive a frame of at most `most` bytes into `frame`, without its length. Likewise; `*is_long`:
 * it has more. */
err *fetch_conn_receive(fetch_conn *c, buf *frame, size_t most, bool *is_long);
