#include "runtime/net/http.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "runtime/base/clock.h"
#include "runtime/base/mem.h"

/* DESIGN: a stack of libcurl's easy handles; a request takes one, and its connection, DNS cache and
 * TLS session with it. HTTP/1.1, since one request at a time is all a connection is asked for. */

enum {
    CONNECT_MS = 5000,
    STALL_MS = 10000,
    MOST_BYTES = 16 << 20,
    MOST_HEADER_BYTES = 64 << 10,
    CONNECTION_AGE_S = 60, /* an idle one that old is not used again */
    ASKED_MS = 200,        /* longest wait to be asked for a long body */
};

struct http {
    http_config config;   /* ca_file: owned */
    pthread_mutex_t lock; /* guards what follows */
    CURL **idle;          /* owned */
    size_t idle_count, idle_room;
};

/* A request on its way. */
typedef struct transfer {
    http *h;
    const http_request *request;
    http_answer *answer;
    CURL *curl;
    struct curl_slist *headers; /* owned */
    bool is_too_long;
    bool is_stopped;
    int64_t moved_ms;       /* steady time at which bytes moved last */
    curl_off_t moved_bytes; /* that have */
    char words[CURL_ERROR_SIZE];
} transfer;

http *http_new(const http_config *config) {
    http *h = mem_zalloc(1, sizeof *h);
    h->config = *config;
    if (!h->config.connect_ms) h->config.connect_ms = CONNECT_MS;
    if (!h->config.stall_ms) h->config.stall_ms = STALL_MS;
    const char *ca = config->ca_file;
    h->config.ca_file = ca ? mem_copy_text(ca, strlen(ca)) : NULL;
    pthread_mutex_init(&h->lock, NULL);
    curl_global_init(CURL_GLOBAL_DEFAULT); // counts, and is safe from any thread since 7.84
    return h;
}

void http_free(http *h) {
    if (!h) return;
    for (size_t i = 0; i < h->idle_count; i++) curl_easy_cleanup(h->idle[i]);
    mem_free(h->idle);
    curl_global_cleanup();
    pthread_mutex_destroy(&h->lock);
    mem_free((char *)h->config.ca_file);
    mem_free(h);
}

static CURL *take_handle(http *h) {
    pthread_mutex_lock(&h->lock);
    CURL *curl = h->idle_count ? h->idle[--h->idle_count] : NULL;
    pthread_mutex_unlock(&h->lock);
    return curl ? curl : curl_easy_init();
}

static void give_back(http *h, CURL *curl) {
    curl_easy_reset(curl);
    pthread_mutex_lock(&h->lock);
    if (h->idle_count == h->idle_room) {
        h->idle_room = h->idle_room ? h->idle_room * 2 : 4;
        h->idle = mem_realloc(h->idle, h->idle_room * sizeof *h->idle);
    }
    h->idle[h->idle_count++] = curl;
    pthread_mutex_unlock(&h->lock);
}

static size_t take_bytes(buf *into, const char *bytes, size_t len, size_t most, bool *too_long) {
    *too_long = into->len + len > most;
    if (*too_long) return 0;
    buf_put(into, bytes, len);
    return len;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *arg) {
    transfer *t = arg;
    size_t most = t->request->most ? t->request->most : MOST_BYTES;
    curl_off_t wanted = -1;
    if (!t->answer->body.len) {
        curl_easy_getinfo(t->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &wanted);
    }
    if (wanted > 0 && (size_t)wanted <= most) buf_need(&t->answer->body, (size_t)wanted);
    return take_bytes(&t->answer->body, bytes, size * count, most, &t->is_too_long);
}

static size_t on_header(char *bytes, size_t size, size_t count, void *arg) {
    transfer *t = arg;
    // those of an interim answer (100) or of a first try do not count
    if (size * count > 5 && !memcmp(bytes, "HTTP/", 5)) buf_reset(&t->answer->headers);
    return take_bytes(&t->answer->headers, bytes, size * count, MOST_HEADER_BYTES,
                      &t->is_too_long);
}

static void look_whether_still(transfer *t, curl_off_t moved_bytes) {
    const http_config *c = &t->h->config;
    int64_t now_ms = clock_steady_ms(&(clock_source){ 0 });
    if (!t->moved_ms || moved_bytes != t->moved_bytes) {
        t->moved_ms = now_ms;
        t->moved_bytes = moved_bytes;
    } else if (c->on_still) {
        c->on_still(c->on_still_arg, now_ms - t->moved_ms);
    }
}

static int on_progress(void *arg, curl_off_t down_in_all, curl_off_t down, curl_off_t up_in_all,
                       curl_off_t up) {
    (void)down_in_all, (void)up_in_all;
    transfer *t = arg;
    look_whether_still(t, down + up);
    t->is_stopped = t->h->config.stop && *t->h->config.stop;
    return t->is_stopped;
}

/* Before each time that it is sent. */
static int on_send(void *arg, char *to, char *from, int to_port, int from_port) {
    (void)to, (void)from, (void)to_port, (void)from_port;
    ((transfer *)arg)->answer->sent++;
    return CURL_PREREQFUNC_OK;
}

static bool is_this_machine(const char *url) {
    static const char *const hosts[] = { "localhost", "127.", "[::1]", "[::ffff:127.", NULL };
    const char *host = strstr(url, "://");
    if (!host) return false;
    for (int i = 0; hosts[i]; i++) {
        if (!strncasecmp(host + 3, hosts[i], strlen(hosts[i]))) return true;
    }
    return false;
}

static void set_up_connection(const transfer *t) {
    const http_config *c = &t->h->config;
    CURL *curl = t->curl;
    curl_easy_setopt(curl, CURLOPT_URL, t->request->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    if (c->ca_file) curl_easy_setopt(curl, CURLOPT_CAINFO, c->ca_file);
    if (is_this_machine(t->request->url)) curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_MAXAGE_CONN, (long)CONNECTION_AGE_S);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)c->connect_ms);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)t->request->timeout_ms);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)((c->stall_ms + 999) / 1000));
}

static void set_up_callbacks(transfer *t) {
    CURL *curl = t->curl;
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, t->words);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(curl, CURLOPT_PREREQFUNCTION, on_send);
    curl_easy_setopt(curl, CURLOPT_PREREQDATA, t);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, t);
}

static void set_up_signature(const transfer *t) {
    const http_signature *s = t->request->signature;
    if (!s) return;
    char provider[128];
    snprintf(provider, sizeof provider, "aws:amz:%s:%s", s->region, s->service);
    curl_easy_setopt(t->curl, CURLOPT_AWS_SIGV4, provider);
    curl_easy_setopt(t->curl, CURLOPT_USERNAME, s->access_key);
    curl_easy_setopt(t->curl, CURLOPT_PASSWORD, s->secret_key);
}

static void set_up_request(transfer *t) {
    const http_request *r = t->request;
    bool has_body = r->body || !strcmp(r->method, "PUT") || !strcmp(r->method, "POST");
    if (has_body) { // as one piece: libcurl can then send it again on a new connection
        curl_easy_setopt(t->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len);
        curl_easy_setopt(t->curl, CURLOPT_POSTFIELDS, r->body ? r->body : "");
    }
    curl_easy_setopt(t->curl, CURLOPT_CUSTOMREQUEST, r->method);
    // A long body (1 MB) waits to be asked for: a server that refuses it without reading it would
    // reset the connection, and its answer were lost. Not for long: some do not ask.
    curl_easy_setopt(t->curl, CURLOPT_EXPECT_100_TIMEOUT_MS, (long)ASKED_MS);
    for (const char *const *one = r->headers; one && *one; one++) {
        t->headers = curl_slist_append(t->headers, *one);
    }
    curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, t->headers);
    set_up_signature(t);
}

static bool may_pass(CURLcode code) {
    switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_WRITE_ERROR: return false; // of on_body: longer than allowed
    default: return true;
    }
}

/* Host and port of a URL, for messages. */
static int host_of(const char *url, const char **host) {
    const char *start = strstr(url, "://");
    start = start ? start + 3 : url;
    const char *at = memchr(start, '@', strcspn(start, "/?"));
    *host = at ? at + 1 : start;
    return (int)strcspn(*host, "/?");
}

static err *transfer_error(const transfer *t, CURLcode code) {
    if (t->is_stopped) return err_new(ERR_STOPPED, "asked to stop");
    const char *host;
    int len = host_of(t->request->url, &host);
    if (t->is_too_long) {
        return err_new(ERR_IO, "%.*s: an answer longer than %zu bytes, wanted less", len, host,
                       t->request->most ? t->request->most : MOST_BYTES);
    }
    err *e = err_new(ERR_IO, "%.*s: %s", len, host,
                     t->words[0] ? t->words : curl_easy_strerror(code));
    e->retriable = may_pass(code);
    return e;
}

err *http_send(http *h, const http_request *r, http_answer *a) {
    transfer t = { .h = h, .request = r, .answer = a, .curl = take_handle(h) };
    buf_reset(&a->headers);
    buf_reset(&a->body);
    a->status = a->sent = 0;
    if (!t.curl) return err_new(ERR_IO, "libcurl gives no handle");
    set_up_connection(&t);
    set_up_callbacks(&t);
    set_up_request(&t);
    CURLcode code = curl_easy_perform(t.curl);
    long status = 0;
    curl_easy_getinfo(t.curl, CURLINFO_RESPONSE_CODE, &status);
    a->status = (int32_t)status;
    curl_slist_free_all(t.headers);
    give_back(h, t.curl);
    return code == CURLE_OK ? NULL : transfer_error(&t, code);
}

bool http_header(const http_answer *a, const char *name, const char **value, size_t *len) {
    const char *line = a->headers.data, *end = line + a->headers.len;
    size_t name_len = strlen(name);
    while (line < end) {
        const char *next = memchr(line, '\n', (size_t)(end - line));
        const char *stop = next ? next : end;
        if ((size_t)(stop - line) > name_len && line[name_len] == ':' &&
            !strncasecmp(line, name, name_len)) {
            const char *start = line + name_len + 1;
            while (start < stop && isspace((unsigned char)*start)) start++;
            while (stop > start && isspace((unsigned char)stop[-1])) stop--;
            *value = start;
            *len = (size_t)(stop - start);
            return true;
        }
        line = stop + 1;
    }
    return false;
}

void http_answer_done(http_answer *a) {
    buf_done(&a->headers);
    buf_done(&a->body);
    *a = (http_answer){ 0 };
}

void http_escape(buf *out, const char *text) {
    for (const char *c = text; *c; c++) {
        if (isalnum((unsigned char)*c) || strchr("-._~", *c))
            buf_put_char(out, *c);
        else
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)*c);
    }
}
