#include "runtime/script/library.h"

#include <errno.h>
#include <lauxlib.h>
#include <string.h>

/* From liblua5.1-cjson, which brings no header. */
int luaopen_cjson(lua_State *L);

/* Chunks of the library are named "=sluice/x.lua": a source that does not begin with "@" is not
 * the user's. */
static void push_chunk_name(lua_State *L, const char *module) {
    lua_pushliteral(L, "=");
    luaL_gsub(L, module, ".", "/");
    lua_pushstring(L, strcmp(module, "sluice") == 0 ? "/init.lua" : ".lua");
    lua_concat(L, 3);
}

static const library_file *find_module(const char *name) {
    for (size_t i = 0; i < library_module_count; i++)
        if (strcmp(library_modules[i].name, name) == 0) return &library_modules[i];
    return NULL;
}

/* package.loaders entry: what is built in. */
static int load_built_in(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    const library_file *file = find_module(name);
    if (!file) {
        lua_pushfstring(L, "\n\tno module '%s' in the library", name);
        return 1;
    }
    push_chunk_name(L, name);
    if (luaL_loadbufferx(L, file->text, file->len, lua_tostring(L, -1), "t")) return lua_error(L);
    return 1;
}

/* Read the file named at the top of the stack and put its text there; nothing when it does not
 * exist. */
static bool read_text(lua_State *L) {
    FILE *file = fopen(lua_tostring(L, -1), "rb");
    lua_pop(L, 1);
    if (!file) return false;
    luaL_Buffer text;
    luaL_buffinit(L, &text);
    size_t len;
    do {
        len = fread(luaL_prepbuffer(&text), 1, LUAL_BUFFERSIZE, file);
        luaL_addsize(&text, len);
    } while (len);
    fclose(file);
    luaL_pushresult(&text);
    return true;
}

/* package.loaders entry: FOLDER/a/b.lua or FOLDER/a/init.lua for "a.b" or "a"; upvalue 1: the
 * folder. */
static int load_from_folder(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    const char *folder = lua_tostring(L, lua_upvalueindex(1));
    const char *path = luaL_gsub(L, name, ".", "/");
    lua_pushfstring(L, "%s/%s.lua", folder, path);
    bool found = read_text(L);
    if (!found) {
        lua_pushfstring(L, "%s/%s/init.lua", folder, path);
        found = read_text(L);
    }
    if (!found) {
        lua_pushfstring(L, "\n\tno module '%s' in %s", name, folder);
        return 1;
    }
    push_chunk_name(L, name);
    size_t len;
    const char *text = lua_tolstring(L, -2, &len);
    if (luaL_loadbufferx(L, text, len, lua_tostring(L, -1), "t")) return lua_error(L);
    return 1;
}

static int load_headers(lua_State *L) {
    lua_createtable(L, (int)library_header_count, 0);
    for (size_t i = 0; i < library_header_count; i++) {
        lua_createtable(L, 0, 2);
        lua_pushstring(L, library_headers[i].name);
        lua_setfield(L, -2, "name");
        lua_pushlstring(L, library_headers[i].text, library_headers[i].len);
        lua_setfield(L, -2, "text");
        lua_rawseti(L, -2, (int)i + 1);
    }
    return 1;
}

/* Put the loader at the top before those at `place` and behind of package.loaders, which lies below
 * it. */
static void insert_loader(lua_State *L, int place) {
    for (int i = (int)lua_objlen(L, -2); i >= place; i--) {
        lua_rawgeti(L, -2, i);
        lua_rawseti(L, -3, i + 1);
    }
    lua_rawseti(L, -2, place);
}

/* Where the system's modules lie is for sinks of scripts only: sluice.driver.sink. */
static void set_aside(lua_State *L, const char *name, const char *kept) {
    lua_getfield(L, -1, name);
    lua_setfield(L, -2, kept);
    lua_pushliteral(L, "");
    lua_setfield(L, -2, name);
}

void library_install(lua_State *L, const char *folder, bool alone) {
    lua_getglobal(L, "package");
    if (alone) {
        set_aside(L, "path", "system_path");
        set_aside(L, "cpath", "system_cpath");
    }

    lua_getfield(L, -1, "preload");
    lua_pushcfunction(L, luaopen_cjson);
    lua_setfield(L, -2, "cjson");
    lua_pushcfunction(L, load_headers);
    lua_setfield(L, -2, "sluice.headers");
    lua_pop(L, 1);

    /* the preloaded first, as ever; then the library */
    lua_getfield(L, -1, "loaders");
    int next = 2;
    if (folder) {
        lua_pushstring(L, folder);
        lua_pushcclosure(L, load_from_folder, 1);
        insert_loader(L, next++);
    }
    lua_pushcfunction(L, load_built_in);
    insert_loader(L, next++);
    for (int i = (int)lua_objlen(L, -1); alone && i >= next; i--) { /* no search of the system */
        lua_pushnil(L);
        lua_rawseti(L, -2, i);
    }
    lua_pop(L, 2);
}
