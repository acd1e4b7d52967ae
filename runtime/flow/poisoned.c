#include "runtime/flow/poisoned.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/mem.h"

enum { MOST_RECORDS = 1000 };

/* As poisoned_path. */
static char *path_of(const sl_plan *plan, const char *end) {
    const sl_string *folder = &plan->checkpoint.state_dir;
    if (!folder->data || !plan->checkpoint.url.data) return NULL;
    buf path;
    buf_init(&path);
    buf_printf(&path, "%.*s%s", (int)folder->len, folder->data, end);
    buf_text(&path);
    return path.data; /* buf memory is mem memory */
}

void poisoned_note(poison *all, const char *topic, int32_t number, int64_t offset,
                   const char *why) {
    buf text;
    buf_init(&text);
    buf_printf(&text, POISONED_BEFORE "%s", why);
    buf_text(&text);
    all->items = mem_realloc(all->items, (all->count + 1) * sizeof *all->items);
    all->items[all->count++] = (poison_record){
        .topic = mem_copy_text(topic, strlen(topic)),
        .number = number,
        .offset = offset,
        .why = text.data,
    };
}

static void add(poison *all, char *line) {
    int number = 0, used = 0;
    int64_t offset = 0;
    char *tab = strchr(line, '\t');
    if (!tab || all->count == MOST_RECORDS) return;
    *tab = '\0';
    if (sscanf(line, "%" SCNd64 " %d %n", &offset, &number, &used) != 2 || !used) return;
    tab[1 + strcspn(tab + 1, "\n")] = '\0';
    poisoned_note(all, line + used, number, offset, tab + 1);
}

void poisoned_read(const sl_plan *plan, poison *all) {
    char *path = path_of(plan, ".poison"), line[4096];
    *all = (poison){ 0 };
    FILE *file = path ? fopen(path, "r") : NULL;
    while (file && fgets(line, sizeof line, file)) add(all, line);
    if (file) fclose(file);
    mem_free(path);
}

void poisoned_free(poison *all) {
    for (uint32_t i = 0; i < all->count; i++) {
        mem_free(all->items[i].topic);
        mem_free(all->items[i].why);
    }
    mem_free(all->items);
    *all = (poison){ 0 };
}

/* The folders of a path that are not there. */
static void make_folders(char *path) {
    for (char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
        *at = '\0';
        mkdir(path, 0777);
        *at = '/';
    }
}

char *poisoned_path(const sl_plan *plan, const char *end) {
    char *path = path_of(plan, end);
    if (path) make_folders(path);
    return path;
}

bool poisoned_add(const sl_plan *plan, const char *topic, int32_t number, int64_t offset,
                  const char *why) {
    char *path = poisoned_path(plan, ".poison");
    if (!path) return false;
    buf line;
    buf_init(&line);
    buf_printf(&line, "%" PRId64 " %" PRId32 " %s\t%.1000s", offset, number, topic, why);
    for (size_t i = 0; i < line.len; i++)
        if (line.data[i] == '\n') line.data[i] = ' ';
    buf_put_char(&line, '\n');
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    bool is_kept = fd >= 0 && write(fd, line.data, line.len) == (ssize_t)line.len && !fsync(fd);
    if (fd >= 0) close(fd);
    buf_done(&line);
    mem_free(path);
    return is_kept;
}
