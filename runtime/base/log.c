#include "runtime/base/log.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/buf.h"

static const char *const LEVELS[] = { "debug", "info", "warn", "error" };

void log_init(logger *log, int fd, log_style style, log_level level) {
    *log = (logger){ .fd = fd, .style = style, .level = level };
    pthread_mutex_init(&log->lock, NULL);
}

void log_done(logger *log) { pthread_mutex_destroy(&log->lock); }

void log_mute(logger *log) {
    log->tap = NULL;
    log->level = LOG_ERROR + 1;
}

static void put_time(buf *line) {
    struct timespec now;
    struct tm utc;
    char text[32];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t len = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    buf_put(line, text, len);
    buf_printf(line, ".%03ldZ", now.tv_nsec / 1000000);
}

static bool is_control(char c) { return (unsigned char)c < 0x20 || c == 0x7f; }

/* As JSON has it, which readers of logfmt take as well. */
static void put_quoted(buf *line, const char *text) {
    static const char ESCAPED[] = "\"\\\n\r\t", LETTERS[] = "\"\\nrt";
    buf_put_char(line, '"');
    for (const char *c = text; *c; c++) {
        const char *at = strchr(ESCAPED, *c);
        if (at)
            buf_printf(line, "\\%c", LETTERS[at - ESCAPED]);
        else if (is_control(*c))
            buf_printf(line, "\\u%04x", (unsigned)*c);
        else
            buf_put_char(line, *c);
    }
    buf_put_char(line, '"');
}

static bool is_bare(const char *text) {
    for (const char *c = text; *c; c++)
        if (is_control(*c) || strchr(" \"\\=", *c)) return false;
    return *text;
}

static void put_value(buf *line, const log_field *f, bool json) {
    if (!f->text)
        buf_printf(line, "%lld", (long long)f->number);
    else if (!json && is_bare(f->text))
        buf_put_text(line, f->text);
    else
        put_quoted(line, f->text);
}

static void put_json(buf *line, log_level level, const char *message, const log_field *fields,
                     size_t count) {
    buf_put_text(line, "{\"time\":\"");
    put_time(line);
    buf_printf(line, "\",\"level\":\"%s\",\"message\":", LEVELS[level]);
    put_quoted(line, message);
    for (size_t i = 0; i < count; i++) {
        buf_printf(line, ",\"%s\":", fields[i].name);
        put_value(line, &fields[i], true);
    }
    buf_put_text(line, "}\n");
}

static void put_logfmt(buf *line, log_level level, const char *message, const log_field *fields,
                       size_t count) {
    buf_put_text(line, "time=");
    put_time(line);
    buf_printf(line, " level=%s message=", LEVELS[level]);
    put_value(line, &(log_field){ .text = message }, false);
    for (size_t i = 0; i < count; i++) {
        buf_printf(line, " %s=", fields[i].name);
        put_value(line, &fields[i], false);
    }
    buf_put_char(line, '\n');
}

/* For a terminal: "sluice: message (a=1 b=two)"; info without the level's name. */
static void put_plain(buf *line, log_level level, const char *message, const log_field *fields,
                      size_t count) {
    buf_printf(line, "sluice: %s%s%s", level > LOG_INFO ? LEVELS[level] : "",
               level > LOG_INFO ? ": " : "", message);
    for (size_t i = 0; i < count; i++) {
        buf_printf(line, "%s%s=", i ? " " : " (", fields[i].name);
        put_value(line, &fields[i], false);
    }
    buf_put_text(line, count ? ")\n" : "\n");
}

static void write_all(int fd, const char *data, size_t len) {
    while (len) {
        ssize_t wrote = write(fd, data, len);
        if (wrote <= 0) return;
        data += wrote;
        len -= (size_t)wrote;
    }
}

void log_write(logger *log, log_level level, const char *message, const log_field *fields,
               size_t count) {
    if (level >= LOG_WARN && log->tap) {
        pthread_mutex_lock(&log->lock);
        log->tap(log->tap_arg, level, message, fields, count);
        pthread_mutex_unlock(&log->lock);
    }
    if (level < log->level) return;
    buf line;
    buf_init(&line);
    if (log->style == LOG_JSON)
        put_json(&line, level, message, fields, count);
    else if (log->style == LOG_LOGFMT)
        put_logfmt(&line, level, message, fields, count);
    else
        put_plain(&line, level, message, fields, count);
    pthread_mutex_lock(&log->lock);
    if (log->before) log->before(log->before_arg);
    write_all(log->fd, line.data, line.len);
    pthread_mutex_unlock(&log->lock);
    buf_done(&line);
}
