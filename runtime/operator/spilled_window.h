#pragma once
/* A window of which panes are spilled or cached, a range of the groups' order at a time: what the
 * base has of it is read, and with what is in memory it is a window like any other. One emission's
 * (emit_spilled.c, emit_close.c). thread: worker. */
#include "runtime/operator/emission.h"

typedef struct spilled_window spilled_window;

spilled_window *spilled_window_new(const emission *m);
void spilled_window_free(spilled_window *s);

/* Where the slice of (shard, hash) that begins at `from` ends: what is read at a time. */
uint64_t spilled_window_slice(const emission *m, uint64_t from);

/* Read the groups of `range`; those of memory are in `waiting`, sorted, which may hold more: all
 * into `out`, sorted. What was read before goes. ERR_IO: the base cannot be read. */
struct err *spilled_window_list(spilled_window *s, const emission *m, const order_range *range,
                                const group_list *waiting, group_list *out);

/* The emission becomes one of the panes that `out` speaks of. */
void spilled_window_use(const spilled_window *s, emission *m);
