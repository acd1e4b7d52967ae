#pragma once
/* A store as somebody sees it who must not change it: reads are another's, writes succeed and go
 * nowhere. For replays, which commit for themselves alone. thread: any. */
#include "state/store.h"

/* Look through `on`, borrowed until the look is closed (store_close). */
store store_look_at(const store *on);
