#include "runtime/script/specs.h"

#include <lauxlib.h>
#include <lua.h>
#include <luajit.h>
#include <lualib.h>

#include "runtime/base/err.h"
#include "runtime/script/library.h"
#include "runtime/script/specs_host.h"

/* What the protected part is given. */
typedef struct specs_call {
    const specs_options *options;
    const specs_ops *ops;
} specs_call;

static int with_traceback(lua_State *L) {
    lua_getglobal(L, "debug");
    lua_getfield(L, -1, "traceback");
    lua_pushvalue(L, 1);
    lua_pushinteger(L, 2);
    lua_call(L, 2, 1);
    return 1;
}

/* Protected part; argument: a specs_call. Gives the exit code. */
static int run_inside(lua_State *L) {
    const specs_call *call = lua_touserdata(L, 1);
    const specs_options *options = call->options;
    luaL_openlibs(L);
    library_install(L, options->library, false);
    /* Specs are short, and the library is used to an interpreter: compiling either costs more than
     * it gives. Scripts given by path run compiled, each in a state of its own. */
    luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload");
    specs_host_push(L, call->ops);
    lua_setfield(L, -2, "sluice.test.host");
    lua_getglobal(L, "require");
    lua_pushliteral(L, "sluice.test.run");
    lua_call(L, 1, 1);
    lua_createtable(L, options->count, 0);
    for (int i = 0; i < options->count; i++) {
        lua_pushstring(L, options->words[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_call(L, 1, 1);
    return 1;
}

err *specs_run(const specs_options *options, const specs_ops *ops, int *code) {
    specs_call call = { options, ops };
    lua_State *L = luaL_newstate();
    if (!L) return err_new(ERR_IO, "no memory for a Lua state");
    err *e = NULL;
    lua_pushcfunction(L, with_traceback);
    lua_pushcfunction(L, run_inside);
    lua_pushlightuserdata(L, &call);
    if (lua_pcall(L, 1, 1, 1))
        e = err_new(ERR_SCRIPT, "%s", lua_tostring(L, -1) ? lua_tostring(L, -1) : "it threw");
    else
        *code = (int)lua_tointeger(L, -1);
    lua_close(L);
    return e;
}
