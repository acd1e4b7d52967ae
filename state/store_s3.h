#pragma once
/* Inside of the s3: store: where it is and who asks (store_s3_place.c), and what an answer says
 * (store_s3_answer.c). thread: any; nothing here changes after it was made. */
#include <stdbool.h>
#include <stdint.h>

#include "runtime/net/http.h"
#include "state/store_inside.h"

typedef struct s3_place {
    char *bucket;
    char *prefix;     /* of all names, with a slash at its end; or "" */
    char *base;       /* URL of the bucket, with a slash at its end */
    char *region;     /* requests are signed for it */
    char *access_key; /* secrets, these three: they get into no message */
    char *secret_key;
    char *session_token; /* NULL: none */
    char *ca_file;       /* NULL: the system's certificates */
} s3_place;

/* From the URL and options, then the environment as Amazon's tools have it, then the profile of
 * their file of credentials. ERR_PLAN: says what is wrong, or what is missing and where it is
 * looked for. */
err *s3_place_read(const store_config *config, s3_place *p);
void s3_place_done(s3_place *p);

/* What an answer other than 2xx says. */
typedef struct s3_fault {
    int32_t status;
    char code[64]; /* "NoSuchKey"; "" where the server sent none */
    char words[200];
    char region[64];        /* the bucket's, where the server tells it; else "" */
    int64_t retry_after_ms; /* < 0: not said */
} s3_fault;

void s3_fault_read(const http_answer *a, s3_fault *f);

/* Whether the same request may succeed later. */
bool s3_fault_may_pass(const s3_fault *f);

/* As an error that says what to do about it. `doing`: "putting". */
err *s3_fault_error(const s3_place *p, const char *doing, const char *name, const s3_fault *f);

/* One page of a listing: what lies in it goes to `found`, without `prefix`. `token`: owned, where
 * the next page begins; NULL: this was the last. */
err *s3_page_read(const http_answer *a, const char *prefix, store_listing *found, char **token);
