#pragma once
/* A store as somebody sees it who must not change it: reads are another's, writes succeed and go
 * nowhere. For replays, which commit for themselves alone. thread: any. */
#include "state/store.h"

/* What is put nevertheless, in memory, while `is_on`: another look finds it. */
typedef struct store_kept {
    bool is_on;
    struct kept_object *objects; /* owned */
    uint32_t count;
} store_kept;

void store_kept_done(store_kept *kept);

/* Keep an object; `bytes` are taken. */
void store_kept_add(store_kept *kept, const char *name, buf *bytes);

/* Look through `on`, borrowed until the look is closed (store_close), as `kept` (NULL: nothing
 * is). `on` NULL: there is nothing but what is kept. */
store store_look_at(const store *on, store_kept *kept);

/* From now on there is nothing to be seen through `s`, one of those. */
void store_look_forget(store *s);
