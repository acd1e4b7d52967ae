#pragma once
/* What a script threw, as text: a message for any kind of error object, and the user's frames
 * only. */
#include "runtime/script/host.h"

/* Message handler for lua_pcall, its script is its first upvalue: writes `message` and `frames` of
 * the script. Makes no Lua object, so that it works when memory or stack have run out. */
int failure_handler(lua_State *L);

/* Complete the texts after a lua_pcall that returned `status` (not 0): memory errors and errors
 * in the handler never reach it. Pops the error object. */
void failure_finish(script *s, int status);
