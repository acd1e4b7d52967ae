#include "runtime/connect/kafka_client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/mem.h"
#include "runtime/connect/kafka_near.h"
#include "runtime/connect/kafka_options.h"
#include "runtime/connect/options.h"

/* First librdkafka that can do SCRAM against Kafka 4 (its PR 4895). */
enum { SCRAM_VERSION = 0x020601ff };

/* Refused in `config` at both ends. */
static const kafka_setting owned_settings[] = {
    { "bootstrap.servers", NULL, "use the option `brokers`" },
    { "metadata.broker.list", NULL, "use the option `brokers`" },
    { "client.id", NULL, "it is the pipeline's name" },
    { "socket.nagle.disable", "true", NULL },
};

char *kafka_create_command(const kafka_client *c, const char *topic, int32_t partitions) {
    buf text;
    buf_init(&text);
    buf_printf(&text, "kafka-topics.sh --bootstrap-server %s --create --topic %s --partitions %d",
               c->brokers, topic, (int)partitions);
    char *command = mem_copy_text(buf_text(&text), text.len);
    buf_done(&text);
    return command;
}

/* -- callbacks: from librdkafka's threads (log) and from rd_kafka_poll (errors) */

static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text) {
    kafka_client *c = rd_kafka_opaque(rk);
    if (!c || !c->log || c->log->level > LOG_DEBUG) return;
    const log_field fields[] = { log_text("facility", facility), log_text("text", text),
                                 log_number("level", level) };
    log_write(c->log, LOG_DEBUG, "librdkafka", fields, 3);
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque) {
    kafka_client *c = opaque;
    (void)rk;
    pthread_mutex_lock(&c->lock);
    c->errors++;
    if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || !c->reason) {
        mem_free(c->reason);
        c->reason = mem_copy_text(reason, strlen(reason));
    }
    switch (code) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED: c->trouble = ERR_AUTH; break;
    case RD_KAFKA_RESP_ERR__TRANSPORT:
        /* With TLS 1.3 a certificate is refused behind the handshake: a lost connection, whose text
         * alone tells of the alert. */
        if (!strstr(reason, "SSL alert")) break;
        /* fall through */
    case RD_KAFKA_RESP_ERR__SSL:
        if (!c->tls_ms) c->tls_ms = kafka_now_ms();
        if (!c->started) c->trouble = ERR_BROKER;
        break;
    default: break;
    }
    pthread_mutex_unlock(&c->lock);
}

/* -- configuration */

typedef struct conf_work {
    rd_kafka_conf_t *conf;
    char text[512]; /* what librdkafka says is wrong */
} conf_work;

static err *set(conf_work *w, const char *name, const char *value, const char *option) {
    if (rd_kafka_conf_set(w->conf, name, value, w->text, sizeof w->text) == RD_KAFKA_CONF_OK)
        return NULL;
    return err_new(ERR_PLAN, "option %s: %s", option, w->text);
}

/* Set `name` from the text item `key` of the table `table`, if it is there. */
static err *set_from(conf_work *w, const char *name, const sl_value *options, const char *table,
                     const char *key) {
    char *text = option_copy(kafka_option(options, table), key, NULL);
    if (!text) return NULL;
    char option[64];
    snprintf(option, sizeof option, "%s.%s", table, key);
    err *e = set(w, name, text, option);
    mem_free(text);
    return e;
}

static bool is_on(const sl_value *value) {
    return value && (value->kind == SL_TABLE || (value->kind == SL_FLAG && value->number != 0));
}

/* librdkafka's message about a file that cannot be read names neither file nor reason. */
static err *check_file(const sl_value *options, const char *key) {
    char *path = option_copy(kafka_option(options, "tls"), key, NULL);
    err *e = NULL;
    if (path && access(path, R_OK) != 0)
        e = err_new(ERR_PLAN, "option tls.%s: %s: %s", key, path, strerror(errno));
    mem_free(path);
    return e;
}

static err *set_security(conf_work *w, const sl_value *options) {
    static const char *const texts[][3] = {
        { "ssl.ca.location", "tls", "ca" },
        { "ssl.certificate.location", "tls", "cert" },
        { "ssl.key.location", "tls", "key" },
        { "ssl.key.password", "tls", "key_password" },
        { "sasl.username", "sasl", "username" },
        { "sasl.password", "sasl", "password" },
    };
    const sl_value *tls = kafka_option(options, "tls"), *sasl = kafka_option(options, "sasl");
    if (!is_on(tls) && !is_on(sasl)) return NULL;
    err *e = set(w, "security.protocol",
                 is_on(tls) ? (is_on(sasl) ? "sasl_ssl" : "ssl") : "sasl_plaintext", "tls");
    if (!e) e = check_file(options, "ca");
    if (!e) e = check_file(options, "cert");
    if (!e) e = check_file(options, "key");
    for (size_t i = 0; !e && i < sizeof texts / sizeof *texts; i++)
        e = set_from(w, texts[i][0], options, texts[i][1], texts[i][2]);
    if (!e && !option_flag(tls, "verify_hostname", true))
        e = set(w, "ssl.endpoint.identification.algorithm", "none", "tls.verify_hostname");
    if (e || !is_on(sasl)) return e;
    char *mechanism = option_copy(sasl, "mechanism", "PLAIN");
    e = set(w, "sasl.mechanisms", mechanism, "sasl.mechanism");
    mem_free(mechanism);
    return e;
}

/* librdkafka before 2.6.1 repeats its nonce in SCRAM's last message; Kafka 4 takes that for a wrong
 * password. Found here, not as "wrong password" at night. */
static err *refuse_scram(conf_work *w) {
    char mechanism[64];
    size_t len = sizeof mechanism;
    if (rd_kafka_version() >= SCRAM_VERSION) return NULL;
    if (rd_kafka_conf_get(w->conf, "sasl.mechanisms", mechanism, &len) != RD_KAFKA_CONF_OK)
        return NULL;
    if (strncmp(mechanism, "SCRAM", 5) != 0) return NULL;
    return err_new(ERR_PLAN,
                   "option sasl.mechanism: %s does not work with librdkafka %s, which Kafka 4 "
                   "answers as a wrong password (Debian 12 ships 2.0.2): build with librdkafka "
                   "2.6.1 or newer, or use PLAIN over TLS or a client certificate",
                   mechanism, rd_kafka_version_str());
}

static err *refuse_owned(const kafka_setting *settings, size_t count, const sl_value *item) {
    for (size_t i = 0; i < count; i++) {
        if (settings[i].why && kafka_is(&item->name, settings[i].name))
            return err_new(ERR_PLAN, "option config.%s is not yours to set: %s", settings[i].name,
                           settings[i].why);
    }
    return NULL;
}

static err *set_raw(conf_work *w, const sl_value *item) {
    char *name = mem_copy_text(item->name.data, item->name.len);
    char value[64], option[128];
    snprintf(option, sizeof option, "config.%s", name);
    snprintf(value, sizeof value, "%.15g", item->number);
    err *e;
    if (item->kind == SL_TEXT) {
        char *text = mem_copy_text(item->text.data, item->text.len);
        e = set(w, name, text, option);
        mem_free(text);
    } else if (item->kind == SL_FLAG) {
        e = set(w, name, item->number != 0 ? "true" : "false", option);
    } else if (item->kind == SL_NUMBER) {
        e = set(w, name, value, option);
    } else {
        e = err_new(ERR_PLAN, "option %s: a text, number or boolean is wanted", option);
    }
    mem_free(name);
    return e;
}

static err *set_all(conf_work *w, const kafka_setting *settings, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!settings[i].value) continue;
        err *e = set(w, settings[i].name, settings[i].value, settings[i].name);
        if (e) return e;
    }
    return NULL;
}

static err *configure(conf_work *w, const sl_value *options, const char *name, const char *brokers,
                      const kafka_setting *settings, size_t count) {
    const size_t owned = sizeof owned_settings / sizeof *owned_settings;
    err *e = set_all(w, owned_settings, owned);
    if (!e) e = set_all(w, settings, count);
    if (!e) e = set(w, "bootstrap.servers", brokers, "brokers");
    if (!e && *name) e = set(w, "client.id", name, "name");
    if (!e) e = set_security(w, options);
    const sl_value *config = kafka_option(options, "config");
    for (uint32_t i = 0; !e && config && i < config->item_count; i++) {
        e = refuse_owned(owned_settings, owned, &config->items[i]);
        if (!e) e = refuse_owned(settings, count, &config->items[i]);
        if (!e) e = set_raw(w, &config->items[i]);
    }
    return e ? e : refuse_scram(w);
}

/* -- life */

err *kafka_client_open(kafka_client *c, rd_kafka_type_t type, const sl_value *options,
                       const sl_system *system, const kafka_setting *settings, size_t count,
                       kafka_report report) {
    memset(c, 0, sizeof *c);
    pthread_mutex_init(&c->lock, NULL);
    c->log = system->log;
    c->outages = system->outages;
    c->stop = system->stop;
    c->brokers = system->brokers
                     ? mem_copy_text(system->brokers, strlen(system->brokers))
                     : kafka_option_list(kafka_option(options, "brokers"), "localhost:9092");
    conf_work w = { .conf = rd_kafka_conf_new() };
    rd_kafka_conf_set_opaque(w.conf, c);
    rd_kafka_conf_set_log_cb(w.conf, on_log);
    rd_kafka_conf_set_error_cb(w.conf, on_error);
    if (report) rd_kafka_conf_set_dr_msg_cb(w.conf, report);
    const char *name = system->pipeline ? system->pipeline : "";
    err *e = configure(&w, options, name, c->brokers, settings, count);
    /* brokers in place of the script's own are in this process: --embedded, tests */
    if (!e && system->brokers) e = set(&w, "security.protocol", "plaintext", "brokers");
    if (!e) {
        c->rk = rd_kafka_new(type, w.conf, w.text, sizeof w.text);
        if (!c->rk) e = err_new(ERR_PLAN, "options of Kafka at %s: %s", c->brokers, w.text);
    }
    if (!e) return NULL;
    rd_kafka_conf_destroy(w.conf);
    kafka_client_close(c);
    return e;
}

void kafka_client_close(kafka_client *c) {
    if (c->rk) rd_kafka_destroy(c->rk);
    mem_free(c->brokers);
    mem_free(c->reason);
    pthread_mutex_destroy(&c->lock);
    memset(c, 0, sizeof *c);
}

static const char *said(const kafka_client *c) {
    return c->reason ? c->reason : "it does not answer";
}

err *kafka_client_check(kafka_client *c) {
    rd_kafka_poll(c->rk, 0);
    if (c->stop && *c->stop) return err_new(ERR_STOPPED, "asked to stop");
    err *e = NULL;
    pthread_mutex_lock(&c->lock);
    if (c->trouble == ERR_AUTH) {
        e = err_new(ERR_AUTH,
                    "Kafka at %s refused the login: %s (check sasl: mechanism, username, "
                    "password, and the account's rights)",
                    c->brokers, said(c));
    } else if (c->trouble || (c->tls_ms && kafka_now_ms() - c->tls_ms > KAFKA_START_MS)) {
        e = err_new(ERR_BROKER,
                    "no TLS connection to Kafka at %s: %s (check tls: ca, cert, key, the host "
                    "name in the broker's certificate, and that the port is a TLS listener)",
                    c->brokers, said(c));
    }
    pthread_mutex_unlock(&c->lock);
    return e;
}

uint32_t kafka_client_errors(kafka_client *c) {
    rd_kafka_poll(c->rk, 0);
    pthread_mutex_lock(&c->lock);
    uint32_t errors = c->errors;
    pthread_mutex_unlock(&c->lock);
    return errors;
}

static err *nobody_there(kafka_client *c) {
    pthread_mutex_lock(&c->lock);
    err *e = err_new(ERR_BROKER,
                     "no Kafka broker at %s answered within %d s: %s (check brokers, and "
                     "tls and sasl if the listener wants them)",
                     c->brokers, KAFKA_START_MS / 1000, said(c));
    pthread_mutex_unlock(&c->lock);
    return e;
}

typedef enum topic_state { TOPIC_THERE,
                           TOPIC_UNKNOWN,
                           TOPIC_NOT_YET } topic_state;

/* Decide by the topic's own error in a metadata answer. */
static err *judge_topic(kafka_client *c, const rd_kafka_metadata_topic_t *topic,
                        topic_state *state) {
    *state = TOPIC_NOT_YET;
    switch (topic->err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        if (topic->partition_cnt > 0) *state = TOPIC_THERE;
        return NULL;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART: *state = TOPIC_UNKNOWN; return NULL;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        return err_new(ERR_AUTH,
                       "Kafka at %s refused access to topic %s (check the account's rights: "
                       "Describe and Read or Write)",
                       c->brokers, topic->topic);
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
        return err_new(ERR_PLAN, "topic %s: Kafka does not allow this name", topic->topic);
    default: return NULL; /* leaders are being elected */
    }
}

static err *unknown_topic(kafka_client *c, const char *topic) {
    char *command = kafka_create_command(c, topic, 4);
    buf near;
    buf_init(&near);
    kafka_near_put(c, topic, &near);
    err *e = err_new(ERR_MISSING,
                     "topic %s does not exist on %s%s (check the name, or make it: %s)", topic,
                     c->brokers, buf_text(&near), command);
    buf_done(&near);
    mem_free(command);
    return e;
}

err *kafka_client_partitions(kafka_client *c, rd_kafka_topic_t *topic, int32_t *count,
                             bool *missing) {
    int64_t start_ms = kafka_now_ms(), unknown_ms = 0;
    for (;;) {
        const rd_kafka_metadata_t *answer = NULL;
        topic_state state = TOPIC_NOT_YET;
        rd_kafka_resp_err_t code = rd_kafka_metadata(c->rk, 0, topic, &answer, 4 * KAFKA_SLICE_MS);
        err *e = kafka_client_check(c);
        if (!e && !code && answer->topic_cnt > 0) {
            e = judge_topic(c, &answer->topics[0], &state);
            *count = answer->topics[0].partition_cnt;
            c->started = true;
        }
        if (answer) rd_kafka_metadata_destroy(answer);
        if (e || state == TOPIC_THERE) return e;
        int64_t now_ms = kafka_now_ms();
        if (state == TOPIC_UNKNOWN) {
            if (missing) *missing = true;
            if (missing) return NULL;
            if (!unknown_ms) unknown_ms = now_ms;
            if (now_ms - unknown_ms >= KAFKA_UNKNOWN_MS)
                return unknown_topic(c, rd_kafka_topic_name(topic));
        }
        if (now_ms - start_ms >= KAFKA_START_MS) return nobody_there(c);
        if (!code) rd_kafka_poll(c->rk, KAFKA_SLICE_MS);
    }
}

err *kafka_client_await(kafka_client *c) {
    int64_t start_ms = kafka_now_ms();
    for (;;) {
        const rd_kafka_metadata_t *answer = NULL;
        rd_kafka_resp_err_t code = rd_kafka_metadata(c->rk, 0, NULL, &answer, 4 * KAFKA_SLICE_MS);
        if (answer) rd_kafka_metadata_destroy(answer);
        err *e = kafka_client_check(c);
        if (!e && !code) c->started = true;
        if (e || !code) return e;
        if (kafka_now_ms() - start_ms >= KAFKA_START_MS) return nobody_there(c);
    }
}

void kafka_client_lost(kafka_client *c, const char *broker) {
    pthread_mutex_lock(&c->lock);
    if (!c->lost_ms) {
        int64_t now_ms = kafka_now_ms();
        outage_kind kind = outages_begin(c->outages, c->brokers, now_ms);
        if (kind != OUTAGE_OVER) c->lost_ms = now_ms;
        if (kind == OUTAGE_NEWS)
            log_warn(c->log, "broker lost", log_text("broker", broker),
                     log_text("reason", said(c)));
    }
    pthread_mutex_unlock(&c->lock);
}

void kafka_client_back(kafka_client *c) {
    pthread_mutex_lock(&c->lock);
    c->tls_ms = 0;
    if (c->lost_ms) {
        int64_t since_ms = c->lost_ms, now_ms = kafka_now_ms();
        c->lost_ms = 0;
        if (outages_end(c->outages, c->brokers, now_ms, &since_ms))
            log_info(c->log, "broker back", log_text("brokers", c->brokers),
                     log_number("seconds", (now_ms - since_ms + 500) / 1000));
    }
    pthread_mutex_unlock(&c->lock);
}
