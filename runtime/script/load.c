#include "runtime/script/load.h"

#include <errno.h>
#include <lauxlib.h>
#include <luajit.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/clock.h"
#include "runtime/base/mem.h"
#include "runtime/script/failure.h"
#include "runtime/script/library.h"
#include "runtime/script/limit.h"
#include "runtime/script/perf_map.h"
#include "runtime/script/print.h"

/* DESIGN. Everything that can throw runs inside one lua_pcall (`open_inside`): libraries, the
 * library's main.load with the user's script in it, the checks. The JIT stays off until then: a
 * compiled loop cannot be interrupted by a hook. */

enum { HOOK_INSTRUCTIONS = 10000,
       LOAD_TIMEOUT_MS = 10000 };
static const size_t LOAD_MEMORY_BYTES = (size_t)256 << 20;
static const size_t SCRIPT_MAX_BYTES = (size_t)16 << 20;

script *host_script(lua_State *L) {
    void *s;
    lua_getallocf(L, &s);
    return s;
}

script *host_of(lua_State *L) { return lua_touserdata(L, lua_upvalueindex(1)); }

/* Push a C function that knows its script as its first upvalue: host_of. */
static void push_function(script *s, lua_CFunction function) {
    lua_pushlightuserdata(s->L, s);
    lua_pushcclosure(s->L, function, 1);
}

uint64_t host_hash(uint64_t hash, const void *data, size_t len) {
    const unsigned char *bytes = data;
    for (size_t i = 0; i < len; i++) hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

/* Count hook while loading. Once the time is over it strikes at every instruction, so that a
 * pcall in the script cannot hold it off. */
static void load_hook(lua_State *L, lua_Debug *ar) {
    (void)ar;
    script *s = host_script(L);
    s->stopped = s->options.stop && *s->options.stop;
    bool late = clock_thread_ms() >= s->deadline_ms;
    if (!s->stopped && !late) return;
    lua_sethook(L, load_hook, LUA_MASKCOUNT, 1);
    if (!s->late_at[0]) host_user_place(L, s->late_at, sizeof s->late_at);
    const char *at = s->late_at[0] ? s->late_at : s->options.path;
    if (s->stopped)
        lua_pushfstring(L, "%s: stopped while the script was loading", at);
    else if (s->tried[0])
        lua_pushfstring(L, "%s: %s does not return in time when it is tried on made-up rows "
                           "(an endless loop?)",
                        at, s->tried);
    else
        lua_pushfstring(L, "%s: the script does not finish loading (an endless loop?)", at);
    lua_error(L);
}

static uint64_t add_text(uint64_t hash, const char *text, size_t len) {
    return host_hash(host_hash(hash, &len, sizeof len), text, len);
}

/* host.hash(text, path): make `text` of the file `path` part of the script's hash. */
static int host_add_text(lua_State *L) {
    script *s = host_of(L);
    size_t len, path_len;
    const char *text = luaL_checklstring(L, 1, &len);
    const char *path = luaL_checklstring(L, 2, &path_len);
    s->hash = add_text(s->hash, text, len);
    s->files = mem_realloc(s->files, (s->file_count + 1) * sizeof *s->files);
    s->files[s->file_count++] = mem_copy_text(path, path_len);
    if (s->options.worker) return 0;
    buf_printf(&s->source, "-- %s, %zu bytes\n", path, len);
    buf_put(&s->source, text, len);
    buf_put_char(&s->source, '\n');
    return 0;
}

/* host.trying(what): a function of the user's is run on made-up rows from now on; nil: none is. */
static int host_trying(lua_State *L) {
    script *s = host_of(L);
    snprintf(s->tried, sizeof s->tried, "%s", luaL_optstring(L, 1, ""));
    return 0;
}

/* host.trace(address, bytes, loop, exits, stubs, place, name): LuaJIT compiled something; without
 * arguments: all that it compiled is gone. */
static int host_trace(lua_State *L) {
    script *s = host_of(L);
    if (lua_isnone(L, 1)) {
        traces_clear(s->traces);
        return 0;
    }
    uintptr_t stubs[256];
    size_t count = lua_objlen(L, 5);
    for (size_t i = 0; i < count && i < 256; i++) {
        lua_rawgeti(L, 5, (int)i + 1);
        stubs[i] = (uintptr_t)lua_tonumber(L, -1);
        lua_pop(L, 1);
    }
    uint32_t exits = count > 256 ? 256 * 32 : (uint32_t)lua_tonumber(L, 4);
    uintptr_t code = (uintptr_t)lua_tonumber(L, 1);
    size_t len = (size_t)lua_tonumber(L, 2), loop = (size_t)lua_tonumber(L, 3);
    bool ends = traces_add(s->traces, code, len, loop, exits, stubs, luaL_checkstring(L, 6));
    if (s->options.names_code) perf_map_add(code, len, luaL_checkstring(L, 7));
    lua_pushboolean(L, ends);
    return 1;
}

static void push_list(lua_State *L, const char *const *texts, uint32_t count) {
    lua_createtable(L, (int)count, 0);
    for (uint32_t i = 0; i < count; i++) {
        lua_pushstring(L, texts[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
}

/* Push the table that main.load and main.attach get. */
static void push_host(lua_State *L, script *s) {
    lua_newtable(L);
    lua_pushstring(L, s->options.path);
    lua_setfield(L, -2, "path");
    lua_pushlstring(L, s->options.text, s->options.text_len);
    lua_setfield(L, -2, "text");
    if (s->options.root) lua_pushstring(L, s->options.root);
    if (s->options.root) lua_setfield(L, -2, "root");
    lua_pushinteger(L, (lua_Integer)s->options.worker);
    lua_setfield(L, -2, "worker");
    push_list(L, s->options.overrides, s->options.override_count);
    lua_setfield(L, -2, "overrides");
    push_list(L, s->options.params, s->options.param_count);
    lua_setfield(L, -2, "params");
    lua_pushboolean(L, s->options.shows_secrets);
    lua_setfield(L, -2, "shows_secrets");
    lua_pushboolean(L, s->options.timed);
    lua_setfield(L, -2, "timed");
    lua_pushlightuserdata(L, s->vector);
    lua_setfield(L, -2, "vector");
    push_function(s, print_line);
    lua_setfield(L, -2, "print");
    push_function(s, host_add_text);
    lua_setfield(L, -2, "hash");
    push_function(s, host_trying);
    lua_setfield(L, -2, "trying");
    if (!s->traces) return;
    push_function(s, host_trace);
    lua_setfield(L, -2, "trace");
}

/* Measured: with the defaults a long function or many of them are 50 times slower. */
static void raise_jit_limits(lua_State *L) {
    static const char *const LIMITS[] = { "maxtrace=8000", "maxrecord=40000", "maxirconst=8000",
                                          "maxside=1000", "maxsnap=8000", "sizemcode=2048",
                                          "maxmcode=32768", "loopunroll=60" };
    lua_getglobal(L, "require");
    lua_pushliteral(L, "jit.opt");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "start");
    int count = (int)(sizeof LIMITS / sizeof *LIMITS);
    for (int i = 0; i < count; i++) lua_pushstring(L, LIMITS[i]);
    lua_call(L, count, 0);
    lua_pop(L, 1);
}

/* Protected part of loading. Leaves one result: what main.load gave. */
static int open_inside(lua_State *L) {
    script *s = host_script(L);
    luaL_openlibs(L);
    luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    library_install(L, s->options.library, true);
    raise_jit_limits(L);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "sluice.main");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "load");
    push_host(L, s);
    lua_call(L, 1, 1);
    return 1;
}

static void take_names(script *s, uint32_t count) {
    s->driver_count = count;
    s->driver_names = mem_zalloc(count, sizeof *s->driver_names);
    lua_getfield(s->L, HOST_LOADED, "names");
    for (uint32_t i = 0; i < count; i++) {
        lua_rawgeti(s->L, -1, (int)i + 1);
        size_t len;
        const char *name = lua_tolstring(s->L, -1, &len);
        s->driver_names[i] = mem_copy_text(name, name ? len : 0);
        lua_pop(s->L, 1);
    }
    lua_pop(s->L, 1);
}

/* Parameters that were set are as good as text: the same script with others is another one. */
static uint64_t add_params(script *s) {
    uint64_t hash = s->hash;
    for (uint32_t i = 0; i < s->options.param_count; i++) {
        const char *param = s->options.params[i];
        hash = add_text(hash, param, strlen(param));
        if (s->source.len) buf_printf(&s->source, "-- parameter %s\n", param);
    }
    return hash;
}

/* So are settings that rows depend on; which those are, Lua knows. */
static uint64_t add_settings(script *s, uint64_t hash) {
    size_t len;
    lua_getfield(s->L, HOST_LOADED, "settings");
    const char *text = lua_tolstring(s->L, -1, &len);
    if (text && len) hash = add_text(hash, text, len);
    if (text && len && s->source.len) buf_printf(&s->source, "--[[ --set\n%s\n]]\n", text);
    lua_pop(s->L, 1);
    return hash;
}

/* Take plan and drivers out of main.load's result, which is at HOST_LOADED. */
static err *take_loaded(script *s) {
    lua_State *L = s->L;
    lua_getfield(L, HOST_LOADED, "problem");
    if (lua_isstring(L, -1)) {
        err *e = err_new(ERR_PLAN, "%s", lua_tostring(L, -1));
        lua_pop(L, 1);
        return e;
    }
    lua_getfield(L, HOST_LOADED, "plan");
    sl_plan *plan = (sl_plan *)(uintptr_t)lua_tonumber(L, -1);
    plan->script_hash = add_settings(s, add_params(s));
    plan->script = (sl_string){ .data = s->options.path,
                                .len = (uint32_t)strlen(s->options.path) };
    s->plan = plan;
    lua_getfield(L, HOST_LOADED, "fingerprint");
    size_t len;
    const char *text = lua_tolstring(L, -1, &len);
    s->fingerprint = host_hash(HOST_FNV_START, text, text ? len : 0);
    lua_pop(L, 3);
    lua_getfield(L, HOST_LOADED, "drivers");
    lua_replace(L, HOST_DRIVERS);
    take_names(s, (uint32_t)lua_objlen(L, HOST_DRIVERS));
    return NULL;
}

/* "FILE:LINE: …" of the user's, or of the library (a bug, or misuse that it did not foresee). */
static bool has_place(const char *message) {
    size_t len = strcspn(message, "\n");
    const char *end = strstr(message, ": ");
    if (!end || (size_t)(end - message) > len) return false;
    while (end > message && end[-1] >= '0' && end[-1] <= '9') end--;
    bool is_library = strncmp(message, "sluice/", 7) == 0 || strncmp(message, "sluice:", 7) == 0;
    return end > message && end[-1] == ':' && !is_library;
}

static err *load_error(script *s, int status) {
    failure_finish(s, status);
    const char *message = s->message.data;
    if (s->stopped) return err_new(ERR_STOPPED, "%s", message);
    if (status == LUA_ERRMEM)
        return err_new(ERR_PLAN, "%s: the script asks for more than %zu MiB while it loads",
                       s->refused_at[0] ? s->refused_at : s->options.path, s->limit_bytes >> 20);
    if (has_place(message)) return err_new(ERR_PLAN, "%s", message);
    if (!s->frames.len) return err_new(ERR_PLAN, "%s: %s", s->options.path, message);
    int len = (int)strcspn(s->frames.data, " ");
    return err_new(ERR_PLAN, "%.*s %s", len, s->frames.data, message);
}

/* Read the script's file into memory that the caller frees. */
static err *read_file(const char *path, char **text, size_t *len) {
    FILE *file = fopen(path, "rb");
    if (!file) return err_new(ERR_USAGE, "opening the script %s: %s", path, strerror(errno));
    buf content;
    buf_init(&content);
    size_t got;
    do {
        got = fread(buf_need(&content, 1 << 16), 1, 1 << 16, file);
        content.len += got;
    } while (got && content.len <= SCRIPT_MAX_BYTES);
    bool bad = ferror(file) != 0 || content.len > SCRIPT_MAX_BYTES;
    int code = ferror(file) ? errno : EFBIG;
    fclose(file);
    if (bad) {
        buf_done(&content);
        return err_new(ERR_USAGE, "reading the script %s: %s", path, strerror(code));
    }
    *text = content.data; /* buf memory is mem memory */
    *len = content.len;
    return NULL;
}

static err *run_load(script *s) {
    const script_options *o = &s->options;
    int64_t timeout_ms = o->load_timeout_ms ? o->load_timeout_ms : LOAD_TIMEOUT_MS;
    s->limit_bytes = o->load_memory_bytes ? (size_t)o->load_memory_bytes : LOAD_MEMORY_BYTES;
    s->deadline_ms = clock_thread_ms() + timeout_ms;
    s->loading = true;
    lua_sethook(s->L, load_hook, LUA_MASKCOUNT, HOOK_INSTRUCTIONS);
    watchdog_enter(s->dog, timeout_ms * 2); /* the hook cannot break string.find and the like */

    push_function(s, failure_handler);
    lua_pushnil(s->L); /* HOST_DRIVERS */
    lua_pushcfunction(s->L, open_inside);
    int status = lua_pcall(s->L, 0, 1, HOST_HANDLER);

    watchdog_leave(s->dog);
    lua_sethook(s->L, NULL, 0, 0);
    err *e = status ? load_error(s, status) : take_loaded(s);
    s->limit_bytes = 0;
    s->loading = false;
    if (!e) e = limit_begin(s);
    if (!o->jit_off) luaJIT_setmode(s->L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_ON);
    return e;
}

err *load_script(script *s) {
    char *text = NULL;
    if (!s->options.text) {
        err *e = read_file(s->options.path, &text, &s->options.text_len);
        if (e) return e;
        s->options.text = text ? text : "";
    }
    err *e = run_load(s);
    if (text) s->options.text = NULL;
    mem_free(text);
    return e;
}

/* Protected part of attaching; argument: the pipeline. */
static int attach_inside(lua_State *L) {
    script *s = host_of(L);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "sluice.main");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "attach");
    push_host(L, s);
    lua_pushvalue(L, 1);
    lua_call(L, 2, 1);
    return 1;
}

err *load_guest(script *s, lua_State *host) {
    s->L = lua_newthread(host);
    s->anchor = luaL_ref(host, LUA_REGISTRYINDEX);
    push_function(s, failure_handler);
    lua_pushnil(s->L); /* HOST_DRIVERS */
    push_function(s, attach_inside);
    lua_xmove(host, s->L, 1);
    int status = lua_pcall(s->L, 1, 1, HOST_HANDLER);
    return status ? load_error(s, status) : take_loaded(s);
}

bool script_is_current(const script *s) {
    uint64_t hash = HOST_FNV_START;
    for (uint32_t i = 0; i < s->file_count; i++) {
        char *text;
        size_t len;
        err *e = read_file(s->files[i], &text, &len);
        if (e) {
            err_free(e);
            return false;
        }
        hash = add_text(hash, text, len);
        mem_free(text);
    }
    return hash == s->hash;
}
