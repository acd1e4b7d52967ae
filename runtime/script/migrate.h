#pragma once
/* States of another layout, through a script's `migrate` (lua/sluice/migrate.lua). */
#include "runtime/script/script.h"

/* Make new states of old ones in the table `section` ("aggregate NAME"), by what the last
 * script_compat of this script found. ERR_SCRIPT: a function threw at `m->at`; the message has its
 * FILE:LINE and the old state. Costs one call into Lua. */
err *script_migrate(script *s, const char *section, sl_migration *m);
