/* A note: texts with a NUL behind each: the folder, the script, then "sPATH=VALUE" for each --set
 * and "pNAME=VALUE" for each --param. */
#include "runtime/cli/named.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/mem.h"
#include "runtime/cli/control_place.h"

static void put(buf *note, const char *kind, const char *text) {
    buf_put_text(note, kind);
    buf_put(note, text, strlen(text) + 1);
}

void named_note(const args *a, const char *name) {
    char folder[PATH_MAX];
    buf note;
    if (a->embedded || !a->operand || !getcwd(folder, sizeof folder)) return;
    buf_init(&note);
    put(&note, "", folder);
    put(&note, "", a->operand);
    for (uint32_t i = 0; i < a->set_count; i++) put(&note, "s", a->sets[i]);
    for (uint32_t i = 0; i < a->param_count; i++) put(&note, "p", a->params[i]);
    err_free(control_place_note(name, note.data, note.len));
    buf_done(&note);
}

static bool is_name(const char *operand) {
    return !strchr(operand, '/') && access(operand, F_OK) != 0;
}

/* The note's options stand before those that were given. */
static bool take_option(args *to, const char *option) {
    const char **list = *option == 's' ? to->sets : to->params;
    uint32_t *count = *option == 's' ? &to->set_count : &to->param_count;
    if (*count == ARGS_MAX_SETS) return false;
    memmove(list + 1, list, *count * sizeof *list);
    list[0] = option + 1;
    ++*count;
    return true;
}

static err *take_note(const args *a, named *n) {
    const char *folder = n->note.data, *end = n->note.data + n->note.len;
    const char *script = folder + strlen(folder) + 1;
    bool is_whole = n->note.len && !end[-1] && script < end;
    if (!is_whole)
        return err_new(ERR_USAGE, "what is noted of `%s` cannot be read: name its script",
                       a->operand);
    for (const char *at = script + strlen(script) + 1; at < end; at += strlen(at) + 1)
        if (!take_option(&n->args, at))
            return err_new(ERR_USAGE, "too many --set or --param: `%s` was run with some",
                           a->operand);
    n->args.operand = script;
    if (n->args.script && (n->script = realpath(n->args.script, NULL))) n->args.script = n->script;
    if (!chdir(folder)) return NULL;
    return err_new(ERR_IO, "`%s` was run in %s: %s", a->operand, folder, strerror(errno));
}

err *named_resolve(const args *a, named *n) {
    *n = (named){ .args = *a };
    buf_init(&n->note);
    if (!is_name(a->operand)) return NULL;
    if (control_place_read_note(a->operand, &n->note)) return take_note(a, n);
    return err_new(ERR_USAGE,
                   "`%s` is no file, and no pipeline of that name has run on this machine for this "
                   "user: wanted SCRIPT.lua, or the name of one that has",
                   a->operand);
}

void named_done(named *n) {
    buf_done(&n->note);
    mem_free(n->script);
}
