#pragma once
/* Source `generator`: offsets whose rows a Lua driver makes (plan.rows_driver), so records carry no
 * bytes. Options: `rate` (records a second; absent: as fast as they are taken), `count` (absent:
 * without end). Offset i is there once i / rate seconds have passed since it was opened. thread:
 * flow's main. */
#include "runtime/shared/connect.h"

extern const sl_source_ops generator_source_ops;
