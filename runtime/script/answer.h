#pragma once
/* What commands print of a running pipeline's answers, which are JSON: lua/sluice/answer.lua.
 * thread: any one. */
#include "runtime/base/buf.h"
#include "runtime/base/err.h"

/* Append what is to be printed, and give the command's exit code. `kind`: "status", "list", "stop",
 * "reload"; `library` as in script_options. ERR_SCRIPT: it cannot be told. */
err *script_answer(const char *library, const char *kind, const buf *json, buf *out, int *code);
