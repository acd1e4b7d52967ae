#pragma once
/* "Did you mean", for the command line; scripts have lua/sluice/nearest.lua. Pure. */
#include <stdint.h>

/* The word of `words` that is close enough to `given` to be what was meant (edit distance at most a
 * third of its length, at least 1), or NULL. Borrowed from `words`. */
const char *nearest_word(const char *given, const char *const *words, uint32_t count);
