#include "runtime/script/print.h"

#include <lauxlib.h>
#include <stdio.h>

#include "runtime/base/clock.h"

/* Tabs stand between the words of a print: a log line would escape them. */
static void put_text(buf *out, lua_State *L) {
    char place[256];
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    host_user_place(L, place, sizeof place);
    if (place[0]) buf_printf(out, "%s: ", place);
    for (size_t i = 0; i < len; i++) buf_put_char(out, text[i] == '\t' ? ' ' : text[i]);
}

static void write_line(script *s, const char *text) {
    log_field fields[] = { log_text("text", text), log_number("dropped", s->prints.dropped) };
    size_t count = s->prints.dropped ? 2 : 1;
    if (s->options.log)
        log_write(s->options.log, LOG_INFO, "print", fields, count);
    else
        fprintf(stderr, "%s\n", text);
    s->prints.dropped = 0;
}

int print_line(lua_State *L) {
    script *s = host_of(L);
    luaL_checkstring(L, 1); /* throws before there is memory to free */
    int64_t now_ms = clock_steady_ms(&(clock_source){ 0 });
    if (s->prints.shown >= PRINT_FREE && now_ms - s->prints.last_ms < PRINT_EVERY_MS) {
        s->prints.dropped++;
        return 0;
    }
    buf text;
    buf_init(&text);
    put_text(&text, L);
    write_line(s, buf_text(&text));
    buf_done(&text);
    s->prints.shown++;
    s->prints.last_ms = now_ms;
    return 0;
}

void print_finish(script *s) {
    if (!s->prints.dropped || !s->options.log) return;
    log_info(s->options.log, "print", log_number("dropped", s->prints.dropped));
    s->prints.dropped = 0;
}
