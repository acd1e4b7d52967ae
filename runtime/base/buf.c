#include "runtime/base/buf.h"

#include <stdio.h>

#include "runtime/base/mem.h"

void buf_init(buf *b) { *b = (buf){ 0 }; }

void buf_done(buf *b) {
    mem_free(b->data);
    buf_init(b);
}

void buf_grow(buf *b, size_t more) {
    size_t want = b->len + more, room = b->room ? b->room * 2 : 256;
    if (room < want) room = want;
    b->data = mem_realloc(b->data, room);
    b->room = room;
}

void buf_printf(buf *b, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len > 0) {
        vsnprintf(buf_need(b, (size_t)len + 1), (size_t)len + 1, format, again);
        b->len += (size_t)len;
    }
    va_end(again);
}

const char *buf_text(buf *b) {
    *buf_need(b, 1) = '\0';
    return b->data;
}
