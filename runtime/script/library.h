#pragma once
/* The Lua library as the state sees it: built into the binary, or a folder when developing. */
#include "runtime/script/host.h"

/* One file, built in by cmake/lua.cmake. */
typedef struct library_file {
    const char *name; /* of the module ("sluice.window") or the header ("plan.h") */
    const char *text; /* `len` bytes and a NUL */
    size_t len;
} library_file;

extern const library_file library_modules[];
extern const size_t library_module_count;
extern const library_file library_headers[]; /* runtime/shared; each needs only those before it */
extern const size_t library_header_count;

/* Make `require` find the library: sluice.*, cjson, bit, ffi, jit.*; `alone`: and nothing else. The
 * texts of the shared headers are the module "sluice.headers", a list of { name =, text = }. May
 * throw. */
void library_install(lua_State *L, const char *folder, bool alone);
