#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/cli/commands.h"
#include "runtime/script/script.h"

/* Print warnings, a line each; true: there were some. */
static err *print_warnings(script *s, bool *any) {
    const char *warnings;
    err *e = script_warnings(s, &warnings);
    if (e) return e;
    *any = *warnings != '\0';
    while (*warnings) {
        int len = (int)strcspn(warnings, "\n");
        fprintf(stderr, "warning: %.*s\n", len, warnings);
        warnings += len + (warnings[len] == '\n');
    }
    return NULL;
}

int command_check(const args *a) {
    script *s = NULL;
    const char *text;
    bool warned = false;
    script_options options = { .path = a->operand,
                               .overrides = a->sets,
                               .override_count = a->set_count,
                               .library = getenv("SLUICE_LUA") };
    err *e = script_open(&options, &s);
    if (!e) e = script_explain(s, a->json, &text);
    if (!e) fputs(text, stdout);
    if (!e) e = print_warnings(s, &warned);
    if (!e && warned && a->strict)
        e = err_new(ERR_PLAN, "%s: there are warnings, and --strict makes them errors", a->operand);
    script_close(s);
    return e ? command_failed(e) : 0;
}
