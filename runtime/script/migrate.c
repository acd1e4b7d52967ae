#include "runtime/script/migrate.h"

#include <lauxlib.h>

#include "runtime/script/host.h"

static void push_address(lua_State *L, const void *at) {
    lua_pushnumber(L, (lua_Number)(uintptr_t)at);
}

err *script_migrate(script *s, const char *section, sl_migration *m) {
    size_t len;
    m->at = 0;
    lua_pushstring(s->L, section);
    push_address(s->L, m);
    err *e = host_text(s, "migrate", 2, &len);
    if (!e) return NULL;
    push_address(s->L, m);
    err *worse = host_text(s, "tell_migrated", 1, &len);
    if (worse) {
        err_free(worse);
        return e;
    }
    err *told = err_new(ERR_SCRIPT, "%s\n%s", e->message, s->text.data);
    err_free(e);
    return told;
}
