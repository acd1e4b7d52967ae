/* A note: texts with a NUL behind each: the folder, the script, then "sPATH=VALUE" for each --set
 * and "pNAME=VALUE" for each --param, at last "t" and the script's source (script_source), which
 * may hold a NUL itself. */
#include "runtime/cli/named.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/mem.h"
#include "runtime/cli/control_place.h"

/* -- leaving one */

static void put(buf *note, const char *kind, const char *text) {
    buf_put_text(note, kind);
    buf_put(note, text, strlen(text) + 1);
}

void named_note(const args *a, const char *name, const script *s, uint64_t *noted) {
    char folder[PATH_MAX];
    buf note;
    uint64_t hash = script_plan(s)->script_hash;
    if (*noted == hash || a->embedded || !a->operand || !getcwd(folder, sizeof folder)) return;
    *noted = hash;
    buf_init(&note);
    put(&note, "", folder);
    put(&note, "", a->operand);
    for (uint32_t i = 0; i < a->set_count; i++) put(&note, "s", a->sets[i]);
    for (uint32_t i = 0; i < a->param_count; i++) put(&note, "p", a->params[i]);
    sl_string source = script_source(s);
    buf_put_char(&note, 't');
    buf_put(&note, source.data, source.len);
    buf_put_char(&note, '\0');
    err_free(control_place_note(name, note.data, note.len));
    buf_done(&note);
}

/* -- going by one */

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

/* Files are named from where the command was given; a new one has no real path yet. */
static void keep_path(named *n, const char **path) {
    char here[PATH_MAX];
    buf whole;
    if (!*path || **path == '/' || !getcwd(here, sizeof here)) return;
    buf_init(&whole);
    buf_printf(&whole, "%s/%s", here, *path);
    *path = n->paths[n->path_count++] = mem_copy_text(whole.data, whole.len);
    buf_done(&whole);
}

static err *unpack(named *n, const char *source, size_t len) {
    err *e = scratch_make(&n->folder, "named");
    if (e) return e;
    n->text.folder = n->folder.path;
    e = past_script_unpack(source, len, &n->text);
    n->args.text = n->text.own_text;
    n->args.text_len = n->text.own_len;
    n->args.root = n->text.root;
    return e;
}

/* Whether the file holds these bytes. */
static bool holds(const char *path, const char *bytes, size_t len, bool *is_there) {
    buf found;
    FILE *file = fopen(path, "r");
    buf_init(&found);
    *is_there = file != NULL;
    for (size_t got = 1; file && got;) {
        got = fread(buf_need(&found, 4096), 1, 4096, file);
        found.len += got;
    }
    if (file) fclose(file);
    bool is_same = file && found.len == len && !memcmp(buf_text(&found), bytes, len);
    buf_done(&found);
    return is_same;
}

/* One line where a file is no more what ran. */
static void tell_changes(const char *name, const char *source, size_t len) {
    const char *at = source, *end = source + len;
    while (at < end && !strncmp(at, "-- ", 3)) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        const char *comma = line_end;
        while (comma && comma > at && *comma != ',') comma--;
        size_t bytes = comma && *comma == ',' ? strtoul(comma + 1, NULL, 10) : SIZE_MAX;
        if (!line_end || bytes >= (size_t)(end - line_end)) return; /* a parameter */
        bool is_there;
        char *path = mem_copy_text(at + 3, (size_t)(comma - at - 3));
        bool is_same = holds(path, line_end + 1, bytes, &is_there);
        if (!is_same)
            fprintf(stderr,
                    "sluice: %s %s: by its name, `%s` goes by the script that ran last under it\n",
                    path, is_there ? "has changed" : "is gone", name);
        mem_free(path);
        if (!is_same) return;
        at = line_end + 1 + bytes + 1;
    }
}

static err *go_there(const named *n, const char *folder) {
    if (!chdir(folder)) return NULL;
    if (n->args.text && errno == ENOENT) /* what is relative to it will be missed by itself */
        return err_new(ERR_IO, "`%s` was run in %s, which is gone", n->args.name, folder);
    return err_new(ERR_IO, "`%s` was run in %s: %s", n->args.name, folder, strerror(errno));
}

static err *take_note(named *n) {
    const char *folder = n->note.data, *end = n->note.data + n->note.len;
    const char *path = folder + strlen(folder) + 1, *at, *name = n->args.name;
    bool is_whole = n->note.len && !end[-1] && path < end;
    if (!is_whole)
        return err_new(ERR_USAGE, "what is noted of `%s` cannot be read: name its script", name);
    for (at = path + strlen(path) + 1; at < end && *at != 't'; at += strlen(at) + 1)
        if (!take_option(&n->args, at))
            return err_new(ERR_USAGE, "too many --set or --param: `%s` was run with some", name);
    n->args.operand = path;
    keep_path(n, &n->args.script);
    keep_path(n, &n->args.save);
    if (n->args.command->by_name == BY_NAME_AND_FILE) keep_path(n, &n->args.more[0]);
    size_t len = at < end ? (size_t)(end - at) - 2 : 0;
    err *e = len ? unpack(n, at + 1, len) : NULL; /* older notes have none */
    if (!e) e = go_there(n, folder);
    if (!e && len) tell_changes(name, at + 1, len);
    return e;
}

err *named_resolve(const args *a, named *n) {
    *n = (named){ .args = *a };
    buf_init(&n->note);
    if (!is_name(a->operand)) return NULL;
    n->args.name = a->operand;
    if (control_place_read_note(a->operand, &n->note)) return take_note(n);
    return err_new(ERR_USAGE,
                   "`%s` is no file, and no pipeline of that name has run on this machine for this "
                   "user: wanted SCRIPT.lua, or the name of one that has",
                   a->operand);
}

void named_done(named *n) {
    for (uint32_t i = 0; i < n->path_count; i++) mem_free(n->paths[i]);
    past_script_wanted_done(&n->text);
    scratch_remove(&n->folder);
    buf_done(&n->note);
}
