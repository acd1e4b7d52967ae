#include "runtime/cli/past_script.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/base/mem.h"
#include "runtime/cli/stop.h"
#include "state/names.h"

/* -- stored texts (script_source) */

/* "-- FILE, BYTES bytes\n", BYTES bytes, "\n"; "-- parameter NAME=VALUE\n";
 * "--[[ --set\n", "PATH=VALUE\n" for each, "]]\n". */
typedef struct unpacking {
    past_script_wanted *wanted;
    const char *at, *end;
    size_t folder_len; /* of the first file's path: others lie beside it, or below */
} unpacking;

static char *copy_line(unpacking *u) {
    const char *end = memchr(u->at, '\n', (size_t)(u->end - u->at));
    if (!end) return NULL;
    char *line = mem_copy_text(u->at, (size_t)(end - u->at));
    u->at = end + 1;
    return line;
}

static err *make_folders(char *path) {
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        bool is_bad = mkdir(path, 0700) != 0 && errno != EEXIST;
        *slash = '/';
        if (is_bad) return err_new(ERR_IO, "%s: %s", path, strerror(errno));
    }
    return NULL;
}

static err *write_file(char *path, const char *text, size_t len) {
    err *e = make_folders(path);
    FILE *f = e ? NULL : fopen(path, "w");
    if (e) return e;
    if (!f) return err_new(ERR_IO, "%s: %s", path, strerror(errno));
    bool is_bad = fwrite(text, 1, len, f) != len;
    if (fclose(f) != 0 || is_bad) return err_new(ERR_IO, "%s: %s", path, strerror(errno));
    return NULL;
}

static err *damaged(void) {
    return err_new(ERR_REFUSED, "the stored text of the script is not as this program keeps it");
}

/* The script itself keeps its name: messages that it had then are to be the same. */
static err *take_script(past_script_wanted *w, const char *name, const char *text, size_t len) {
    buf root;
    buf_init(&root);
    buf_printf(&root, "%s/script/", w->folder);
    w->root = mem_copy_text(root.data, root.len);
    buf_done(&root);
    w->path = w->own_path = mem_copy_text(name, strlen(name));
    w->own_text = mem_copy_text(text, len);
    w->own_len = len;
    return NULL;
}

static err *unpack_file(unpacking *u, char *line) {
    char *comma = strrchr(line, ',');
    if (!comma) return damaged();
    size_t len = strtoul(comma + 1, NULL, 10);
    *comma = '\0';
    const char *name = line + 3;
    bool is_first = !u->wanted->own_path;
    if (is_first) {
        const char *slash = strrchr(name, '/');
        u->folder_len = slash ? (size_t)(slash - name) + 1 : 0;
    }
    if (len >= (size_t)(u->end - u->at)) return damaged();
    const char *text = u->at;
    u->at += len + 1;
    if (is_first) return take_script(u->wanted, name, text, len);
    if (strlen(name) > u->folder_len) name += u->folder_len;
    if (strstr(name, "..")) return damaged();
    buf path;
    buf_init(&path);
    buf_printf(&path, "%s%s", u->wanted->root, name);
    char *own = mem_copy_text(path.data, path.len);
    buf_done(&path);
    err *e = write_file(own, text, len);
    mem_free(own);
    return e;
}

static err *unpack_sets(unpacking *u) {
    past_script_wanted *w = u->wanted;
    char *line;
    while ((line = copy_line(u)) && strcmp(line, "]]") != 0) {
        w->sets = mem_realloc(w->sets, (w->set_count + 1) * sizeof *w->sets);
        w->sets[w->set_count++] = line;
    }
    bool is_whole = line != NULL;
    mem_free(line);
    return is_whole && w->set_count <= ARGS_MAX_SETS ? NULL : damaged();
}

static err *unpack_line(unpacking *u, char *line) {
    static const char PARAMETER[] = "-- parameter ";
    past_script_wanted *w = u->wanted;
    if (!strcmp(line, "--[[ --set")) return unpack_sets(u);
    if (strncmp(line, "-- ", 3) != 0) return damaged();
    if (strncmp(line, PARAMETER, sizeof PARAMETER - 1) != 0) return unpack_file(u, line);
    w->params = mem_realloc(w->params, (w->param_count + 1) * sizeof *w->params);
    const char *param = line + sizeof PARAMETER - 1;
    w->params[w->param_count++] = mem_copy_text(param, strlen(param));
    return NULL;
}

err *past_script_unpack(const char *source, size_t len, past_script_wanted *wanted) {
    unpacking u = { .wanted = wanted, .at = source, .end = source + len };
    err *e = NULL;
    while (!e && u.at < u.end) {
        char *line = copy_line(&u);
        e = line ? unpack_line(&u, line) : damaged();
        mem_free(line);
    }
    return !e && !wanted->own_path ? damaged() : e;
}

err *past_script_fetch(store *s, uint64_t hash, past_script_wanted *wanted) {
    char name[OBJECT_NAME_BYTES];
    bool missing = false;
    buf text;
    buf_init(&text);
    names_script(name, wanted->name, hash);
    err *e = s->ops->get(s->handle, name, &text, &missing);
    if (!e && missing)
        e = err_new(ERR_REFUSED,
                    "the script that did the batches is not kept (%s): give one by --script", name);
    if (!e) e = past_script_unpack(text.data, text.len, wanted);
    buf_done(&text);
    return e;
}

void past_script_wanted_done(past_script_wanted *wanted) {
    for (uint32_t i = 0; i < wanted->param_count; i++) mem_free(wanted->params[i]);
    for (uint32_t i = 0; i < wanted->set_count; i++) mem_free(wanted->sets[i]);
    mem_free(wanted->params);
    mem_free(wanted->sets);
    mem_free(wanted->own_path);
    mem_free(wanted->own_text);
    mem_free(wanted->root);
    wanted->own_text = wanted->root = NULL;
    wanted->params = NULL;
    wanted->sets = NULL;
    wanted->set_count = 0;
    wanted->own_path = NULL;
    wanted->param_count = 0;
}

/* -- opening */

/* Those it ran with, and those that are given and not the same. */
static uint32_t add_sets(const past_script_wanted *wanted, const char **sets) {
    uint32_t count = wanted->set_count;
    for (uint32_t i = 0; i < count; i++) sets[i] = wanted->sets[i];
    for (uint32_t i = 0; i < wanted->a->set_count; i++) {
        const char *given = wanted->a->sets[i];
        bool is_there = false;
        for (uint32_t n = 0; n < wanted->set_count; n++) is_there |= !strcmp(given, sets[n]);
        if (!is_there) sets[count++] = given;
    }
    return count;
}

err *past_script_open(const past_script_wanted *wanted, script **s) {
    const args *a = wanted->a;
    const char *sets[2 * ARGS_MAX_SETS + 1];
    char name[256];
    uint32_t count = add_sets(wanted, sets);
    bool has_own = wanted->own_path != NULL;
    snprintf(name, sizeof name, "name=%s", wanted->name);
    bool is_given = !has_own && wanted->path == a->operand;
    if (!has_own && !is_given) sets[count++] = name;
    script_options options = {
        .path = wanted->path,
        .text = has_own ? wanted->own_text : is_given ? a->text
                                                      : NULL,
        .text_len = has_own ? wanted->own_len : a->text_len,
        .root = has_own ? wanted->root : is_given ? a->root
                                                  : NULL,
        .overrides = sets,
        .override_count = count,
        .params = has_own ? (const char *const *)wanted->params : a->params,
        .param_count = has_own ? wanted->param_count : a->param_count,
        .shows_secrets = true,
        .library = getenv("SLUICE_LUA"),
        .stop = stop_asked(),
    };
    return script_open(&options, s);
}
