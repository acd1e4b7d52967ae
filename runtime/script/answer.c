#include "runtime/script/answer.h"

#include <lauxlib.h>
#include <lualib.h>

#include "runtime/script/library.h"

/* (folder, kind, json) → text, exit code. */
static int read_inside(lua_State *L) {
    luaL_openlibs(L);
    library_install(L, lua_tostring(L, 1), true);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "sluice.answer");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "read");
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 3);
    lua_call(L, 2, 2);
    return 2;
}

err *script_answer(const char *library, const char *kind, const buf *json, buf *out, int *code) {
    lua_State *L = luaL_newstate();
    if (!L) return err_new(ERR_SCRIPT, "not enough memory for the answer");
    lua_pushcfunction(L, read_inside);
    lua_pushstring(L, library);
    lua_pushstring(L, kind);
    lua_pushlstring(L, json->data, json->len);
    err *e = NULL;
    size_t len;
    if (lua_pcall(L, 3, 2, 0)) {
        const char *message = lua_tostring(L, -1);
        e = err_new(ERR_SCRIPT, "the answer: %s", message ? message : "cannot be told");
    } else {
        const char *text = lua_tolstring(L, -2, &len);
        buf_put(out, text, text ? len : 0);
        *code = (int)lua_tointeger(L, -1);
    }
    lua_close(L);
    return e;
}
