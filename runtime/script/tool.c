#include "runtime/script/tool.h"

#include <lauxlib.h>
#include <lualib.h>

#include "runtime/script/library.h"

static void push_list(lua_State *L, const script_tool *tool) {
    lua_createtable(L, (int)tool->list_count, 0);
    for (uint32_t i = 0; i < tool->list_count; i++) {
        lua_pushlstring(L, tool->list[i].data ? tool->list[i].data : "", tool->list[i].len);
        lua_rawseti(L, -2, (int)i + 1);
    }
}

/* Protected part; its argument is the tool. */
static int run_inside(lua_State *L) {
    const script_tool *tool = lua_touserdata(L, 1);
    luaL_openlibs(L);
    library_install(L, tool->library, true);
    lua_getglobal(L, "require");
    lua_pushstring(L, tool->module);
    lua_call(L, 1, 1);
    lua_getfield(L, -1, tool->function);
    for (uint32_t i = 0; i < tool->argument_count; i++)
        lua_pushlstring(L, tool->arguments[i].data, tool->arguments[i].len);
    if (tool->list) push_list(L, tool);
    lua_call(L, (int)tool->argument_count + (tool->list != NULL), 2);
    return 2;
}

err *script_tool_run(const script_tool *tool, buf *out) {
    lua_State *L = luaL_newstate();
    if (!L) return err_new(ERR_SCRIPT, "no memory for a Lua state");
    err *e = NULL;
    lua_pushcfunction(L, run_inside);
    lua_pushlightuserdata(L, (void *)(uintptr_t)tool);
    if (lua_pcall(L, 1, 2, 0)) {
        const char *message = lua_tostring(L, -1);
        e = err_new(ERR_SCRIPT, "%s: %s", tool->module, message ? message : "it threw");
    } else if (lua_isnil(L, -2)) {
        const char *message = lua_tostring(L, -1);
        e = err_new(ERR_USAGE, "%s", message ? message : "nothing");
    } else {
        size_t len;
        const char *text = lua_tolstring(L, -2, &len);
        buf_put(out, text, len);
    }
    lua_close(L);
    return e;
}
