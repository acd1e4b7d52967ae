#pragma once
#include <stdint.h>

/* The word of `words` that is close enough to `given` to be what was meant (edit distance at most a
 * third of its length, at least 1), or NULL. Borrowed from `words`. */
const char *nearest_word(const char *given, const char *const *words, uint32_t count);
