#pragma once
/* Who does what next while the chunks of a batch are walked. A chunk's way:
 *
 *   cut ─▶ functions ─▶ shares of the state ─▶ functions of the next level ─▶ … ─▶ collected
 *
 * Functions: by whoever is free, of any chunk. A share takes the chunks in their order and one at a
 * time, whoever works for it. Chunks are collected in their order. So each share sees what it would
 * see with one worker, and nobody waits for another's chunk while there is another one to be done:
 * a worker that is slow, or reads the next batch, holds nobody up but by what is its own.
 *
 * Knows neither chunks nor workers, but their numbers. thread: any; cuts are made one at a time. */
#include <stdbool.h>
#include <stdint.h>

typedef enum turn_kind {
    TURN_FUNCTIONS, /* of level 0: the chunk was just cut */
    TURN_SHARE,
    TURN_COLLECT,
} turn_kind;

typedef struct turn {
    turn_kind kind;
    uint32_t place;  /* where the chunk is, below `places` */
    uint32_t level;  /* of functions and shares */
    uint32_t share;  /* TURN_SHARE */
    uint64_t number; /* of the chunk in its walk, from 0 */
} turn;

typedef struct turns turns;

/* Cut the next chunk into a free place; false: none is left. */
typedef bool turns_cut(void *arg, uint32_t place);

/* Make room for `places` chunks at a time and `shares` of the state. Owned by the caller. */
turns *turns_new(uint32_t places, uint32_t shares);
void turns_free(turns *t);

/* Begin a walk whose chunks have levels up to `depth`. `shares`: false where nothing is kept. */
void turns_begin(turns *t, uint32_t depth, bool has_state, turns_cut *cut, void *arg);

/* The next thing for `worker` to do, waiting for it if need be: own chunks first, while they are in
 * the cache. False: there is nothing more. O(shares * levels). */
bool turns_take(turns *t, uint32_t worker, turn *out);

/* It is done. `failed`: the walk ends; what comes before it goes on and may fail more to the point,
 * as may the other shares of its chunk. */
void turns_done(turns *t, const turn *of, bool failed);
