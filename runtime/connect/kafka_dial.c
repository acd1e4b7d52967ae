#include "runtime/connect/kafka_dial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/connect/fetch_wire.h"
#include "runtime/connect/kafka_options.h"
#include "runtime/connect/options.h"

enum {
    TRY_MS = 5000, /* how long a broker may take to say what it knows, at the start */
    SLICE_MS = 50,
    ANSWER_BYTES = 1 << 20,
};

static err *open_tls(kafka_dial *d, const sl_value *tls) {
    char *ca = option_copy(tls, "ca", NULL), *cert = option_copy(tls, "cert", NULL);
    char *key = option_copy(tls, "key", NULL), *password = option_copy(tls, "key_password", NULL);
    const tls_options wanted = { .ca = ca,
                                 .cert = cert,
                                 .key = key,
                                 .password = password,
                                 .ignores_hostname = !option_flag(tls, "verify_hostname", true) };
    const char *wrong = tls_context_new(&wanted, &d->tls);
    mem_free(ca);
    mem_free(cert);
    mem_free(key);
    mem_free(password);
    return wrong ? err_new(ERR_PLAN, "option tls: %s", wrong) : NULL;
}

err *kafka_dial_init(kafka_dial *d, const sl_value *options, const sl_system *system) {
    const char *client = system->pipeline && *system->pipeline ? system->pipeline : "sluice";
    *d = (kafka_dial){ .client = mem_copy_text(client, strlen(client)) };
    const sl_value *tls = kafka_option(options, "tls");
    bool is_tls = tls && (tls->kind == SL_TABLE || (tls->kind == SL_FLAG && tls->number != 0));
    /* brokers in place of the script's own are in this process: in clear, as kafka_client.c has
     * it */
    return is_tls && !system->brokers ? open_tls(d, tls) : NULL;
}

void kafka_dial_done(kafka_dial *d) {
    tls_context_free(d->tls);
    mem_free(d->client);
    *d = (kafka_dial){ 0 };
}

/* -- whether brokers can */

typedef struct greeting {
    kafka_client *client;
    int64_t end_ms;
} greeting;

static err *look(void *owner) {
    greeting *g = owner;
    if (g->client->stop && *g->client->stop) return err_new(ERR_STOPPED, "asked to stop");
    return kafka_now_ms() > g->end_ms ? err_new(ERR_STOPPED, "no answer") : NULL;
}

static err *judge(const buf *answer, const char *address, const kafka_need *needs, size_t count) {
    for (size_t i = 0; i < count; i++) {
        enum { ID_BYTES = 4 };
        int16_t most;
        wire_reader r = { .at = answer->data, .end = answer->data + answer->len };
        wire_bytes(&r, ID_BYTES);
        if (wire_has(&r, needs[i].api, needs[i].version, &most)) continue;
        return err_new(ERR_BROKER, "broker %s does not know version %d of %s, its highest is %d%s",
                       address, needs[i].version, needs[i].name, (int)most,
                       needs[i].since);
    }
    return NULL;
}

err *kafka_dial_greet(const kafka_dial *d, fetch_conn *conn, const char *address,
                      const kafka_need *needs, size_t count, buf *frame, buf *answer) {
    bool is_long;
    wire_put_api_versions(frame, 0, d->client);
    err *e = fetch_conn_send(conn, frame);
    if (!e) e = fetch_conn_receive(conn, answer, ANSWER_BYTES, &is_long);
    return e ? e : judge(answer, address, needs, count);
}

/* Who hangs must not hold up the start. */
static err *try_broker(const kafka_dial *d, kafka_client *c, const char *address,
                       const kafka_need *needs, size_t count) {
    greeting g = { .client = c, .end_ms = kafka_now_ms() + TRY_MS };
    const fetch_watch watch = { .look = look, .owner = &g, .slice_ms = SLICE_MS };
    buf frame, answer;
    fetch_conn *conn = NULL;
    buf_init(&frame);
    buf_init(&answer);
    err *e = fetch_conn_open_watched(address, d->tls, &watch, &conn);
    if (!e) e = kafka_dial_greet(d, conn, address, needs, count, &frame, &answer);
    fetch_conn_close(conn);
    buf_done(&frame);
    buf_done(&answer);
    if (!e || e->code != ERR_STOPPED) return e;
    err_free(e);
    e = err_new(ERR_BROKER, "connection to %s: no answer for %d s", address, TRY_MS / 1000);
    e->retriable = true;
    return e;
}

/* Try the brokers up to the first that answers. */
static err *try_brokers(const kafka_dial *d, kafka_client *c, const rd_kafka_metadata_t *told,
                        const kafka_need *needs, size_t count) {
    err *e = err_new(ERR_BROKER, "no broker is known yet");
    bool has_answer = false;
    for (int i = 0; i < told->broker_cnt && !has_answer; i++) {
        char address[272];
        err_free(e);
        snprintf(address, sizeof address, "%s:%d", told->brokers[i].host, told->brokers[i].port);
        e = try_broker(d, c, address, needs, count);
        has_answer = !e || !e->retriable;
    }
    return e;
}

err *kafka_dial_try(const kafka_dial *d, kafka_client *c, const kafka_need *needs, size_t count) {
    const rd_kafka_metadata_t *told = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(c->rk, 0, NULL, &told, TRY_MS);
    err *e = code ? err_new(ERR_BROKER, "the brokers are not told: %s", rd_kafka_err2str(code))
                  : try_brokers(d, c, told, needs, count);
    if (told) rd_kafka_metadata_destroy(told);
    return e;
}

int64_t kafka_dial_number(const kafka_client *c, const char *name) {
    char text[64] = "";
    size_t len = sizeof text;
    rd_kafka_conf_get(rd_kafka_conf(c->rk), name, text, &len);
    return strtoll(text, NULL, 10);
}
