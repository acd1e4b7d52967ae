#pragma once
/* Log lines for people and machines: logfmt or JSON, one line an event, on one descriptor. Lines
 * are written whole, so that threads do not mix. A live status line (cli) is cleared before each
 * line by the `before` hook. thread: any. */
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum log_level {
    LOG_DEBUG,
    LOG_INFO,
    LOG_WARN,
    LOG_ERROR,
} log_level;
typedef enum log_style {
    LOG_PLAIN,
    LOG_LOGFMT,
    LOG_JSON,
} log_style;

/* One named value of a line. */
typedef struct log_field {
    const char *name; /* borrowed */
    const char *text; /* borrowed; NULL: `number` is the value */
    int64_t number;
} log_field;

/* Sees what is logged. thread: the one that logs. */
typedef void log_tap(void *arg, log_level level, const char *message, const log_field *fields,
                     size_t count);

typedef struct logger {
    int fd;                 /* where lines go, usually 2; borrowed */
    log_level level;        /* lines below it are dropped */
    log_style style;        /* LOG_PLAIN: the message and its fields, for a terminal */
    void (*before)(void *); /* called with the lock held before a line is written; may be NULL */
    void *before_arg;
    log_tap *tap; /* called with the lock held for what is LOG_WARN and above, whatever `level`;
                     may be NULL. Set before threads log */
    void *tap_arg;
    pthread_mutex_t lock; /* guards `fd` and the hook */
} logger;

void log_init(logger *log, int fd, log_style style, log_level level);
void log_done(logger *log);

/* In a copy of the process: nothing is written any more, and its lock not taken. */
void log_mute(logger *log);

/* Write one line. `message` names the event ("broker lost"); details are fields. */
void log_write(logger *log, log_level level, const char *message, const log_field *fields,
               size_t count);

#define log_text(name_, text_) ((log_field){ .name = (name_), .text = (text_) })
#define log_number(name_, number_) ((log_field){ .name = (name_), .number = (int64_t)(number_) })
#define LOG_FIELDS(...) \
    (log_field[]){ __VA_ARGS__ }, sizeof((log_field[]){ __VA_ARGS__ }) / sizeof(log_field)
#define log_info(log, message, ...) log_write(log, LOG_INFO, message, LOG_FIELDS(__VA_ARGS__))
#define log_warn(log, message, ...) log_write(log, LOG_WARN, message, LOG_FIELDS(__VA_ARGS__))
#define log_error(log, message, ...) log_write(log, LOG_ERROR, message, LOG_FIELDS(__VA_ARGS__))
