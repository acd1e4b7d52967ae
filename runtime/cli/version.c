#include <stdio.h>

#include "runtime/cli/commands.h"
#include "runtime/connect/connectors.h"
#include "runtime/script/script.h"

void command_version(void) {
    printf("sluice %s (librdkafka %s, LuaJIT %s)\n", SLUICE_VERSION, connector_library_version(),
           script_library_version());
}
