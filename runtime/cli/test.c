/* `sluice test`: specs of pipelines, run in this process. */
#include <stdlib.h>

#include "runtime/cli/commands.h"
#include "runtime/kit/host.h"

int command_test(const args *a) {
    specs_options options = { .library = getenv("SLUICE_LUA"),
                              .words = a->words,
                              .count = a->word_count };
    int code = 0;
    err *e = specs_run(&options, &kit_specs, &code);
    return e ? command_failed(e) : code;
}
