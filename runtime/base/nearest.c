#include "runtime/base/nearest.h"

#include <string.h>

enum { LONGEST = 100 };

/* Levenshtein distance; long words are far from everything. */
static uint32_t distance(const char *a, const char *b) {
    size_t a_len = strlen(a), b_len = strlen(b);
    uint32_t row[LONGEST + 1];
    if (a_len > LONGEST || b_len > LONGEST) return LONGEST;
    for (uint32_t j = 0; j <= b_len; j++) row[j] = j;
    for (uint32_t i = 1; i <= a_len; i++) {
        uint32_t diagonal = row[0];
        row[0] = i;
        for (uint32_t j = 1; j <= b_len; j++) {
            uint32_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b_len];
}

const char *nearest_word(const char *given, const char *const *words, uint32_t count) {
    const char *best = NULL;
    uint32_t least = (uint32_t)(strlen(given) + 2) / 3 + 1;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t far = distance(given, words[i]);
        if (far < least) {
            least = far;
            best = words[i];
        }
    }
    return best;
}
