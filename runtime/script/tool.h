#pragma once
/* Functions of the Lua library that give a text, for commands that need no script. thread: any. */
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/shared/types.h"

typedef struct script_tool {
    const char *library; /* as in script_options */
    const char *module, *function;
    const sl_string *arguments; /* texts, in order */
    uint32_t argument_count;
    const sl_string *list; /* one argument more, behind these: a list of texts; NULL: none */
    uint32_t list_count;
} script_tool;

/* Call it and append what it gives. ERR_USAGE: it gave nil and a message; ERR_SCRIPT: it threw. */
err *script_tool_run(const script_tool *tool, buf *out);
