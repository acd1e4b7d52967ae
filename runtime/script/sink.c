#include "runtime/script/sink.h"

#include <inttypes.h>
#include <lauxlib.h>
#include <stdio.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/script/host.h"

typedef struct script_sink {
    script *script;    /* borrowed */
    lua_Number number; /* of the sink in the plan */
    uint64_t batch;
    bool has_begun;  /* `batch` runs or ran */
    bool may_repeat; /* an earlier try, or an earlier process, may have got rows of it */
    bool was_tried;  /* the next batch, by another script */
    bool is_kept;    /* batches are counted over all runs */
    int64_t now_ms;
    const sl_message **messages; /* of the running batch; the list is owned */
    uint32_t count, room;
    bool is_open;
} script_sink;

/* Push the function `name` of those that driver/sink.lua made, and the sink's number. */
static void push_call(script_sink *s, const char *name) {
    lua_State *L = s->script->L;
    lua_getfield(L, HOST_LOADED, "sinks");
    lua_getfield(L, -1, name);
    lua_remove(L, -2);
    lua_pushnumber(L, s->number);
}

/* Call what push_call and its arguments stand for; `what` it does, for messages. */
static err *run(script_sink *s, int args, const char *what) {
    if (host_call(s->script, args, 0)) return NULL;
    const char *details = host_details(s->script), *frames = script_traceback(s->script);
    return err_new(ERR_SCRIPT, "%s%s%s%s%s\nwhile %s", script_error(s->script),
                   *details ? "\n" : "", details, *frames ? "\n" : "", frames, what);
}

static void set_text(lua_State *L, const char *name, sl_string text) {
    if (!text.data) return;
    lua_pushlstring(L, text.data, text.len);
    lua_setfield(L, -2, name);
}

static void push_headers(lua_State *L, const sl_message *m) {
    lua_createtable(L, 0, (int)m->header_count);
    for (uint32_t i = 0; i < m->header_count; i++) {
        const sl_header *h = &m->headers[i];
        if (!h->value.data) continue;
        lua_pushlstring(L, h->name.data, h->name.len);
        lua_pushlstring(L, h->value.data, h->value.len);
        lua_rawset(L, -3);
    }
}

static void push_row(lua_State *L, const sl_message *m) {
    lua_createtable(L, 0, 3);
    set_text(L, "key", m->key);
    set_text(L, "value", m->value);
    if (!m->header_count) return;
    push_headers(L, m);
    lua_setfield(L, -2, "headers");
}

/* Hand over messages [first, end). */
static err *write_rows(script_sink *s, uint32_t first, uint32_t end) {
    lua_State *L = s->script->L;
    push_call(s, "write");
    lua_createtable(L, (int)(end - first), 0);
    for (uint32_t i = first; i < end; i++) {
        push_row(L, s->messages[i]);
        lua_rawseti(L, -2, (int)(i - first + 1));
    }
    lua_pushnumber(L, (lua_Number)s->batch);
    lua_pushnumber(L, (lua_Number)s->now_ms);
    lua_pushboolean(L, end == s->count);
    lua_pushboolean(L, s->may_repeat);
    char what[96];
    snprintf(what, sizeof what,
             "writing rows %" PRIu32 " to %" PRIu32 " of %" PRIu32 " of batch %" PRIu64, first + 1,
             end, s->count, s->batch);
    return run(s, 6, what);
}

static void sink_close(void *sink) {
    script_sink *s = sink;
    if (s->is_open) {
        push_call(s, "close");
        err_free(run(s, 1, "closing")); /* the run is over, well or not: nobody to tell */
    }
    mem_free(s->messages);
    mem_free(s);
}

static err *sink_open(const sl_sink *plan, const sl_system *system, void **sink) {
    script_sink *s = mem_zalloc(1, sizeof *s);
    s->script = system->script;
    s->number = (lua_Number)(plan - script_plan(s->script)->sinks);
    s->is_kept = script_plan(s->script)->checkpoint.url.data != NULL;
    push_call(s, "open");
    char what[96];
    snprintf(what, sizeof what, "opening sink `%.*s`", (int)plan->name.len, plan->name.data);
    err *e = run(s, 1, what);
    s->is_open = !e;
    if (e) {
        sink_close(s);
        return e;
    }
    *sink = s;
    return NULL;
}

static err *sink_begin(void *sink, uint64_t batch, int64_t now_ms) {
    script_sink *s = sink;
    s->may_repeat = s->was_tried || (s->has_begun ? batch == s->batch : s->is_kept);
    s->was_tried = false;
    s->has_begun = true;
    s->batch = batch;
    s->now_ms = now_ms;
    s->count = 0;
    return NULL;
}

void script_sink_may_repeat(void *sink) {
    script_sink *s = sink;
    s->was_tried = true;
}

static err *sink_write(void *sink, const sl_message *messages, uint32_t count) {
    script_sink *s = sink;
    if (s->room < s->count + count) {
        s->room = 2 * (s->count + count);
        s->messages = mem_realloc(s->messages, s->room * sizeof(sl_message *));
    }
    for (uint32_t i = 0; i < count; i++) s->messages[s->count++] = &messages[i];
    return NULL;
}

static err *sink_flush(void *sink, const sl_rejection **rejections, uint32_t *count) {
    script_sink *s = sink;
    *rejections = NULL;
    *count = 0;
    for (uint32_t first = 0; first < s->count; first += SCRIPT_SINK_ROWS) {
        uint32_t left = s->count - first;
        err *e = write_rows(s, first, first + (left < SCRIPT_SINK_ROWS ? left : SCRIPT_SINK_ROWS));
        if (e) return e;
    }
    return NULL;
}

const sl_sink_ops script_sink_ops = {
    .name = "sink",
    .open = sink_open,
    .begin = sink_begin,
    .write = sink_write,
    .flush = sink_flush,
    .close = sink_close,
};
