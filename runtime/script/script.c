#include "runtime/script/script.h"

#include <assert.h>
#include <lauxlib.h>
#include <luajit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/json_text.h"
#include "runtime/base/mem.h"
#include "runtime/script/again.h"
#include "runtime/script/failure.h"
#include "runtime/script/host.h"
#include "runtime/script/limit.h"
#include "runtime/script/load.h"
#include "runtime/script/print.h"
#include "runtime/script/result.h"
#include "runtime/script/trying.h"
#include "runtime/shared/row.h"

/* DESIGN. Between calls the stack holds HOST_TOP values: the message handler, the list of
 * drivers, and the table main.load gave, whose functions serve everything that is not a driver. */

enum { NO_DRIVER = UINT32_MAX,
       GRACE_MS = 1000 };

const char *sl_text_copy(void *text, const char *data, uint32_t len) {
    return json_text_is_utf8(data, len) ? arena_copy(text, data, len) : NULL;
}

const char *sl_bytes_copy(void *text, const char *data, uint32_t len) {
    return arena_copy(text, data, len);
}

int32_t sl_text_is_valid(const char *data, uint32_t len) {
    return json_text_is_utf8(data, len);
}

/* Set by the watchdog once a call is over its time; strikes at every instruction from then on. */
static void break_call(lua_State *L, lua_Debug *ar) {
    (void)ar;
    script *s = host_script(L);
    char place[256];
    host_user_place(L, place, sizeof place);
    const char *loop = s->traces ? traces_place(s->traces) : "";
    s->was_interrupted = true;
    lua_pushfstring(L, "%s: interrupted: it does not return (an endless loop?)",
                    loop[0]    ? loop
                    : place[0] ? place
                               : s->options.path);
    lua_error(L);
}

bool host_line(const char *text, uint32_t number, const char **line, size_t *len) {
    while (number-- && text) {
        text = strchr(text, '\n');
        if (text) text++;
    }
    *line = text;
    *len = text ? strcspn(text, "\n") : 0;
    return *len > 0;
}

void host_put_call(void *arg, buf *text) {
    const script *s = arg;
    uint32_t driver = *(const volatile uint32_t *)&s->driver;
    const volatile sl_vector *v = s->vector;
    const char *line;
    size_t len;
    if (s->loading && *s->tried)
        buf_printf(text, "%s: loading the script: %s, run on made-up rows,", s->options.path,
                   s->tried);
    else if (s->loading)
        buf_printf(text, "%s: loading the script", s->options.path);
    else if (driver == NO_DRIVER)
        buf_printf(text, "%s: a function of the script", s->options.path);
    else if (host_line(s->driver_names[driver], v->node + 1, &line, &len))
        buf_put(text, line, len);
    else
        buf_printf(text, "%s: function %u", s->options.path, v->node + 1);
}

void script_put_function(const script *s, uint32_t driver, uint32_t node, buf *text) {
    const char *line;
    size_t len;
    if (host_line(s->driver_names[driver], node + 1, &line, &len)) buf_put(text, line, len);
}

/* As host_put_call. */
static void locate_call(void *arg, buf *text) {
    const script *s = arg;
    uint32_t driver = *(const volatile uint32_t *)&s->driver;
    const volatile sl_vector *v = s->vector;
    if (s->loading || driver == NO_DRIVER) return;
    const char *name = s->driver_names[driver];
    uint32_t pos = v->pos, count = v->count;
    buf_printf(text, ", in %.*s at row %u of %u", (int)strcspn(name, "\n"), name, pos, count);
    char result[256];
    result_put_place(s->plan, driver, s->vector, result, sizeof result);
    buf_put_text(text, result);
    if (pos >= count || !strncmp(name, "emit", 4)) return; /* its rows are no records */
    const sl_row *row = v->rows ? v->rows[pos] : NULL;
    if (v->offsets && !strncmp(name, "rows", 4))
        buf_printf(text, ", offset %lld", (long long)v->offsets[pos]);
    else if (row)
        buf_printf(text, ", offset %lld", (long long)row->offset);
}

/* A call that prepares records stands at one: that is told before the end. */
static void report_call(void *arg, const char *message, bool last) {
    static const char PREPARE[] = "prepare of ";
    const script *s = arg;
    const volatile sl_vector *v = s->vector;
    uint32_t driver = *(const volatile uint32_t *)&s->driver, pos = v->pos;
    if (s->beside) {
        s->beside(s->beside_arg, message, last);
        return;
    }
    const char *name = s->loading || driver == NO_DRIVER ? "" : s->driver_names[driver];
    bool is_record = !strncmp(name, PREPARE, sizeof PREPARE - 1) && v->rows && pos < v->count;
    if (last && is_record && s->options.on_lost) {
        const char *source = name + sizeof PREPARE - 1;
        char *copy = mem_copy_text(source, strcspn(source, "\n"));
        const sl_row *row = v->rows[pos];
        s->options.on_lost(s->options.on_stuck_arg, copy, row->partition, row->offset, message);
        mem_free(copy);
    }
    bool loads = s->loading && s->options.on_hung_load;
    script_stuck *tell = loads ? s->options.on_hung_load : s->options.on_stuck;
    tell(s->options.on_stuck_arg, message, last);
}

static void start_watchdog(script *s) {
    if (!s->options.on_stuck) return;
    s->dog = watchdog_new(&(watchdog_options){
        .L = s->L,
        .hook = break_call,
        .grace_ms = s->options.grace_ms ? s->options.grace_ms : GRACE_MS,
        .describe = host_put_call,
        .locate = locate_call,
        .describe_arg = s,
        .report = report_call,
        .report_arg = s,
    });
    if (!s->dog) return;
    s->traces = traces_new(watchdog_strikes(s->dog));
    watchdog_watch_traces(s->dog, s->traces);
}

static script *new_script(const script_options *options) {
    script *s = mem_zalloc(1, sizeof *s);
    s->options = *options;
    /* the plan and messages name it for as long as it is there */
    if (options->path) s->options.path = mem_copy_text(options->path, strlen(options->path));
    s->anchor = LUA_NOREF;
    s->hash = HOST_FNV_START;
    s->driver = NO_DRIVER;
    s->vector = mem_zalloc(1, sizeof *s->vector);
    buf_text(&s->message);
    buf_text(&s->frames);
    return s;
}

/* The script is loaded, or failed to (`e`). */
static err *give(script *s, err *e, script **out) {
    if (e) {
        script_close(s);
        return e;
    }
    assert(lua_gettop(s->L) == HOST_TOP);
    if (!s->options.call_timeout_ms && s->plan)
        s->options.call_timeout_ms = s->plan->script_timeout_ms;
    if (s->options.call_timeout_ms <= 0) s->options.call_timeout_ms = 10000;
    *out = s;
    return NULL;
}

err *script_open(const script_options *options, script **out) {
    script *s = new_script(options);
    limit_open(s);
    start_watchdog(s);
    return give(s, load_script(s), out);
}

err *script_attach(struct lua_State *host, const script_options *options, script **out) {
    script *s = new_script(options);
    return give(s, load_guest(s, host), out);
}

bool script_is_guest(const script *s) {
    return s->anchor != LUA_NOREF;
}

static void close_state(script *s) {
    if (!script_is_guest(s))
        limit_close(s);
    else
        luaL_unref(s->L, LUA_REGISTRYINDEX, s->anchor);
}

void script_close(script *s) {
    if (!s) return;
    watchdog_free(s->dog);
    print_finish(s);
    if (s->L) close_state(s);
    for (uint32_t i = 0; i < s->file_count; i++) mem_free(s->files[i]);
    mem_free(s->files);
    buf_done(&s->source);
    for (uint32_t i = 0; i < s->driver_count; i++) mem_free(s->driver_names[i]);
    mem_free(s->driver_names);
    buf_done(&s->message);
    buf_done(&s->frames);
    buf_done(&s->text);
    mem_free(s->vector);
    traces_free(s->traces);
    mem_free((char *)s->options.path);
    mem_free(s);
}

sl_string script_source(const script *s) {
    return (sl_string){ .data = s->source.data, .len = (uint32_t)s->source.len };
}

const sl_plan *script_plan(const script *s) {
    return s->plan;
}

sl_vector *script_vector(script *s) {
    return s->vector;
}

err *script_agree(const script *a, const script *b) {
    if (a->hash != b->hash)
        return err_new(ERR_PLAN, "%s: the script or a file it requires changed while loading",
                       a->options.path);
    if (a->fingerprint != b->fingerprint || a->driver_count != b->driver_count)
        return err_new(ERR_PLAN, "%s: two loads made two plans: it depends on what changes",
                       a->options.path);
    return NULL;
}

/* The hook struck in the handler of its own error. */
static void tell_struck(script *s) {
    buf_reset(&s->message);
    host_put_call(s, &s->message);
    buf_put_text(&s->message, ": interrupted: it does not return (an endless loop?)");
}

/* Call the function below `args` arguments at the top of the stack, watched. */
static bool call(script *s, uint32_t driver, int args, int results) {
    s->driver = driver;
    if (!script_is_guest(s)) limit_before(s);
    watchdog_enter(s->dog, s->options.call_timeout_ms);
    int status = lua_pcall(s->L, args, results, HOST_HANDLER);
    bool was_struck = s->dog && *watchdog_strikes(s->dog);
    watchdog_leave(s->dog);
    if (s->traces && traces_were_broken(s->traces))
        luaJIT_setmode(s->L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_FLUSH);
    if (was_struck && status == LUA_ERRERR) tell_struck(s);
    if (status)
        failure_finish(s, status);
    else if (s->asked_bytes)
        lua_pop(s->L, results);
    if (!script_is_guest(s)) status = limit_after(s, status);
    s->failed = status == LUA_ERRMEM ? NO_DRIVER : driver;
    s->driver = NO_DRIVER;
    return status == 0;
}

bool host_call(script *s, int args, int results) { return call(s, NO_DRIVER, args, results); }

bool script_run(script *s, uint32_t driver) {
    assert(driver < s->driver_count && lua_gettop(s->L) == HOST_TOP);
    lua_rawgeti(s->L, HOST_DRIVERS, (int)driver + 1);
    s->vector->run++;
    bool done = call(s, driver, 0, 0);
    s->vector->run++;
    assert(lua_gettop(s->L) == HOST_TOP);
    return done;
}

bool script_runs_again(script *s) {
    sl_vector *v = s->vector;
    bool is_second = s->again_rows == v->rows && s->again_at == v->pos && v->first == v->pos;
    s->again_rows = NULL;
    if (!s->asked_bytes || is_second) return false;
    s->again_rows = v->rows;
    v->first = s->again_at = v->pos;
    return true;
}

err *host_text(script *s, const char *name, int args, size_t *len) {
    lua_getfield(s->L, HOST_LOADED, name);
    lua_insert(s->L, -args - 1);
    if (!call(s, NO_DRIVER, args, 1)) {
        assert(lua_gettop(s->L) == HOST_TOP);
        return err_new(ERR_SCRIPT, "%s", s->message.data);
    }
    const char *text = lua_tolstring(s->L, -1, len);
    buf_reset(&s->text);
    if (text) buf_put(&s->text, text, *len);
    buf_text(&s->text);
    lua_pop(s->L, 1);
    return NULL;
}

const char *script_error(const script *s) {
    return s->message.data;
}

const char *script_traceback(const script *s) {
    return s->frames.data;
}

/* `driver`: its number, from 1; 0: none, what threw has no row. */
static const char *tell(script *s, double driver) {
    buf message = s->message, frames = s->frames; /* a failure of this call would write them */
    buf_init(&s->message);
    buf_init(&s->frames);
    lua_pushnumber(s->L, driver);
    lua_pushlstring(s->L, message.data, message.len);
    lua_pushlstring(s->L, frames.data, frames.len);
    size_t len;
    err *e = host_text(s, "tell", 3, &len);
    buf_done(&s->message);
    buf_done(&s->frames);
    s->message = message;
    s->frames = frames;
    if (!e) return s->text.data;
    err_free(e);
    return "";
}

const char *script_details(script *s) {
    return s->failed == NO_DRIVER ? "" : tell(s, s->failed + 1.0);
}

const char *host_details(script *s) { return tell(s, 0); }

err *script_describe(script *s, const char **text) {
    size_t len;
    err *e = host_text(s, "describe", 0, &len);
    *text = s->text.data;
    return e;
}

err *script_compat(script *s, const char *stored, const sl_compat **result) {
    size_t len;
    lua_pushstring(s->L, stored);
    err *e = host_text(s, "compat", 1, &len);
    *result = e ? NULL : (const sl_compat *)(uintptr_t)strtoull(s->text.data, NULL, 10);
    return e;
}

err *script_members(script *s, const char *stored, const char *section, const char **text) {
    size_t len;
    lua_pushstring(s->L, stored);
    lua_pushstring(s->L, section);
    err *e = host_text(s, "members", 2, &len);
    *text = s->text.data;
    return e;
}

err *script_explain(script *s, const script_explanation *wanted, const char **text) {
    size_t len;
    lua_pushboolean(s->L, wanted->json);
    lua_pushboolean(s->L, wanted->color);
    lua_pushstring(s->L, wanted->facts); /* nil for NULL */
    if (wanted->put_ms < 0)
        lua_pushnil(s->L);
    else
        lua_pushnumber(s->L, (lua_Number)wanted->put_ms);
    lua_pushboolean(s->L, wanted->is_charged);
    err *e = host_text(s, "explain", 5, &len);
    *text = s->text.data;
    return e;
}

err *script_verdict(script *s, uint32_t *warnings, uint32_t *errors) {
    size_t len;
    *warnings = *errors = 0;
    err *e = host_text(s, "verdict", 0, &len);
    if (!e) sscanf(s->text.data, "%u %u", warnings, errors);
    return e;
}

err *script_warnings(script *s, const char **text) {
    size_t len;
    err *e = host_text(s, "warnings", 0, &len);
    *text = s->text.data;
    return e;
}

err *script_event(script *s, uint32_t source, int64_t i, int64_t seed, int64_t now_ms,
                  const char **text, size_t *len) {
    lua_pushnumber(s->L, source + 1);
    lua_pushnumber(s->L, (lua_Number)i);
    lua_pushnumber(s->L, (lua_Number)seed);
    lua_pushnumber(s->L, (lua_Number)now_ms);
    err *e = host_text(s, "event", 4, len);
    *text = s->text.data;
    return e;
}

void script_fallbacks(script *s, script_fallback *report, void *arg) {
    size_t len;
    err *e = host_text(s, "fallbacks", 0, &len);
    for (char *line = s->text.data; !e && line && *line;) {
        char *end = strchr(line, '\n');
        if (end) *end = '\0';
        report(arg, line);
        line = end ? end + 1 : NULL;
    }
    err_free(e);
}

const char *script_library_version(void) {
    return LUAJIT_VERSION;
}
