#pragma once
/* How much memory a script's Lua state may hold: while it loads, and in calls after that (the
 * option script_memory). Whoever asks for more gets a plain error, which no pcall of the script
 * hides: from the refusal on a hook throws at each instruction until the call has ended. What is
 * no longer used counts until LuaJIT collects it; so it is collected early where little room is
 * left. */
#include "runtime/script/host.h"

/* Make the script's state. Its memory is its own, and goes back to the system whole with it: among
 * objects of others each reload would leave holes. Where a sanitizer watches over base's, that is
 * taken. */
void limit_open(script *s);

/* Close it. */
void limit_close(script *s);

/* The script is loaded: the limit is that of calls. ERR_PLAN: it holds nearly as much already. */
err *limit_begin(script *s);

/* Around a call. The latter gives the status of lua_pcall, made an error where memory ran out and
 * the script went on; messages are complete. */
void limit_before(script *s);
int limit_after(script *s, int status);
