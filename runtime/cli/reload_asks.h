#pragma once
/* Reloads that were asked for and have not begun, in order. Each is loaded by itself, since who
 * asks is told of the text that was asked for; one in the words of the last is loaded for both. The
 * lock is the owner's. */
#include <stdbool.h>
#include <stdint.h>

typedef struct reload_ask {
    char *path;      /* another file than the script's; owned; NULL: that */
    uint64_t hash;   /* what its text must be; 0: whatever it is */
    uint64_t number; /* of the last who asks for it; 0: nobody is to be told */
} reload_ask;

typedef struct reload_asks {
    reload_ask *items; /* owned */
    uint32_t count;
} reload_asks;

/* `words`: "HASH PATH", PATH "-": the script's own file; NULL or "": whatever that is. */
void reload_asks_add(reload_asks *all, const char *words, uint64_t number);

/* The first; `path` is the caller's then. False: there is none. */
bool reload_asks_take(reload_asks *all, reload_ask *first);

void reload_asks_done(reload_asks *all);
