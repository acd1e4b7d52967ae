#pragma once
/* The usual number of JSON in one step, when the length of its token is known: an integer of up to
 * 16 digits, a fraction of up to 15 with at most 7 before its point, no exponent. False means: take
 * the long way of number.h, it may be a number all the same. Inline, because a call costs as much
 * as half of it; digits are read 8 at a time without a branch on how many there are. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Powers that a double holds exactly. A number of up to 2^53 times or over one of them is rounded
 * once, so rightly: Clinger 1990, "How to Read Floating Point Numbers Accurately". */
static const double POWERS[] = {
    1e0,
    1e1,
    1e2,
    1e3,
    1e4,
    1e5,
    1e6,
    1e7,
    1e8,
    1e9,
    1e10,
    1e11,
    1e12,
    1e13,
    1e14,
    1e15,
    1e16,
    1e17,
    1e18,
    1e19,
    1e20,
    1e21,
    1e22,
};

static const uint64_t ONES = UINT64_C(0x0101010101010101), ZEROS = UINT64_C(0x3030303030303030),
                      HIGH_BITS = UINT64_C(0x8080808080808080);

/* The number that 8 digits from 0 to 9 make, the first in the lowest byte. Source: Lemire, "Number
 * Parsing at a Gigabyte per Second", 2021. */
static inline uint64_t value_of_digits(uint64_t word) {
    word = word * 10 + (word >> 8);
    uint64_t low = (word & UINT64_C(0x000000ff000000ff)) * UINT64_C(0x000f424000000064);
    uint64_t high = (word >> 16 & UINT64_C(0x000000ff000000ff)) * UINT64_C(0x0000271000000001);
    return (low + high) >> 32 & UINT32_MAX;
}

/* Read the first `len` bytes of `word`, 1 to 8; false: they are not all digits. */
static inline bool number_of_word(uint64_t word, size_t len, uint64_t *out) {
    word = (word ^ ZEROS) << (64 - 8 * len); /* leading zeros for what lies behind them */
    *out = value_of_digits(word);
    return !((word | (word + 0x76 * ONES)) & HIGH_BITS);
}

/* The same with 1 to 16 digits at `s`. */
static inline bool number_of_digits(const char *s, size_t len, uint64_t *out) {
    uint64_t word, last, low;
    memcpy(&word, s, sizeof word);
    if (len <= 8) return number_of_word(word, len, out);
    memcpy(&last, s + len - 8, sizeof last);
    bool is_good = number_of_word(word, len - 8, out) & number_of_word(last, 8, &low);
    *out = *out * 100000000 + low;
    return is_good;
}

/* `text`: a token of `len` bytes, with 8 readable ones behind it. */
static inline bool number_short_int64(const char *text, size_t len, int64_t *out) {
    bool is_negative = *text == '-';
    const char *start = text + is_negative;
    uint64_t digits;
    len -= is_negative;
    if (len - 1 > 15 || (*start == '0' && len > 1) || !number_of_digits(start, len, &digits))
        return false;
    *out = is_negative ? -(int64_t)digits : (int64_t)digits;
    return true;
}

/* Read `len` bytes at `s` which have a point behind `point` digits, as if it were not there. */
static inline bool number_around_point(const char *s, size_t len, size_t point, double *out) {
    uint64_t word, whole, fraction, below = (UINT64_C(1) << (8 * point)) - 1;
    memcpy(&word, s, sizeof word);
    if (len <= 8) {
        bool is_good = number_of_word((word & below) | (word >> 8 & ~below), len - 1, &whole);
        *out = (double)whole;
        return is_good;
    }
    size_t fraction_len = len - point - 1;
    bool is_good = number_of_word(word, point, &whole) &
                   number_of_digits(s + point + 1, fraction_len, &fraction);
    *out = (double)whole * POWERS[fraction_len] + (double)fraction;
    return is_good;
}

/* The same for a double with a fraction: at most 15 digits, so all steps but the last are exact. */
static inline bool number_short_double(const char *text, size_t len, double *out) {
    bool is_negative = *text == '-';
    const char *start = text + is_negative;
    uint64_t word;
    double digits;
    len -= is_negative;
    memcpy(&word, start, sizeof word);
    word ^= '.' * ONES;
    uint64_t points = (word - ONES) & ~word & HIGH_BITS; /* the lowest is a point */
    if (len - 1 > 15 || !points) return false;
    size_t point = (size_t)__builtin_ctzll(points) / 8;
    if (!point || point + 1 >= len || (*start == '0' && point > 1) ||
        !number_around_point(start, len, point, &digits))
        return false;
    double value = digits / POWERS[len - point - 1];
    *out = is_negative ? -value : value;
    return true;
}

/* Two shorter ways for what most numbers are: positive, 1 or more, `len` up to 15. False: take one
 * of those above. `point`: where a point stands, if there is one. */
static inline bool number_plain_int64(const char *text, size_t len, int64_t *out) {
    uint64_t digits = 0;
    bool is_good = (unsigned char)(*text - '1') < 9 && number_of_digits(text, len, &digits);
    *out = (int64_t)digits;
    return is_good;
}

static inline bool number_plain_double(const char *text, size_t len, size_t point, double *out) {
    double digits;
    if ((unsigned char)(*text - '1') > 8 || point > 7 || point + 1 >= len ||
        !number_around_point(text, len, point, &digits))
        return false;
    *out = digits / POWERS[len - point - 1];
    return true;
}
