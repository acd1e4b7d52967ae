#pragma once
/* Requests over HTTP/1.1 (libcurl), each waiting for its whole answer. Connections are kept and
 * used again. TLS certificates are verified, always. The proxies of the environment are used
 * (http_proxy, https_proxy, no_proxy), but never for this machine itself. Redirects are not
 * followed. Nothing of a request but its host and what libcurl says gets into an error.
 *
 * Does not retry, but for `sent`: whoever asks knows whether asking twice is safe. thread: any,
 * each request in the thread that makes it; SIGPIPE must be ignored in the process. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"

typedef struct http http;

typedef struct http_config {
    const char *ca_file;      /* certificates to trust, PEM; NULL: the system's; copied */
    const volatile int *stop; /* != 0: requests end with ERR_STOPPED, within a second; borrowed,
                                 may be NULL */
    int64_t connect_ms;       /* longest wait for a connection; 0: 5 s */
    int64_t stall_ms;         /* longest time without a byte moving, rounded up to seconds, and
                                 5 s more once some have; 0: 10 s */
    /* Nothing of a request has moved for so long: called about once a second while that lasts, on
     * the request's thread; NULL: nobody wants to know. */
    void (*on_still)(void *arg, int64_t still_ms);
    void *on_still_arg;
} http_config;

/* How a request is signed (AWS Signature 4). With it the query must stand in the order of names and
 * each name have its `=`: libcurl 7.88 signs it as it finds it. */
typedef struct http_signature {
    const char *region;
    const char *service; /* "s3" */
    const char *access_key;
    const char *secret_key;
} http_signature;

typedef struct http_request {
    const char *method;         /* "GET" */
    const char *url;            /* http:// or https:// */
    const char *const *headers; /* "Name: value", up to a NULL; NULL: none */
    const void *body;           /* NULL: none */
    size_t body_len;
    const http_signature *signature; /* NULL: not signed */
    int64_t timeout_ms;              /* for all of it; 0: no limit but `stall_ms` */
    size_t most;                     /* longest body of an answer, bytes; 0: 16 MB */
} http_request;

/* Zero it before its first use; http_answer_done at the end. */
typedef struct http_answer {
    int32_t status; /* 200 */
    int32_t sent;   /* how often it was sent: twice where a kept connection was closed before an
                       answer came, which need not mean before the request was carried out */
    buf headers;    /* as they came, lines with their ends */
    buf body;       /* whole: as long as the server said it would be */
} http_answer;

http *http_new(const http_config *config);
void http_free(http *h);

/* Ask, and wait for the answer, which replaces what `a` held. Any status is an answer. ERR_IO:
 * there is none, or not all of it; the request may have been carried out all the same. `retriable`:
 * but for certificates, a URL that is none, and an answer longer than `most`. ERR_STOPPED. */
err *http_send(http *h, const http_request *r, http_answer *a);

/* A header's value, borrowed from `a`, without blanks around it; false: there is none. */
bool http_header(const http_answer *a, const char *name, const char **value, size_t *len);

void http_answer_done(http_answer *a);

/* Append `text` as a part of a path or query: all but letters, digits, - . _ ~ as %XX. */
void http_escape(buf *out, const char *text);
