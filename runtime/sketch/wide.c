/* Sums of decimals, exact: 192 bits hold 2^64 values of 128. */
#include "runtime/sketch/memory.h"

typedef unsigned __int128 word128;

static void add(sl_wide *sum, uint64_t low, uint64_t middle, int64_t high) {
    word128 carry = (word128)sum->low + low;
    sum->low = (uint64_t)carry;
    carry = (carry >> 64) + sum->middle + middle;
    sum->middle = (uint64_t)carry;
    sum->high = (int64_t)((uint64_t)sum->high + (uint64_t)high + (uint64_t)(carry >> 64));
}

LEAF void sl_wide_add(sl_wide *sum, const sl_decimal *x) {
    add(sum, x->low, (uint64_t)x->high, x->high < 0 ? -1 : 0);
}

LEAF void sl_wide_merge(sl_wide *a, const sl_wide *b) {
    add(a, b->low, b->middle, b->high);
}

/* The magnitude in three words, the low one first; true: it was negative. */
static bool magnitude(const sl_wide *sum, uint64_t words[3]) {
    bool negative = sum->high < 0;
    sl_wide of = *sum;
    if (negative) {
        of = (sl_wide){ ~sum->low, ~sum->middle, ~sum->high };
        add(&of, 1, 0, 0);
    }
    words[0] = of.low;
    words[1] = of.middle;
    words[2] = (uint64_t)of.high;
    return negative;
}

/* 10^38 */
static word128 limit(void) {
    word128 x = 1;
    for (uint32_t i = 0; i < SL_DECIMAL_DIGITS; i++) x *= 10;
    return x;
}

static void put(sl_decimal *into, word128 x, bool negative) {
    if (negative) x = -x;
    into->low = (uint64_t)x;
    into->high = (int64_t)(uint64_t)(x >> 64);
}

LEAF int32_t sl_wide_sum(const sl_wide *sum, sl_decimal *into) {
    uint64_t words[3];
    bool negative = magnitude(sum, words);
    word128 x = (word128)words[1] << 64 | words[0];
    if (words[2] || x >= limit()) return 1;
    put(into, x, negative);
    return 0;
}

/* words * factor; the product fits, since what is added up are decimals of 128 bits. */
static void multiply(uint64_t words[4], uint64_t factor) {
    word128 carry = 0;
    for (uint32_t i = 0; i < 4; i++) {
        carry += (word128)words[i] * factor;
        words[i] = (uint64_t)carry;
        carry >>= 64;
    }
}

/* words / divisor, as school does it; gives the remainder. */
static uint64_t divide(uint64_t words[4], uint64_t divisor) {
    word128 rest = 0;
    for (uint32_t i = 4; i-- > 0;) {
        rest = rest << 64 | words[i];
        words[i] = (uint64_t)(rest / divisor);
        rest %= divisor;
    }
    return (uint64_t)rest;
}

LEAF void sl_wide_mean(const sl_wide *sum, double count, uint32_t more_digits, sl_decimal *into) {
    uint64_t words[4] = { 0 }, n = (uint64_t)count;
    bool negative = magnitude(sum, words);
    for (uint32_t i = 0; i < more_digits; i++) multiply(words, 10);
    uint64_t rest = divide(words, n);
    word128 x = (word128)words[1] << 64 | words[0];
    put(into, x + (rest >= n - rest), negative);
}
