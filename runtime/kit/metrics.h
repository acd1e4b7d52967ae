#pragma once
/* The counters of a pipeline as a Lua table:
 *
 *   { sources = { NAME = { read =, passed =, …, watermark = ms | nil, ended = true | nil } },
 *     sinks = { NAME = { rows =, retracted =, refused = } },
 *     aggregates = { NAME = { watermark =, ended = } },
 *     run = { batches =, empty =, nulled = } } */
#include <lua.h>

#include "runtime/flow/pipeline.h"

void kit_push_metrics(lua_State *L, const pipeline *p);
