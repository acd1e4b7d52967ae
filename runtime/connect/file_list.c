#include "runtime/connect/file_list.h"

#include <glob.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/base/mem.h"

bool file_is_pattern(const char *path) { return strpbrk(path, "*?[") != NULL; }

static void add(file_list *list, const char *path, size_t len) {
    for (uint32_t i = 0; i < list->count; i++)
        if (strlen(list->items[i]) == len && !memcmp(list->items[i], path, len)) return;
    if (list->count == list->room) {
        list->room = list->room ? 2 * list->room : 16;
        list->items = mem_realloc(list->items, list->room * sizeof(char *));
    }
    list->items[list->count++] = mem_copy_text(path, len);
}

static bool is_directory(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

/* What matches now, in the order of bytes: glob sorts by strcoll, and the process has no locale. */
static void add_matches(file_list *list, const char *pattern) {
    glob_t found;
    if (glob(pattern, GLOB_ERR, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            if (!is_directory(found.gl_pathv[i]))
                add(list, found.gl_pathv[i], strlen(found.gl_pathv[i]));
    globfree(&found);
}

void file_list_expand(file_list *list, const sl_value *paths) {
    bool is_list = paths->kind == SL_TABLE;
    uint32_t count = is_list ? paths->item_count : 1;
    const sl_value *items = is_list ? paths->items : paths;
    for (uint32_t i = 0; i < count; i++) {
        char *path = mem_copy_text(items[i].text.data, items[i].text.len);
        if (file_is_pattern(path))
            add_matches(list, path);
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
