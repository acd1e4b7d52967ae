#include "runtime/connect/file_list.h"

#include <glob.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/base/mem.h"

static bool is_pattern(const char *path) { return strpbrk(path, "*?[") != NULL; }

static void add(file_list *list, const char *path, size_t len) {
    for (uint32_t i = 0; i < list->count; i++)
        if (strlen(list->items[i]) == len && !memcmp(list->items[i], path, len)) return;
    if (list->count == list->room) {
        list->room = list->room ? 2 * list->room : 16;
        list->items = mem_realloc(list->items, list->room * sizeof(char *));
    }
    list->items[list->count++] = mem_copy_text(path, len);
}

static bool is_same(const struct stat *a, const struct stat *b) {
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

/* The folder that a path lies in. */
static bool stat_folder(const char *path, struct stat *about) {
    const char *slash = strrchr(path, '/');
    char *folder = slash ? mem_copy_text(path, (size_t)(slash - path) + 1) : NULL;
    bool is_there = stat(folder ? folder : ".", about) == 0;
    mem_free(folder);
    return is_there;
}

/* Whether the file, which is there, is one of `without` or lies in one. */
static bool is_left_out(const char *path, const struct stat *about, const sl_value *without) {
    struct stat named, folder;
    bool is_out = false;
    for (uint32_t i = 0; without && !is_out && i < without->item_count; i++) {
        const sl_string *text = &without->items[i].text;
        char *name = mem_copy_text(text->data, text->len);
        if (stat(name, &named) == 0)
            is_out = is_same(&named, about) || (S_ISDIR(named.st_mode) &&
                                                stat_folder(path, &folder) &&
                                                is_same(&named, &folder));
        mem_free(name);
    }
    return is_out;
}

/* What matches now, in the order of bytes: glob sorts by strcoll, and the process has no locale. */
static void add_matches(file_list *list, const char *pattern, const sl_value *without) {
    glob_t found;
    struct stat about;
    size_t count = glob(pattern, GLOB_ERR, NULL, &found) == 0 ? found.gl_pathc : 0;
    for (size_t i = 0; i < count; i++) {
        const char *path = found.gl_pathv[i];
        if (stat(path, &about) || S_ISDIR(about.st_mode)) continue;
        if (!is_left_out(path, &about, without)) add(list, path, strlen(path));
    }
    globfree(&found);
}

void file_list_expand(file_list *list, const sl_value *paths, const sl_value *without) {
    bool is_list = paths->kind == SL_TABLE;
    uint32_t count = is_list ? paths->item_count : 1;
    const sl_value *items = is_list ? paths->items : paths;
    for (uint32_t i = 0; i < count; i++) {
        char *path = mem_copy_text(items[i].text.data, items[i].text.len);
        if (is_pattern(path))
            add_matches(list, path, without);
        else
            add(list, path, items[i].text.len);
        mem_free(path);
    }
}

void file_list_done(file_list *list) {
    for (uint32_t i = 0; i < list->count; i++) mem_free(list->items[i]);
    mem_free(list->items);
    *list = (file_list){ 0 };
}
