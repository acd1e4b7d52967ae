#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/base/mem.h"
#include "state/store_s3.h"

/* DESIGN: of XML no more is read than "the text of the first element called so in these bytes".
 * Answers of S3 are flat, and names that would need unescaping are not ours. */

typedef struct span {
    const char *data; /* NULL: none */
    size_t len;
} span;

static span element(span in, const char *tag) {
    char open[64], shut[64];
    size_t open_len = (size_t)snprintf(open, sizeof open, "<%s>", tag);
    snprintf(shut, sizeof shut, "</%s>", tag);
    const char *start = in.len ? memmem(in.data, in.len, open, open_len) : NULL;
    if (!start) return (span){ 0 };
    start += open_len;
    const char *end = memmem(start, (size_t)(in.data + in.len - start), shut, open_len + 1);
    return end ? (span){ start, (size_t)(end - start) } : (span){ 0 };
}

static void text_of(span in, const char *tag, char *into, size_t room) {
    span found = element(in, tag);
    size_t len = found.len < room ? found.len : room - 1;
    if (len) memcpy(into, found.data, len);
    into[len] = '\0';
    for (char *c = into; *c; c++) {
        if ((unsigned char)*c < ' ') *c = ' ';
    }
}

static void header_text(const http_answer *a, const char *name, char *into, size_t room) {
    const char *value;
    size_t len;
    if (!http_header(a, name, &value, &len)) len = 0;
    if (len >= room) len = room - 1;
    if (len) memcpy(into, value, len);
    into[len] = '\0';
}

void s3_fault_read(const http_answer *a, s3_fault *f) {
    char seconds[16];
    span body = { a->body.data, a->body.len };
    *f = (s3_fault){ .status = a->status, .retry_after_ms = -1 };
    text_of(body, "Code", f->code, sizeof f->code);
    text_of(body, "Message", f->words, sizeof f->words);
    text_of(body, "Region", f->region, sizeof f->region);
    if (!f->region[0]) header_text(a, "x-amz-bucket-region", f->region, sizeof f->region);
    header_text(a, "Retry-After", seconds, sizeof seconds);
    if (seconds[0] >= '0' && seconds[0] <= '9') f->retry_after_ms = atoi(seconds) * 1000ll;
}

bool s3_fault_may_pass(const s3_fault *f) {
    static const char *const codes[] = { "RequestTimeout", "SlowDown", "ServiceUnavailable",
                                         "InternalError", "ConditionalRequestConflict",
                                         "OperationAborted", "Throttling", NULL };
    for (int i = 0; codes[i]; i++) {
        if (!strcmp(f->code, codes[i])) return true;
    }
    return f->status == 408 || f->status == 429 || (f->status >= 500 && f->status != 501);
}

/* What there is to be done about it. */
typedef struct remedy {
    const char *code;
    const char *words;
} remedy;

static const remedy remedies[] = {
    { "NoSuchBucket", "make the bucket, or correct the checkpoint's URL" },
    { "AccessDenied", "these keys need s3:ListBucket on the bucket, and s3:GetObject, s3:PutObject "
                      "and s3:DeleteObject below the folder" },
    { "InvalidAccessKeyId", "the server does not know the access key" },
    { "XAdminUserNotFound", "the server does not know the access key" },
    { "SignatureDoesNotMatch", "the secret key does not belong to the access key" },
    { "ExpiredToken", "the session token has run out: start again with a new one" },
    { "InvalidToken", "a session token goes with the keys it came with" },
    { "RequestTimeTooSkewed", "the clock of this machine is wrong" },
    { NULL, NULL },
};

static const char *remedy_of(const s3_fault *f) {
    for (const remedy *r = remedies; r->code; r++) {
        if (!strcmp(f->code, r->code)) return r->words;
    }
    return f->status == 403 || f->status == 401 ? "the server does not let these keys do it" : NULL;
}

/* A wrong region is 301, 307 or 400 AuthorizationHeaderMalformed, and the right one is told. */
static bool is_elsewhere(const s3_place *p, const s3_fault *f) {
    return f->region[0] && f->status < 500 && strcmp(f->region, p->region) != 0;
}

err *s3_fault_error(const s3_place *p, const char *doing, const char *name, const s3_fault *f) {
    buf text = { 0 };
    const char *words = remedy_of(f);
    buf_printf(&text, "s3://%s/%s: %s `%s`: %d %s", p->bucket, p->prefix, doing, name,
               (int)f->status, f->code);
    if (f->words[0]) buf_printf(&text, " (%s)", f->words);
    if (is_elsewhere(p, f)) {
        buf_printf(&text, ": the bucket lies in the region %s, asked as in %s: set `region`",
                   f->region, p->region);
    } else if (words) {
        buf_printf(&text, ": %s", words);
    }
    err *e = err_new(ERR_IO, "%s", buf_text(&text));
    e->retriable = s3_fault_may_pass(f);
    buf_done(&text);
    return e;
}

/* "2026-11-26T03:04:05.678Z" as Unix ms; 0 where it is none. */
static int64_t time_of(const char *text) {
    struct tm t = { 0 };
    int ms = 0;
    int fields = sscanf(text, "%d-%d-%dT%d:%d:%d.%3d", &t.tm_year, &t.tm_mon, &t.tm_mday,
                        &t.tm_hour, &t.tm_min, &t.tm_sec, &ms);
    if (fields < 6) return 0;
    t.tm_year -= 1900;
    t.tm_mon -= 1;
    return (int64_t)timegm(&t) * 1000 + ms;
}

static void take_entry(span entry, const char *prefix, store_listing *found) {
    char name[1100], size[24], changed[40];
    size_t prefix_len = strlen(prefix);
    text_of(entry, "Key", name, sizeof name);
    text_of(entry, "Size", size, sizeof size);
    text_of(entry, "LastModified", changed, sizeof changed);
    if (strncmp(name, prefix, prefix_len) || !store_is_name(name + prefix_len)) return;
    store_listing_add(found, name + prefix_len, strtoll(size, NULL, 10), time_of(changed));
}

err *s3_page_read(const http_answer *a, const char *prefix, store_listing *found, char **token) {
    span page = element((span){ a->body.data, a->body.len }, "IsTruncated");
    bool has_more = page.len == 4 && !memcmp(page.data, "true", 4);
    *token = NULL;
    if (!page.data) return err_new(ERR_IO, "the answer is no listing (version 2) of S3");
    span rest = { a->body.data, a->body.len };
    for (span entry; (entry = element(rest, "Contents")).data;) {
        take_entry(entry, prefix, found);
        rest.len -= (size_t)(entry.data + entry.len - rest.data);
        rest.data = entry.data + entry.len;
    }
    span next = element((span){ a->body.data, a->body.len }, "NextContinuationToken");
    if (has_more && !next.len) return err_new(ERR_IO, "a listing goes on, but says not where");
    if (has_more) *token = mem_copy_text(next.data, next.len);
    return NULL;
}
