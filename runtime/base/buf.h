#pragma once
/* A byte string that grows. One owner; thread: the owner's. */
#include <stddef.h>
#include <stdarg.h>
#include <string.h>

typedef struct buf {
    char *data;  /* owned; not NUL-terminated unless buf_text made it so */
    size_t len;  /* bytes in use */
    size_t room; /* bytes allocated */
} buf;

void buf_init(buf *b);
void buf_done(buf *b);
static inline void buf_reset(buf *b) { b->len = 0; }

/* Slow path of buf_need. */
void buf_grow(buf *b, size_t more);

/* Make room for `more` bytes and return where they go; the caller adds what it used to `len`. */
static inline char *buf_need(buf *b, size_t more) {
    if (b->room - b->len < more) buf_grow(b, more);
    return b->data + b->len;
}

static inline void buf_put(buf *b, const void *data, size_t len) {
    if (!len) return;
    memcpy(buf_need(b, len), data, len);
    b->len += len;
}

static inline void buf_put_char(buf *b, char c) {
    *buf_need(b, 1) = c;
    b->len++;
}

static inline void buf_put_text(buf *b, const char *text) { buf_put(b, text, strlen(text)); }

void buf_printf(buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The bytes with a NUL behind them (not counted in `len`); borrowed until the next change. */
const char *buf_text(buf *b);
