#include "runtime/script/specs_host.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/mem.h"

/* DESIGN. Every function has the kit's userdata as its first upvalue, so that the kit outlives
 * pipelines; those close when they are told to, or when they are collected. Nothing that a C
 * function owns is held while Lua may throw: what it makes goes into userdata first. */

#define PLAYED "sluice.test.pipeline"
#define KIT "sluice.test.kit"

typedef struct kit_holder {
    const specs_ops *ops; /* borrowed */
    void *kit;            /* made by ops->begin; owned */
} kit_holder;

typedef struct played {
    void *handle;          /* of the ops; NULL: closed */
    char *path;            /* what messages call the script; owned */
    const kit_holder *kit; /* borrowed */
} played;

static kit_holder *holder(lua_State *L) { return lua_touserdata(L, lua_upvalueindex(1)); }

static played *check_at(lua_State *L, int i) {
    played *p = luaL_checkudata(L, i, PLAYED);
    if (!p->handle) luaL_error(L, "the pipeline is closed");
    return p;
}

static played *check_played(lua_State *L) { return check_at(L, 1); }

static void close_played(played *p) {
    if (p->handle) p->kit->ops->close(p->handle);
    mem_free(p->path);
    p->handle = p->path = NULL;
}

/* Give nil, the message of `e`, which is freed, and whether a test let it die. */
static int fail(lua_State *L, err *e) {
    char *message = e->message;
    bool is_crash = e->code == ERR_CRASHED;
    e->message = NULL;
    err_free(e);
    lua_pushnil(L);
    lua_pushstring(L, message);
    mem_free(message);
    lua_pushboolean(L, is_crash);
    return 3;
}

/* -- open and close */

/* A call into the script does not return; what cannot be interrupted ends the process: nobody
 * would. thread: the watching one. */
static void on_stuck(void *arg, const char *message, bool last) {
    (void)arg;
    fprintf(stderr, "sluice test: %s%s\n", message, last ? "; it cannot be interrupted" : "");
}

static double number_field(lua_State *L, const char *name, double otherwise) {
    lua_getfield(L, 1, name);
    double value = lua_isnumber(L, -1) ? lua_tonumber(L, -1) : otherwise;
    lua_pop(L, 1);
    return value;
}

/* The texts of list `name`, in memory that a userdata at the top of the stack keeps. */
static const char **read_texts(lua_State *L, const char *name, uint32_t *count) {
    lua_getfield(L, 1, name);
    *count = lua_istable(L, -1) ? (uint32_t)lua_objlen(L, -1) : 0;
    const char **texts = lua_newuserdata(L, (*count + 1) * sizeof *texts);
    for (uint32_t i = 0; i < *count; i++) {
        lua_rawgeti(L, -2, (int)i + 1);
        texts[i] = lua_tostring(L, -1); /* stays in the list */
        lua_pop(L, 1);
    }
    return texts;
}

/* What a pipeline is opened with: the table at 1 says. Texts lie on the stack. */
typedef struct opening {
    script_options script;
    specs_opening of;
} opening;

static err *read_opening(lua_State *L, const played *p, opening *o) {
    uint32_t set_count, param_count;
    const char **sets = read_texts(L, "sets", &set_count);
    const char **params = read_texts(L, "params", &param_count);
    lua_getfield(L, 1, "jit_off");
    o->script = (script_options){
        .path = p->path,
        .overrides = sets,
        .override_count = set_count,
        .params = params,
        .param_count = param_count,
        .library = getenv("SLUICE_LUA"),
        .jit_off = lua_toboolean(L, -1),
        .on_stuck = on_stuck,
    };
    o->of = (specs_opening){
        .script = &o->script,
        .workers = (uint32_t)number_field(L, "workers", 1),
        .now_ms = (int64_t)number_field(L, "now", 0),
    };
    lua_getfield(L, 1, "plan");
    return lua_isnil(L, -1) ? NULL : script_attach(L, &o->script, &o->of.guest);
}

static int host_open(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_getfield(L, 1, "path");
    const char *path = luaL_checkstring(L, -1);
    played *p = lua_newuserdata(L, sizeof *p); /* at 3 */
    *p = (played){ .kit = holder(L) };
    luaL_getmetatable(L, PLAYED);
    lua_setmetatable(L, 3);
    p->path = mem_copy_text(path, strlen(path));
    opening o;
    err *e = read_opening(L, p, &o);
    if (!e) e = p->kit->ops->open(p->kit->kit, &o.of, &p->handle);
    if (e) {
        close_played(p);
        return fail(L, e);
    }
    lua_pushvalue(L, 3);
    return 1;
}

/* At 1 the table that a script is opened with, at 2 the pipeline that goes on with it. */
static err *go_on(lua_State *L, played *p, err *(*how)(void *handle, const specs_opening *of)) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    opening o;
    err *e = read_opening(L, p, &o);
    lua_getfield(L, 1, "path");
    if (!e && !o.of.guest) o.script.path = luaL_checkstring(L, -1);
    if (!e) e = how(p->handle, &o.of);
    if (e || o.of.guest) return e;
    char *before = p->path;
    p->path = mem_copy_text(o.script.path, strlen(o.script.path));
    mem_free(before);
    return NULL;
}

/* One that cannot go on is closed. */
static int host_restart(lua_State *L) {
    played *p = check_at(L, 2);
    err *e = go_on(L, p, p->kit->ops->restart);
    if (e) {
        close_played(p);
        return fail(L, e);
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* It goes on whatever comes. */
static int host_reload(lua_State *L) {
    played *p = check_at(L, 2);
    err *e = go_on(L, p, p->kit->ops->reload);
    if (e) return fail(L, e);
    lua_pushboolean(L, 1);
    return 1;
}

static int host_crash(lua_State *L) {
    played *p = check_played(L);
    p->kit->ops->crash(p->handle, luaL_checkstring(L, 2));
    return 0;
}

static int host_close(lua_State *L) {
    close_played(luaL_checkudata(L, 1, PLAYED));
    return 0;
}

static int kit_gc(lua_State *L) {
    kit_holder *h = lua_touserdata(L, 1);
    h->ops->end(h->kit);
    h->kit = NULL;
    return 0;
}

/* -- records in */

/* A text at the top, which stays borrowed from the table it came from; popped. NULL: none. */
static sl_string take_text(lua_State *L) {
    size_t len = 0;
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : NULL;
    lua_pop(L, 1);
    return (sl_string){ .data = text, .len = (uint32_t)len };
}

static sl_string text_field(lua_State *L, const char *name) {
    lua_getfield(L, -1, name);
    return take_text(L);
}

static sl_string text_item(lua_State *L, int i) {
    lua_rawgeti(L, -1, i);
    return take_text(L);
}

/* The headers of the record at the top, in a userdata that is left on the stack. */
static void read_headers(lua_State *L, sl_record *r) {
    lua_getfield(L, -1, "headers");
    r->header_count = lua_istable(L, -1) ? (uint32_t)lua_objlen(L, -1) : 0;
    sl_header *headers = lua_newuserdata(L, (r->header_count + 1) * sizeof *headers);
    lua_insert(L, -2);
    for (uint32_t i = 0; i < r->header_count; i++) {
        lua_rawgeti(L, -1, (int)i + 1);
        headers[i] = (sl_header){ .name = text_item(L, 1), .value = text_item(L, 2) };
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    r->headers = headers;
}

static int host_feed(lua_State *L) {
    played *p = check_played(L);
    const char *topic = luaL_checkstring(L, 2);
    uint32_t number = (uint32_t)luaL_checknumber(L, 3);
    luaL_checktype(L, 4, LUA_TTABLE);
    lua_settop(L, 4);
    sl_record r = { .offset = -1, .value = text_field(L, "value"), .key = text_field(L, "key") };
    lua_getfield(L, 4, "offset");
    if (lua_isnumber(L, -1)) r.offset = (int64_t)lua_tonumber(L, -1);
    lua_getfield(L, 4, "time");
    if (lua_isnumber(L, -1)) {
        r.time_kind = 1;
        r.time_ms = (int64_t)lua_tonumber(L, -1);
    }
    lua_settop(L, 4);
    read_headers(L, &r);
    p->kit->ops->feed(p->handle, topic, number, &r);
    return 0;
}

static int host_partitions(lua_State *L) {
    played *p = check_played(L);
    const char *topic = luaL_checkstring(L, 2);
    p->kit->ops->partitions(p->handle, topic, (uint32_t)luaL_checknumber(L, 3));
    return 0;
}

/* -- batches */

static int host_run(lua_State *L) {
    played *p = check_played(L);
    uint32_t batches;
    err *e = p->kit->ops->run(p->handle, &batches);
    if (e) return fail(L, e);
    lua_pushnumber(L, batches);
    return 1;
}

static int host_finish(lua_State *L) {
    played *p = check_played(L);
    err *e = p->kit->ops->finish(p->handle);
    if (e) return fail(L, e);
    lua_pushboolean(L, 1);
    return 1;
}

static int host_advance(lua_State *L) {
    played *p = check_played(L);
    p->kit->ops->advance(p->handle, (int64_t)luaL_checknumber(L, 2));
    return 0;
}

static int host_now(lua_State *L) {
    const played *p = check_played(L);
    lua_pushnumber(L, (lua_Number)p->kit->ops->now(p->handle));
    return 1;
}

/* -- messages out */

static void put_bytes(lua_State *L, const char *name, const sl_string *text) {
    if (!text->data) return;
    lua_pushlstring(L, text->data, text->len);
    lua_setfield(L, -2, name);
}

static void put_headers(lua_State *L, const sl_message *m) {
    lua_createtable(L, (int)m->header_count, 0);
    for (uint32_t i = 0; i < m->header_count; i++) {
        const sl_header *h = &m->headers[i];
        lua_createtable(L, 2, 0);
        lua_pushlstring(L, h->name.data, h->name.len);
        lua_rawseti(L, -2, 1);
        if (h->value.data) lua_pushlstring(L, h->value.data, h->value.len);
        if (h->value.data) lua_rawseti(L, -2, 2);
        lua_rawseti(L, -2, (int)i + 1);
    }
    lua_setfield(L, -2, "headers");
}

static int host_take(lua_State *L) {
    played *p = check_played(L);
    const specs_ops *ops = p->kit->ops;
    uint32_t number = (uint32_t)luaL_checknumber(L, 2) - 1;
    sl_message m;
    lua_newtable(L);
    for (uint32_t i = 0; ops->message(p->handle, number, i, &m); i++) {
        lua_createtable(L, 0, 3);
        put_bytes(L, "key", &m.key);
        put_bytes(L, "value", &m.value);
        put_bytes(L, "topic", &m.topic);
        put_bytes(L, "place", &m.place);
        if (m.partition >= 0) {
            lua_pushnumber(L, m.partition);
            lua_setfield(L, -2, "partition");
        }
        if (m.header_count) put_headers(L, &m);
        lua_rawseti(L, -2, (int)i + 1);
    }
    ops->forget(p->handle, number);
    return 1;
}

static int host_describe(lua_State *L) {
    played *p = check_played(L);
    const char *text;
    err *e = p->kit->ops->describe(p->handle, &text);
    if (e) return fail(L, e);
    lua_pushstring(L, text);
    return 1;
}

static int host_metrics(lua_State *L) {
    const played *p = check_played(L);
    lua_pushstring(L, p->kit->ops->metrics(p->handle));
    return 1;
}

static const luaL_Reg FUNCTIONS[] = {
    { "open", host_open },
    { "restart", host_restart },
    { "reload", host_reload },
    { "crash", host_crash },
    { "close", host_close },
    { "feed", host_feed },
    { "partitions", host_partitions },
    { "run", host_run },
    { "finish", host_finish },
    { "advance", host_advance },
    { "now", host_now },
    { "take", host_take },
    { "describe", host_describe },
    { "metrics", host_metrics },
    { NULL, NULL },
};

static void push_kit(lua_State *L, const specs_ops *ops) {
    kit_holder *h = lua_newuserdata(L, sizeof *h);
    *h = (kit_holder){ .ops = ops, .kit = ops->begin() };
    luaL_newmetatable(L, KIT);
    lua_pushcfunction(L, kit_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
}

/* The loader of the module; its upvalue: the ops. */
static int open_module(lua_State *L) {
    const specs_ops *ops = lua_touserdata(L, lua_upvalueindex(1));
    luaL_newmetatable(L, PLAYED);
    lua_pushcfunction(L, host_close);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    lua_newtable(L);
    push_kit(L, ops);
    for (const luaL_Reg *f = FUNCTIONS; f->name; f++) {
        lua_pushvalue(L, -1);
        lua_pushcclosure(L, f->func, 1);
        lua_setfield(L, -3, f->name);
    }
    lua_pop(L, 1);
    lua_newtable(L);
    for (int i = 0; ops->steps[i]; i++) {
        lua_pushstring(L, ops->steps[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "steps");
    return 1;
}

void specs_host_push(lua_State *L, const specs_ops *ops) {
    lua_pushlightuserdata(L, (void *)(uintptr_t)ops);
    lua_pushcclosure(L, open_module, 1);
}
