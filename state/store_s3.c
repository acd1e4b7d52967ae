#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/crash.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/shared/helper.h"
#include "state/store_s3.h"

/* DESIGN: an object is one PUT, which S3 makes visible whole or not at all, and durable before it
 * answers; its SHA-256 goes with it, so that what arrived damaged is refused. STORE_NEW is the
 * condition `If-None-Match: *`. Not every server knows it, and one that does not would overwrite:
 * the first STORE_NEW therefore tries it out on an object of its own, PREFIX/.probe, which stays.
 *
 * A request whose answer was lost is asked again. If it was a STORE_NEW it may then meet its own
 * object; `unsure` remembers the names, also from one put to the next. */

enum {
    MOST_OBJECT_BYTES = 1 << 30,
    SLOWEST_BYTES_MS = 100, /* a transfer may take a ms for so many bytes, beyond the patience */
    LONGEST_GET_MS = 300000,
    LONGEST_STALL_MS = 10000,
    SHORTEST_STALL_MS = 1000,
    HEADERS = 6,
};

typedef enum s3_condition {
    CONDITION_UNKNOWN,
    CONDITION_OBEYED,
    CONDITION_IGNORED,
} s3_condition;

typedef struct s3_store {
    s3_place place;
    http *http;               /* owned */
    logger *log;              /* borrowed; may be NULL */
    const volatile int *stop; /* borrowed; may be NULL */
    int64_t patience_ms;
    char *title; /* "s3://BUCKET/PREFIX"; owned */
    store_outage outage;
    bool does_without;      /* conditional_puts = false */
    store_names unsure;     /* STORE_NEW was asked for, and how it ended is not known */
    pthread_mutex_t lock;   /* guards `condition`, also while it is found out */
    s3_condition condition; /* what the server does with If-None-Match */
} s3_store;

typedef struct s3_request {
    const char *doing; /* "putting" */
    const char *method;
    const char *name;  /* of the object; with `query` what is listed */
    const char *query; /* NULL: of an object */
    const void *bytes;
    size_t len;
    bool is_new;     /* under the condition that there is none */
    bool was_unsure; /* out: an earlier try may have been carried out */
} s3_request;

static char *title_of(const s3_place *p) {
    buf text = { 0 };
    buf_printf(&text, "s3://%s/%s", p->bucket, p->prefix);
    char *title = mem_copy_text(text.data, text.len);
    buf_done(&text);
    return title;
}

/* http_config.on_still */
static void on_still(void *arg, int64_t still_ms) {
    s3_store *s = arg;
    if (still_ms >= STORE_TELL_MS)
        store_outage_goes_on(&s->outage, still_ms, "no answer to a request");
}

static err *s3_open(const store_config *config, void **handle) {
    s3_place place;
    err *e = s3_place_read(config, &place);
    if (e) return e;
    s3_store *s = mem_zalloc(1, sizeof *s);
    s->place = place;
    s->log = config->log;
    s->stop = config->stop;
    s->patience_ms = config->patience_ms ? config->patience_ms : STORE_PATIENCE_MS;
    int64_t stall_ms = s->patience_ms / 3;
    if (stall_ms > LONGEST_STALL_MS) stall_ms = LONGEST_STALL_MS;
    if (stall_ms < SHORTEST_STALL_MS) stall_ms = SHORTEST_STALL_MS;
    s->title = title_of(&place);
    store_outage_init(&s->outage, config->log, s->title);
    s->http = http_new(&(http_config){
        .ca_file = place.ca_file,
        .stop = config->stop,
        .stall_ms = stall_ms,
        .on_still = on_still,
        .on_still_arg = s,
    });
    s->does_without = !store_option_flag(config, "conditional_puts", true);
    if (s->does_without) s->condition = CONDITION_IGNORED;
    store_names_init(&s->unsure);
    pthread_mutex_init(&s->lock, NULL);
    *handle = s;
    return NULL;
}

static void s3_close(void *handle) {
    s3_store *s = handle;
    http_free(s->http);
    store_names_done(&s->unsure);
    store_outage_done(&s->outage);
    mem_free(s->title);
    pthread_mutex_destroy(&s->lock);
    s3_place_done(&s->place);
    mem_free(s);
}

static char *url_of(const s3_place *p, const s3_request *r) {
    buf url = { 0 };
    if (r->query)
        buf_printf(&url, "%s?%s", p->base, r->query);
    else
        buf_printf(&url, "%s%s%s", p->base, p->prefix, r->name);
    char *text = mem_copy_text(url.data, url.len);
    buf_done(&url);
    return text;
}

static int64_t timeout_of(const s3_request *r, int64_t left_ms) {
    if (!strcmp(r->method, "GET")) return LONGEST_GET_MS;
    return left_ms + SHORTEST_STALL_MS + (int64_t)(r->len / SLOWEST_BYTES_MS);
}

/* One try. */
static err *ask_once(s3_store *s, const s3_request *r, int64_t left_ms, http_answer *a) {
    const s3_place *p = &s->place;
    const http_signature signature = { p->region, "s3", p->access_key, p->secret_key };
    buf sum = { 0 }, token = { 0 };
    char digest[65] = "";
    sl_hash_sha256(r->bytes ? r->bytes : "", (uint32_t)r->len, digest);
    buf_printf(&sum, "x-amz-content-sha256: %.64s", digest);
    const char *headers[HEADERS] = { buf_text(&sum) };
    int count = 1;
    if (r->bytes) headers[count++] = "Content-Type: application/octet-stream";
    if (r->is_new) headers[count++] = "If-None-Match: *";
    if (p->session_token) {
        buf_printf(&token, "x-amz-security-token: %s", p->session_token);
        headers[count++] = buf_text(&token);
    }
    http_request request = {
        .method = r->method,
        .headers = headers,
        .body = r->bytes,
        .body_len = r->len,
        .signature = &signature,
        .timeout_ms = timeout_of(r, left_ms),
        .most = MOST_OBJECT_BYTES,
    };
    char *url = url_of(p, r);
    request.url = url;
    err *e = http_send(s->http, &request, a);
    mem_free(url);
    buf_done(&sum);
    buf_done(&token);
    return err_wrap(e, "s3://%s/%s: %s `%s`", p->bucket, p->prefix, r->doing, r->name);
}

/* One try, and what came of it: NULL and an answer that asking again would not change, or an error.
 * `wait_ms`: how long the server wants to be left alone. */
static err *try_once(s3_store *s, s3_request *r, const store_patience *p, http_answer *a,
                     int64_t *wait_ms) {
    s3_fault fault = { .retry_after_ms = -1 };
    err *e = ask_once(s, r, store_patience_left_ms(p), a);
    if (!e && a->status >= 300) {
        s3_fault_read(a, &fault);
        if (s3_fault_may_pass(&fault)) e = s3_fault_error(&s->place, r->doing, r->name, &fault);
    }
    *wait_ms = fault.retry_after_ms;
    if (a->sent > 1 || (e && e->retriable)) r->was_unsure = true;
    if (!e) store_outage_is_over(&s->outage);
    if (!e || !e->retriable) return e;
    store_outage_goes_on(&s->outage, 0, e->message);
    if (s->log)
        log_write(s->log, LOG_DEBUG, "store asked again",
                  LOG_FIELDS(log_text("error", e->message)));
    return e;
}

/* Ask until there is an answer that asking again would not change. */
static err *ask(s3_store *s, s3_request *r, http_answer *a) {
    store_patience patience = store_patience_begin(s->patience_ms, s->stop);
    for (;;) {
        int64_t wait_ms;
        err *e = try_once(s, r, &patience, a, &wait_ms);
        if (e && e->retriable)
            e = store_patience_wait(&patience, e, wait_ms);
        else
            return e;
        if (e) return e;
    }
}

/* The error of an answer that was not expected. */
static err *refusal(const s3_store *s, const s3_request *r, const http_answer *a) {
    s3_fault fault;
    s3_fault_read(a, &fault);
    return s3_fault_error(&s->place, r->doing, r->name, &fault);
}

static bool is_ok(const http_answer *a) { return a->status >= 200 && a->status < 300; }

/* "There is no such object", not "no such bucket" or user. */
static bool is_no_object(const http_answer *a) {
    if (a->status != 404) return false;
    s3_fault fault;
    s3_fault_read(a, &fault);
    return !fault.code[0] || !strcmp(fault.code, "NoSuchKey");
}

static err *s3_get(void *handle, const char *name, buf *out, bool *missing) {
    s3_store *s = handle;
    *missing = false;
    err *e = store_check_name(name);
    if (e) return e;
    http_answer a = { 0 };
    s3_request r = { .doing = "getting", .method = "GET", .name = name };
    e = ask(s, &r, &a);
    if (!e && is_ok(&a)) {
        if (out->len)
            buf_put(out, a.body.data, a.body.len);
        else { // the bytes change hands
            buf_done(out);
            *out = a.body;
            a.body = (buf){ 0 };
        }
    } else if (!e && is_no_object(&a)) {
        *missing = true;
    } else if (!e) {
        e = refusal(s, &r, &a);
    }
    http_answer_done(&a);
    return e;
}

/* Whether the object there is of these bytes; `missing`: there is none. */
static err *holds(s3_store *s, const char *name, const void *bytes, size_t len, bool *is_same,
                  bool *missing) {
    buf there = { 0 };
    err *e = s3_get(s, name, &there, missing);
    *is_same = !e && !*missing && there.len == len && !memcmp(there.data, bytes, len);
    buf_done(&there);
    return e;
}

/* Under the condition that there is none; an own put of before may have been carried out, its
 * answer lost. So before it is asked again one looks: a server that refuses a long body may do so
 * by ending the connection. `exists`: what is there is another's. */
static err *put_under_condition(s3_store *s, s3_request *r, http_answer *a, bool *exists) {
    store_patience patience = store_patience_begin(s->patience_ms, s->stop);
    bool is_same = false, missing = true;
    for (;;) {
        int64_t wait_ms;
        err *e = r->was_unsure ? holds(s, r->name, r->bytes, r->len, &is_same, &missing) : NULL;
        *exists = !missing && !is_same;
        if (e || !missing) return e;
        e = try_once(s, r, &patience, a, &wait_ms);
        *exists = !e && a->status == 412;
        if (*exists && r->was_unsure) { // look whose it is
            e = refusal(s, r, a);
            e->retriable = true;
        }
        if (!e) return *exists || is_ok(a) ? NULL : refusal(s, r, a);
        if (!e->retriable) return e;
        e = store_patience_wait(&patience, e, wait_ms);
        if (e) return e;
    }
}

static err *put_unconditionally(s3_store *s, s3_request *r, http_answer *a) {
    err *e = ask(s, r, a);
    return e || is_ok(a) ? e : refusal(s, r, a);
}

/* Put the probe. `answer`: what the server said to it. */
static err *put_probe(s3_store *s, bool is_new, s3_fault *answer) {
    http_answer a = { 0 };
    s3_request r = { .doing = "putting", .method = "PUT", .name = ".probe", .is_new = is_new };
    r.bytes = "sluice tries out If-None-Match here\n";
    r.len = strlen(r.bytes);
    err *e = ask(s, &r, &a);
    s3_fault_read(&a, answer);
    bool may_mean_condition = is_new && !strcmp(answer->code, "NotImplemented");
    if (!e && !is_ok(&a) && a.status != 412 && !may_mean_condition) e = refusal(s, &r, &a);
    http_answer_done(&a);
    return e;
}

/* With the lock held. */
static err *try_condition(s3_store *s) {
    s3_fault answer;
    err *e = put_probe(s, true, &answer);
    if (!e && answer.status < 300) e = put_probe(s, true, &answer);
    bool is_obeyed = answer.status == 412;
    // it may be something else that it cannot do
    if (!e && !is_obeyed) e = put_probe(s, false, &answer);
    if (e) return e;
    s->condition = is_obeyed ? CONDITION_OBEYED : CONDITION_IGNORED;
    if (!is_obeyed && s->log) {
        log_warn(s->log, "the store does not know If-None-Match: two processes of one pipeline "
                         "that start at the same time may both think that they are first",
                 log_text("bucket", s->place.bucket));
    }
    return NULL;
}

static err *know_condition(s3_store *s, bool *is_obeyed) {
    err *e = NULL;
    pthread_mutex_lock(&s->lock);
    if (s->condition == CONDITION_UNKNOWN) e = try_condition(s);
    *is_obeyed = s->condition == CONDITION_OBEYED;
    pthread_mutex_unlock(&s->lock);
    return e;
}

static err *s3_guard(void *handle) {
    s3_store *s = handle;
    bool is_obeyed = true;
    err *e = s->does_without ? NULL : know_condition(s, &is_obeyed);
    if (e || is_obeyed) return e;
    return err_new(ERR_PLAN,
                   "s3://%s: the server does not refuse the second of two PUTs of one name "
                   "(If-None-Match), so nothing would keep a second process of this pipeline out, "
                   "and rows could be lost or doubled. Take a server that does, or put the "
                   "progress into Kafka; or, where something else sees to it that only one runs, "
                   "set conditional_puts = false in `checkpoint`",
                   s->place.bucket);
}

static err *put_new(s3_store *s, s3_request *r, http_answer *a, bool *exists) {
    bool is_same = false, missing = true;
    err *e = know_condition(s, &r->is_new);
    if (e) return e;
    r->was_unsure = store_names_has(&s->unsure, r->name);
    if (r->is_new) {
        e = put_under_condition(s, r, a, exists);
    } else {
        e = holds(s, r->name, r->bytes, r->len, &is_same, &missing);
        *exists = !missing && !(is_same && r->was_unsure);
        if (!e && missing) e = put_unconditionally(s, r, a);
    }
    if (e)
        store_names_add(&s->unsure, r->name);
    else
        store_names_remove(&s->unsure, r->name);
    return e;
}

static err *s3_put(void *handle, const char *name, const void *bytes, size_t len, int32_t how,
                   bool *exists) {
    *exists = false;
    err *e = store_check_name(name);
    if (e) return e;
    http_answer a = { 0 };
    s3_request r = { .doing = "putting", .method = "PUT", .name = name, .len = len };
    r.bytes = len ? bytes : "";
    e = how == STORE_NEW ? put_new(handle, &r, &a, exists) : put_unconditionally(handle, &r, &a);
    crash_point("store_answered");
    http_answer_done(&a);
    return e;
}

static err *list_page(s3_store *s, const char *prefix, store_listing *found, char **token) {
    buf query = { 0 }, full = { 0 };
    http_answer a = { 0 };
    buf_printf(&full, "%s%s", s->place.prefix, prefix);
    if (*token) { // the names stand in their order: see http_signature
        buf_put_text(&query, "continuation-token=");
        http_escape(&query, *token);
        buf_put_char(&query, '&');
    }
    buf_put_text(&query, "list-type=2&prefix=");
    http_escape(&query, buf_text(&full));
    s3_request r = { .doing = "listing", .method = "GET", .name = prefix };
    r.query = buf_text(&query);
    err *e = ask(s, &r, &a);
    mem_free(*token);
    *token = NULL;
    if (!e && !is_ok(&a)) e = refusal(s, &r, &a);
    if (!e) {
        e = err_wrap(s3_page_read(&a, s->place.prefix, found, token), "s3://%s/%s: listing `%s`",
                     s->place.bucket, s->place.prefix, prefix);
    }
    http_answer_done(&a);
    buf_done(&query);
    buf_done(&full);
    return e;
}

static err *s3_list(void *handle, const char *prefix, store_visit *visit, void *arg) {
    store_listing found = { 0 };
    char *token = NULL;
    err *e;
    do {
        e = list_page(handle, prefix, &found, &token);
    } while (!e && token);
    if (!e) e = store_listing_visit(&found, visit, arg);
    store_listing_done(&found);
    return e;
}

static err *s3_remove(void *handle, const char *name) {
    err *e = store_check_name(name);
    if (e) return e;
    http_answer a = { 0 };
    s3_request r = { .doing = "removing", .method = "DELETE", .name = name };
    e = ask(handle, &r, &a);
    if (!e && !is_ok(&a) && !is_no_object(&a)) e = refusal(handle, &r, &a);
    http_answer_done(&a);
    return e;
}

const store_ops store_s3_ops = {
    .scheme = "s3",
    .open = s3_open,
    .put = s3_put,
    .get = s3_get,
    .list = s3_list,
    .remove = s3_remove,
    .guard = s3_guard,
    .close = s3_close,
};
