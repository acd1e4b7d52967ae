/* The fold and the merge of own.lua in C, for what Lua costs beside it: own_in_c puts them in the
 * place of the Lua functions. A library of its own: the program has nothing of it. The operations
 * are those of own.lua in their order: results are the same to the bit. */
#include <stdint.h>

enum { BINS = 128 };

/* As sluice.aggregate lays the state of own.lua out: by name. */
typedef struct moments {
    uint32_t bins[BINS];
    double m2, mean, n, sum;
} moments;

/* Where a row has the amount, and the byte and mask of its null bit. */
typedef struct place {
    uint32_t value, null, mask;
} place;

void own_fold(moments *const *states, const char *const *rows, uint32_t count, const place *at);
void own_merge(moments *a, const moments *b);

void own_fold(moments *const *states, const char *const *rows, uint32_t count, const place *at) {
    for (uint32_t i = 0; i < count; i++) {
        const char *row = rows[i];
        if (row[at->null] & at->mask) continue;
        moments *a = states[i];
        double x = *(const double *)(row + at->value);
        double delta = x - a->mean;
        a->n += 1;
        a->sum += x;
        a->mean += delta / a->n;
        a->m2 += delta * (x - a->mean);
        uint32_t bin = (uint32_t)x;
        a->bins[bin < BINS - 1 ? bin : BINS - 1]++;
    }
}

void own_merge(moments *a, const moments *b) {
    double n = a->n + b->n;
    if (n == 0) return;
    double delta = b->mean - a->mean;
    a->m2 = a->m2 + b->m2 + delta * delta * a->n * b->n / n;
    a->mean += delta * b->n / n;
    a->n = n;
    a->sum += b->sum;
    for (uint32_t i = 0; i < BINS; i++) a->bins[i] += b->bins[i];
}
