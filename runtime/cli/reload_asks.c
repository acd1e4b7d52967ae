#include "runtime/cli/reload_asks.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/mem.h"

static reload_ask read_words(const char *words) {
    const char *path = words ? strchr(words, ' ') : NULL;
    bool is_other = path && strcmp(path, " -") != 0;
    return (reload_ask){ .path = is_other ? mem_copy_text(path + 1, strlen(path + 1)) : NULL,
                         .hash = path ? strtoull(words, NULL, 16) : 0 };
}

static bool is_same(const reload_ask *a, const reload_ask *b) {
    if (a->hash != b->hash || !a->path != !b->path) return false;
    return !a->path || !strcmp(a->path, b->path);
}

void reload_asks_add(reload_asks *all, const char *words, uint64_t number) {
    reload_ask one = read_words(words);
    reload_ask *last = all->count ? &all->items[all->count - 1] : NULL;
    one.number = number;
    if (last && is_same(last, &one)) {
        if (number) last->number = number;
        mem_free(one.path);
        return;
    }
    all->items = mem_realloc(all->items, (all->count + 1) * sizeof *all->items);
    all->items[all->count++] = one;
}

bool reload_asks_take(reload_asks *all, reload_ask *first) {
    if (!all->count) return false;
    *first = all->items[0];
    all->count--;
    memmove(all->items, all->items + 1, all->count * sizeof *all->items);
    return true;
}

void reload_asks_done(reload_asks *all) {
    for (uint32_t i = 0; i < all->count; i++) mem_free(all->items[i].path);
    mem_free(all->items);
    *all = (reload_asks){ 0 };
}
