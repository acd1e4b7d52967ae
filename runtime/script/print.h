#pragma once
/* What scripts print: a log line each, with the place of the call. A print per row must not bury
 * the log: after PRINT_FREE lines one a second comes, and says how many were dropped. */
#include "runtime/script/host.h"

enum { PRINT_FREE = 100,
       PRINT_EVERY_MS = 1000 };

/* For Lua: host.print(text). */
int print_line(lua_State *L);

/* Tell how many were dropped since the last line. */
void print_finish(script *s);
