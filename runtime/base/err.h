#pragma once
/* Errors as values. A function that can fail returns `err *`; NULL is success. Whoever handles an
 * error frees it. Decide by `code`, `retriable`, `fatal`, never by the text. thread: any. */
#include <stdarg.h>
#include <stdbool.h>

typedef enum err_code {
    ERR_USAGE = 1, /* wrong command line or option: exit 2 */
    ERR_PLAN,      /* the script or its plan is wrong: exit 2 */
    ERR_SCRIPT,    /* user code threw while running */
    ERR_DATA,      /* a record is bad and the policy is `fail`, or too many are */
    ERR_STATE,     /* a result that cannot be represented */
    ERR_IO,        /* file or socket */
    ERR_BROKER,    /* Kafka: unreachable, topic or offset gone */
    ERR_MISSING,   /* Kafka: topics that do not exist at the start; all of them are told at once */
    ERR_AUTH,      /* Kafka: refused for good */
    ERR_STOPPED,   /* asked to stop while waiting */
    ERR_FENCED,    /* another process works under the same name: exit 3 */
    ERR_REFUSED,   /* stored state that cannot be used as it is; says the way out: exit 4 */
    ERR_CRASHED,   /* a test lets the process die here (kit) */
} err_code;

typedef struct err {
    err_code code;
    bool retriable; /* the same call may succeed later */
    bool fatal;     /* the handle that gave it, or what it read, is of no use to this program */
    char *message;  /* owned; "what failed on what: seen, wanted"; no full stop at the end */
} err;

/* Make an error. printf-style; owned by the caller: err_free. */
err *err_new(err_code code, const char *format, ...)
    __attribute__((format(printf, 2, 3), returns_nonnull));

/* Put "context: " in front of the message of `e`, which is taken and given back. NULL stays NULL.
 */
err *err_wrap(err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Two errors as one, of the first one's code: the messages in lines. Both are taken; either may be
 * NULL. */
err *err_join(err *first, err *second);

/* Free `e`; NULL is allowed. */
void err_free(err *e);
