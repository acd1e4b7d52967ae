#include "runtime/script/help.h"

#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

#include "runtime/script/library.h"

/* text_of(module): the text that is built in, or nil. */
static int text_of(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    for (size_t i = 0; i < library_module_count; i++) {
        if (strcmp(library_modules[i].name, name) != 0) continue;
        lua_pushlstring(L, library_modules[i].text, library_modules[i].len);
        return 1;
    }
    return 0;
}

/* (folder, topic, color) → text, or nil and a hint. */
static int page_of(lua_State *L) {
    luaL_openlibs(L);
    library_install(L, lua_tostring(L, 1), true);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "sluice.help");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "text");
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 3);
    lua_pushcfunction(L, text_of);
    lua_call(L, 3, 2);
    return 2;
}

err *script_help(const char *library, const char *topic, bool color, buf *out) {
    lua_State *L = luaL_newstate();
    if (!L) return err_new(ERR_SCRIPT, "not enough memory for the help");
    lua_pushcfunction(L, page_of);
    lua_pushstring(L, library);
    lua_pushstring(L, topic);
    lua_pushboolean(L, color);
    err *e = NULL;
    if (lua_pcall(L, 3, 2, 0)) {
        const char *message = lua_tostring(L, -1);
        e = err_new(ERR_SCRIPT, "%s", message ? message : "the help failed");
    } else if (lua_isnil(L, -2)) {
        e = err_new(ERR_USAGE, "no help on `%s`%s; `sluice help topics` lists them", topic,
                    lua_tostring(L, -1));
    } else {
        size_t len;
        const char *text = lua_tolstring(L, -2, &len);
        buf_put(out, text, len);
    }
    lua_close(L);
    return e;
}
