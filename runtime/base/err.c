#include "runtime/base/err.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/mem.h"

static char *format_text(const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    if (len < 0) len = 0;
    char *text = mem_alloc((size_t)len + 1);
    vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    return text;
}

err *err_new(err_code code, const char *format, ...) {
    err *e = mem_zalloc(1, sizeof *e);
    e->code = code;
    va_list args;
    va_start(args, format);
    e->message = format_text(format, args);
    va_end(args);
    return e;
}

err *err_wrap(err *e, const char *format, ...) {
    if (!e) return NULL;
    va_list args;
    va_start(args, format);
    char *context = format_text(format, args);
    va_end(args);
    size_t context_len = strlen(context), message_len = strlen(e->message);
    char *joined = mem_alloc(context_len + 2 + message_len + 1);
    memcpy(joined, context, context_len);
    memcpy(joined + context_len, ": ", 2);
    memcpy(joined + context_len + 2, e->message, message_len + 1);
    mem_free(context);
    mem_free(e->message);
    e->message = joined;
    return e;
}

err *err_join(err *first, err *second) {
    if (!first || !second) return first ? first : second;
    err *joined = err_new(first->code, "%s\n%s", first->message, second->message);
    err_free(first);
    err_free(second);
    return joined;
}

void err_free(err *e) {
    if (!e) return;
    mem_free(e->message);
    mem_free(e);
}
