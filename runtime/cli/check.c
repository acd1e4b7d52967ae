#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/cli/commands.h"
#include "runtime/script/script.h"

/* Print warnings, a line each, unless the JSON had them; `any`: there were some. */
static err *print_warnings(script *s, bool is_told, bool *any) {
    const char *warnings;
    err *e = script_warnings(s, &warnings);
    if (e) return e;
    *any = *warnings != '\0';
    if (!is_told) fflush(stdout); /* they come last where both go to one place */
    while (*warnings && !is_told) {
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
                               .params = a->params,
                               .param_count = a->param_count,
                               .library = getenv("SLUICE_LUA") };
    script_explanation wanted = { .json = a->json, .color = !a->json && isatty(1) };
    err *e = script_open(&options, &s);
    if (!e) e = script_explain(s, &wanted, &text);
    if (!e) fputs(text, stdout);
    if (!e) e = print_warnings(s, a->json, &warned);
    if (!e && warned && a->strict)
        e = err_new(ERR_PLAN, "%s: there are warnings, and --strict makes them errors", a->operand);
    script_close(s);
    return e ? command_failed(e) : 0;
}
