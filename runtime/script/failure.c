#include "runtime/script/failure.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMBERS_SHOWN = 8, /* of an error object */
       MEMBER_BYTES = 64,
       FRAMES_SHOWN = 12,
       FRAMES_LOOKED_AT = 200 };

/* Chunks of the user have "@path" as their source; the library's and generated ones "=name". */
static bool is_user(const lua_Debug *ar) {
    return ar->source && ar->source[0] == '@';
}

void host_user_place(lua_State *L, char *place, size_t room) {
    place[0] = '\0';
    lua_Debug ar;
    for (int level = 0; level < FRAMES_LOOKED_AT && lua_getstack(L, level, &ar); level++) {
        if (!lua_getinfo(L, "Sl", &ar) || !is_user(&ar) || ar.currentline < 0) continue;
        snprintf(place, room, "%s:%d", ar.source + 1, ar.currentline);
        return;
    }
}

/* Append the text of field `name` of the table at the top, when it is a string. */
static bool put_field(lua_State *L, buf *out, const char *name) {
    lua_pushstring(L, name);
    lua_rawget(L, -2);
    size_t len;
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : NULL;
    if (text) buf_put(out, text, len);
    lua_pop(L, 1);
    return text != NULL;
}

/* Append what __tostring makes of the value at `index`. */
static bool put_tostring(lua_State *L, buf *out, int index) {
    if (!luaL_getmetafield(L, index, "__tostring")) return false;
    lua_pushvalue(L, index);
    bool made = lua_pcall(L, 1, 1, 0) == 0 && lua_type(L, -1) == LUA_TSTRING;
    if (made) {
        size_t len;
        const char *text = lua_tolstring(L, -1, &len);
        buf_put(out, text, len);
    }
    lua_pop(L, 1);
    return made;
}

/* A member worth showing: text, number or boolean under a text or a number. */
typedef struct member {
    char name[MEMBER_BYTES], value[MEMBER_BYTES];
} member;

static bool read_value(lua_State *L, int index, bool quotes, char text[MEMBER_BYTES]) {
    switch (lua_type(L, index)) {
    case LUA_TSTRING:
        snprintf(text, MEMBER_BYTES, quotes ? "\"%.60s\"" : "%.60s", lua_tostring(L, index));
        return true;
    case LUA_TNUMBER: snprintf(text, MEMBER_BYTES, "%.14g", lua_tonumber(L, index)); return true;
    case LUA_TBOOLEAN:
        snprintf(text, MEMBER_BYTES, "%s", lua_toboolean(L, index) ? "true" : "false");
        return quotes; /* as a name it says nothing */
    }
    return false;
}

static int by_name(const void *a, const void *b) {
    const member *x = a, *y = b;
    return strcmp(x->name, y->name);
}

/* Append what the table at the top holds, by name: { code = 7, reason = "no" }. */
static void put_members(lua_State *L, buf *out) {
    member found[MEMBERS_SHOWN];
    uint32_t count = 0;
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        bool is = count < MEMBERS_SHOWN && read_value(L, -2, false, found[count].name) &&
                  read_value(L, -1, true, found[count].value);
        count += is;
        lua_pop(L, 1);
    }
    qsort(found, count, sizeof *found, by_name);
    for (uint32_t i = 0; i < count; i++)
        buf_printf(out, "%s%s = %s", i ? ", " : " { ", found[i].name, found[i].value);
    if (count) buf_put_text(out, " }");
}

static void put_message(lua_State *L, buf *out, int index) {
    size_t len;
    int type = lua_type(L, index);
    if (type == LUA_TSTRING) {
        const char *text = lua_tolstring(L, index, &len);
        buf_put(out, text, len);
        return;
    }
    char place[256];
    host_user_place(L, place, sizeof place);
    if (place[0]) buf_printf(out, "%s: ", place);
    if (type == LUA_TNUMBER) {
        buf_printf(out, "%.14g", lua_tonumber(L, index));
    } else if (type == LUA_TNIL || type == LUA_TNONE) {
        buf_put_text(out, "error(nil): an error without a message");
    } else if (put_tostring(L, out, index)) {
        return;
    } else if (type == LUA_TTABLE) {
        lua_pushvalue(L, index);
        if (!put_field(L, out, "message")) {
            buf_put_text(out, "an error object (a table)");
            put_members(L, out);
        }
        lua_pop(L, 1);
    } else {
        buf_printf(out, "an error object (a %s)", lua_typename(L, type));
    }
}

/* The name by which the user's own code calls the function at `level`; NULL otherwise: names that
 * generated loops have for it say nothing. Asking for the name (`n`) reads the caller's bytecode
 * at a place that LuaJIT may take from a compiled trace; below compiled code it crashed in
 * lj_debug_funcname. Asked only where it is shown. */
static const char *name_by_user(lua_State *L, int level) {
    lua_Debug ar;
    if (!lua_getstack(L, level + 1, &ar) || !lua_getinfo(L, "S", &ar) || !is_user(&ar)) return NULL;
    if (!lua_getstack(L, level, &ar) || !lua_getinfo(L, "n", &ar)) return NULL;
    return ar.name;
}

static void put_frames(lua_State *L, buf *out) {
    lua_Debug ar;
    int shown = 0;
    for (int level = 0; level < FRAMES_LOOKED_AT && lua_getstack(L, level, &ar); level++) {
        if (!lua_getinfo(L, "S", &ar) || !is_user(&ar)) continue;
        if (shown++ == FRAMES_SHOWN) {
            buf_put_text(out, "\n...");
            return;
        }
        lua_getinfo(L, "l", &ar);
        if (out->len) buf_put_char(out, '\n');
        buf_printf(out, "%s:%d: in ", ar.source + 1, ar.currentline);
        const char *name = name_by_user(L, level);
        if (strcmp(ar.what, "main") == 0)
            buf_put_text(out, "the script");
        else if (name)
            buf_printf(out, "function %s", name);
        else
            buf_printf(out, "the function of line %d", ar.linedefined);
    }
}

int failure_handler(lua_State *L) {
    script *s = host_of(L);
    buf_reset(&s->message);
    buf_reset(&s->frames);
    put_message(L, &s->message, 1);
    put_frames(L, &s->frames);
    lua_settop(L, 1);
    return 1;
}

void failure_finish(script *s, int status) {
    lua_pop(s->L, 1);
    if (status == LUA_ERRMEM) {
        buf_reset(&s->message);
        buf_reset(&s->frames);
        if (s->refused_at[0]) buf_printf(&s->message, "%s: ", s->refused_at);
        buf_put_text(&s->message, "not enough memory");
    } else if (status == LUA_ERRERR && !s->message.len) {
        buf_put_text(&s->message, "stack overflow (an endless recursion?)");
    }
    buf_text(&s->message);
    buf_text(&s->frames);
}
