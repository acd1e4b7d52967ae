#pragma once
/* TLS on a socket that does not block. With runtime/helper the only place that knows OpenSSL, whose
 * names clash with base/err.h: what is wrong is told as a text. A session has one owner; thread:
 * the owner's. A context may be shared, thread: any. */
#include <stdbool.h>
#include <stddef.h>

typedef struct tls_context tls_context;
typedef struct tls_session tls_session;

/* Texts are borrowed for the call. */
typedef struct tls_options {
    const char *ca;        /* trusted certificates, PEM; NULL: those of the system */
    const char *cert;      /* own certificate and those above it, PEM; NULL: none */
    const char *key;       /* its key, PEM; NULL: none */
    const char *password;  /* of the key; NULL: none */
    bool ignores_hostname; /* a certificate of another host will do */
} tls_options;

/* How a call ended. */
typedef enum tls_state {
    TLS_DONE,
    TLS_WANTS_READ, /* when the socket can be read: the same call again */
    TLS_WANTS_WRITE,
    TLS_BROKEN, /* `*reason` says why */
} tls_state;

/* NULL, or what is wrong (not owned). */
const char *tls_context_new(const tls_options *options, tls_context **made);
void tls_context_free(tls_context *c); /* NULL is allowed */

/* A session on the connected socket `fd`, which stays the caller's, with `host`, a name or a
 * number. NULL: it cannot be made. */
tls_session *tls_session_new(const tls_context *c, int fd, const char *host);
void tls_session_free(tls_session *s); /* NULL is allowed */

tls_state tls_shake_hands(tls_session *s, const char **reason);

/* Move bytes; `*moved` > 0 with TLS_DONE. */
tls_state tls_send(tls_session *s, const char *data, size_t len, size_t *moved,
                   const char **reason);
tls_state tls_receive(tls_session *s, char *data, size_t room, size_t *moved, const char **reason);

/* Whether bytes that came lie in the session, not in the socket. */
bool tls_has_input(const tls_session *s);
