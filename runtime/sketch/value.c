#include "runtime/sketch/value.h"

/* Three-way, NaN last. */
static int compare_doubles(double x, double y) {
    if (x == x && y == y) return (x > y) - (x < y);
    return (x != x) - (y != y);
}

static int compare_integers(int64_t x, int64_t y) {
    return (x > y) - (x < y);
}

/* Two's complement of 128 bits, the low word first (nested.h). */
static int compare_decimals(const char *a, const char *b) {
    uint64_t low[2];
    int64_t high[2];
    memcpy(&low[0], a, 8);
    memcpy(&high[0], a + 8, 8);
    memcpy(&low[1], b, 8);
    memcpy(&high[1], b + 8, 8);
    if (high[0] != high[1]) return compare_integers(high[0], high[1]);
    return (low[0] > low[1]) - (low[0] < low[1]);
}

int value_compare(const value *a, const char *pool_a, const value *b, const char *pool_b,
                  int32_t type) {
    double x, y;
    switch (type) {
    case SL_DOUBLE:
        memcpy(&x, &a->word, sizeof x);
        memcpy(&y, &b->word, sizeof y);
        return compare_doubles(x, y);
    case SL_INT32:
    case SL_DATE: return compare_integers((int32_t)a->word, (int32_t)b->word);
    case SL_BOOL:
    case SL_INT64:
    case SL_TIMESTAMP: return compare_integers((int64_t)a->word, (int64_t)b->word);
    case SL_DECIMAL: return compare_decimals(pool_a + a->at, pool_b + b->at);
    default: break;
    }
    uint32_t len = a->len < b->len ? a->len : b->len;
    int order = memcmp(value_bytes(a, pool_a), value_bytes(b, pool_b), len);
    return order ? order : compare_integers(a->len, b->len);
}

LEAF void sl_canonical(double *x) {
    if (*x == 0) *x = 0;
    if (*x == *x) return;
    const uint64_t nan = 0x7ff8000000000000;
    memcpy(x, &nan, sizeof nan);
}
