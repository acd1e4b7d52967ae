#pragma once
/* Pipelines that specs play: what `sluice test` gives to script/specs.h. Scripts come from a pool,
 * each pipeline has a world and a clock of its own. thread: main. */
#include "runtime/script/specs.h"

extern const specs_ops kit_specs;
