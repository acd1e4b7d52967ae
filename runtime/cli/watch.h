#pragma once
/* Watching files for changes: by looking, which works on any file system and finds an editor that
 * puts a new file in the old one's place. One owner; thread: the owner's. */
#include <stdbool.h>
#include <stdint.h>

typedef struct watch_file watch_file;

typedef struct watch {
    watch_file *files; /* owned */
    uint32_t count;
} watch;

/* Watch one more file as it is now; one that is watched stays as it was seen. */
void watch_add(watch *w, const char *path);

/* The scripts beside a file, its folder's *.lua: what it may require. */
void watch_add_folder(watch *w, const char *path);

/* Wait until a file has changed and is not being written any more, or `stop`. False: stopped. */
bool watch_wait(watch *w, const volatile int *stop);
void watch_done(watch *w);
