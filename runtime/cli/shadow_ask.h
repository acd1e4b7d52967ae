#pragma once
/* `sluice reload NAME --shadow BATCHES`: asks for it, waits, prints what came of it, and has the
 * text take over where --promote, or somebody at the terminal, says so. Gives the exit code: 0
 * nothing differs, or it has taken over; 1 something differs; 4 dropped or refused. */
#include "runtime/cli/args.h"

int shadow_ask(const args *a);
