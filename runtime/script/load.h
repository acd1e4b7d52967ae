#pragma once
/* Bring a script into a fresh Lua state, within limits of time and memory. */
#include "runtime/script/host.h"

/* Make the state and load the script of `s->options`: on success the stack holds what host.h
 * names and plan, vector, driver_count and hashes are set. On error the state is left to
 * script_close. */
err *load_script(script *s);

/* Make a script of the pipeline at the top of `host`'s stack, which is popped; the rest as
 * load_script. */
err *load_guest(script *s, lua_State *host);
