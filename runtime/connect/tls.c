#include "runtime/connect/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdint.h>
#include <string.h>

#include "runtime/base/mem.h"

struct tls_context {
    SSL_CTX *context; /* owned */
    bool ignores_hostname;
};

struct tls_session {
    SSL *ssl; /* owned */
};

/* What OpenSSL says; its queue of errors is emptied. */
static const char *last_reason(const char *otherwise) {
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return reason ? reason : otherwise;
}

/* -- contexts */

/* Always set: OpenSSL would ask at the terminal. */
static int give_password(char *to, int room, int writes, void *password) {
    (void)writes;
    size_t len = password ? strlen(password) : 0;
    if (len > (size_t)room) return -1;
    memcpy(to, password ? password : "", len);
    return (int)len;
}

static const char *load_files(SSL_CTX *context, const tls_options *o) {
    SSL_CTX_set_default_passwd_cb(context, give_password);
    SSL_CTX_set_default_passwd_cb_userdata(context, (void *)(uintptr_t)o->password);
    if (o->ca ? !SSL_CTX_load_verify_locations(context, o->ca, NULL)
              : !SSL_CTX_set_default_verify_paths(context))
        return last_reason("tls.ca cannot be used");
    if (o->cert && SSL_CTX_use_certificate_chain_file(context, o->cert) != 1)
        return last_reason("tls.cert cannot be used");
    if (o->key && SSL_CTX_use_PrivateKey_file(context, o->key, SSL_FILETYPE_PEM) != 1)
        return last_reason("tls.key cannot be used");
    SSL_CTX_set_default_passwd_cb_userdata(context, NULL);
    return NULL;
}

const char *tls_context_new(const tls_options *options, tls_context **made) {
    tls_context *c = mem_zalloc(1, sizeof *c);
    c->ignores_hostname = options->ignores_hostname;
    c->context = SSL_CTX_new(TLS_client_method());
    const char *wrong = c->context ? load_files(c->context, options) : last_reason("no memory");
    if (wrong) {
        tls_context_free(c);
        return wrong;
    }
    SSL_CTX_set_verify(c->context, SSL_VERIFY_PEER, NULL);
    *made = c;
    return NULL;
}

void tls_context_free(tls_context *c) {
    if (!c) return;
    SSL_CTX_free(c->context);
    mem_free(c);
}

/* -- sessions */

/* Say which host is meant; its certificate must name it. */
static bool name_host(SSL *ssl, const char *host, bool verifies) {
    unsigned char number[sizeof(struct in6_addr)];
    bool is_number = inet_pton(AF_INET, host, number) == 1;
    is_number = is_number || inet_pton(AF_INET6, host, number) == 1;
    if (!is_number && !SSL_set_tlsext_host_name(ssl, host)) return false;
    if (!verifies) return true;
    return is_number ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host)
                     : SSL_set1_host(ssl, host);
}

tls_session *tls_session_new(const tls_context *c, int fd, const char *host) {
    tls_session *s = mem_zalloc(1, sizeof *s);
    s->ssl = SSL_new(c->context);
    if (s->ssl && SSL_set_fd(s->ssl, fd) && name_host(s->ssl, host, !c->ignores_hostname)) return s;
    tls_session_free(s);
    ERR_clear_error();
    return NULL;
}

void tls_session_free(tls_session *s) {
    if (!s) return;
    SSL_free(s->ssl);
    mem_free(s);
}

static tls_state judge(const tls_session *s, int result, const char **reason) {
    static const char closed[] = "closed by the broker";
    switch (SSL_get_error(s->ssl, result)) {
    case SSL_ERROR_WANT_READ: return TLS_WANTS_READ;
    case SSL_ERROR_WANT_WRITE: return TLS_WANTS_WRITE;
    case SSL_ERROR_ZERO_RETURN: *reason = closed; return TLS_BROKEN;
    case SSL_ERROR_SYSCALL: *reason = errno ? strerror(errno) : closed; return TLS_BROKEN;
    default: *reason = last_reason("TLS fails"); return TLS_BROKEN;
    }
}

tls_state tls_shake_hands(tls_session *s, const char **reason) {
    errno = 0;
    int result = SSL_connect(s->ssl);
    return result == 1 ? TLS_DONE : judge(s, result, reason);
}

static int most(size_t len) { return len < INT_MAX ? (int)len : INT_MAX; }

static tls_state count(const tls_session *s, int result, size_t *moved, const char **reason) {
    *moved = result > 0 ? (size_t)result : 0;
    return result > 0 ? TLS_DONE : judge(s, result, reason);
}

tls_state tls_send(tls_session *s, const char *data, size_t len, size_t *moved,
                   const char **reason) {
    errno = 0;
    return count(s, SSL_write(s->ssl, data, most(len)), moved, reason);
}

tls_state tls_receive(tls_session *s, char *data, size_t room, size_t *moved, const char **reason) {
    errno = 0;
    return count(s, SSL_read(s->ssl, data, most(room)), moved, reason);
}

bool tls_has_input(const tls_session *s) { return SSL_has_pending(s->ssl) == 1; }
