#include "runtime/codec/number.h"

#include <string.h>

#include "runtime/codec/number_short.h"

enum { MAX_DIGITS = 19 };
static const int64_t EXPONENT_LIMIT = 1000000000000; /* more digits than a document can have */

static bool is_digit(char c) {
    return (unsigned char)(c - '0') < 10;
}

/* Are the 8 bytes all digits? Source: Lemire, "Number Parsing at a Gigabyte per Second", 2021. */
static bool are_digits(uint64_t word) {
    return ((word & (word + UINT64_C(0x0606060606060606)) & UINT64_C(0xf0f0f0f0f0f0f0f0)) ==
            UINT64_C(0x3030303030303030));
}

/* Append the digits at `s` to `value`, modulo 2^64; the end of them. */
static inline const char *scan_digits(const char *s, uint64_t *value) {
    uint64_t word, v = *value;
    for (; memcpy(&word, s, sizeof word), are_digits(word); s += 8)
        v = v * 100000000 + value_of_digits(word ^ ZEROS);
    for (; is_digit(*s); s++) v = v * 10 + (uint64_t)(*s - '0');
    *value = v;
    return s;
}

/* Scan what follows `e`. */
static const char *scan_exponent(const char *s, number *n) {
    bool is_negative = *s == '-';
    if (*s == '-' || *s == '+') s++;
    if (!is_digit(*s)) return NULL;
    int64_t exponent = 0;
    for (; is_digit(*s); s++)
        if (exponent < EXPONENT_LIMIT) exponent = exponent * 10 + (*s - '0');
    n->exponent += is_negative ? -exponent : exponent;
    return s;
}

/* More than 19 digits and a point from `s` on: keep the first 19 that are significant, and let the
 * exponent stand for the others. */
static void scan_cut(const char *s, number *n) {
    uint32_t significant = 0;
    bool is_fraction = false;
    n->digits = 0;
    for (; is_digit(*s) || *s == '.'; s++) {
        if (*s == '.') {
            is_fraction = true;
            continue;
        }
        if (significant < MAX_DIGITS) {
            n->digits = n->digits * 10 + (uint64_t)(*s - '0');
            if (n->digits) significant++;
            n->exponent -= is_fraction;
        } else {
            n->is_cut = true;
            n->exponent += !is_fraction;
        }
    }
}

bool number_scan(const char *text, number *out) {
    const char *s = text + (*text == '-');
    const char *start = s;
    *out = (number){ .is_integer = true, .is_negative = s > text };
    s = scan_digits(s, &out->digits);
    if (s == start || (*start == '0' && s > start + 1)) return false;
    ptrdiff_t fraction_len = 0;
    if (*s == '.') {
        const char *fraction = s + 1;
        s = scan_digits(fraction, &out->digits);
        fraction_len = s - fraction;
        if (!fraction_len) return false;
        out->is_integer = false;
    }
    if (s - start - !out->is_integer <= MAX_DIGITS)
        out->exponent = -fraction_len;
    else
        scan_cut(start, out);
    if (*s == 'e' || *s == 'E') {
        out->is_integer = false;
        s = scan_exponent(s + 1, out);
        if (!s) return false;
    }
    out->end = s;
    return true;
}

bool number_int64(const number *n, int64_t *out) {
    if (!n->is_integer || n->is_cut) return false;
    uint64_t limit = (uint64_t)INT64_MAX + n->is_negative;
    if (n->digits > limit) return false;
    *out = (int64_t)(n->is_negative ? 0 - n->digits : n->digits);
    return true;
}

bool number_double(const number *n, const char *text, double *out) {
    if (n->is_cut || n->digits > (UINT64_C(1) << 53) || n->exponent < -22 || n->exponent > 22)
        return number_parse(text, (size_t)(n->end - text), out);
    double value = (double)n->digits;
    if (n->exponent < 0)
        value /= POWERS[-n->exponent];
    else
        value *= POWERS[n->exponent];
    *out = n->is_negative ? -value : value;
    return true;
}

/* The 8 digits of a number below 10^8, the first in the lowest byte, leading zeros with them:
 * halves, quarters, digits side by side. Source: Khuong, "How to print integers really fast",
 * 2017. */
static inline uint64_t eight_digits(uint32_t value) {
    uint64_t fours = value / 10000 | (uint64_t)(value % 10000) << 32;
    uint64_t high = (fours * 10486 >> 20) & UINT64_C(0x0000007f0000007f);
    uint64_t twos = high | (fours - 100 * high) << 16;
    uint64_t tens = (twos * 103 >> 10) & UINT64_C(0x000f000f000f000f);
    return tens | (twos - 10 * tens) << 8;
}

static inline size_t put_eight(char *to, uint32_t value) {
    uint64_t word = eight_digits(value) | ZEROS;
    memcpy(to, &word, sizeof word);
    return sizeof word;
}

/* The same without leading zeros. Writes 8 bytes all the same. */
static inline size_t put_first(char *to, uint32_t value) {
    uint64_t digits = eight_digits(value);
    unsigned zeros = (unsigned)__builtin_ctzll(digits | UINT64_C(1) << 56) / 8;
    uint64_t word = (digits | ZEROS) >> 8 * zeros;
    memcpy(to, &word, sizeof word);
    return sizeof word - zeros;
}

size_t number_write_int64(char *to, int64_t value) {
    const uint64_t eight = 100000000;
    bool is_negative = value < 0;
    uint64_t rest = is_negative ? -(uint64_t)value : (uint64_t)value;
    size_t len = is_negative;
    *to = '-';
    if (rest < eight) return len + put_first(to + len, (uint32_t)rest);
    uint64_t high = rest / eight;
    if (high < eight) {
        len += put_first(to + len, (uint32_t)high);
    } else {
        len += put_first(to + len, (uint32_t)(high / eight));
        len += put_eight(to + len, (uint32_t)(high % eight));
    }
    return len + put_eight(to + len, (uint32_t)(rest % eight));
}

/* Lay out digits by ECMA-262, Number::toString, steps 5 to 12; `k` digits, value 0.DIGITS *
 * 10^n. */
static size_t lay_out(char *to, const char *digits, int k, int n) {
    char *s = to;
    if (k <= n && n <= 21) {
        memcpy(s, digits, (size_t)k);
        memset(s + k, '0', (size_t)(n - k));
        return (size_t)n;
    }
    if (0 < n && n <= 21) {
        memcpy(s, digits, (size_t)n);
        s[n] = '.';
        memcpy(s + n + 1, digits + n, (size_t)(k - n));
        return (size_t)k + 1;
    }
    if (-6 < n && n <= 0) {
        memcpy(s, "0.", 2);
        memset(s + 2, '0', (size_t)-n);
        memcpy(s + 2 - n, digits, (size_t)k);
        return (size_t)(2 - n + k);
    }
    *s++ = digits[0];
    if (k > 1) {
        *s++ = '.';
        memcpy(s, digits + 1, (size_t)(k - 1));
        s += k - 1;
    }
    int exponent = n - 1;
    *s++ = 'e';
    *s++ = exponent < 0 ? '-' : '+';
    return (size_t)(s - to) + number_write_int64(s, exponent < 0 ? -exponent : exponent);
}

/* Write a number of hundredths below 10^8. Without a branch on whether there is a fraction, and how
 * long it is. Writes 10 bytes all the same. */
static inline size_t put_hundredths(char *to, uint32_t hundredths) {
    uint64_t digits = eight_digits(hundredths);
    unsigned zeros = (unsigned)__builtin_ctzll(digits | UINT64_C(1) << 40) / 8;
    uint64_t word = (digits | ZEROS) >> 8 * zeros;
    uint32_t tenths = (uint32_t)(digits >> 48); /* and hundredths behind them */
    uint32_t fraction = '.' | (tenths | 0x3030) << 8;
    size_t len = 6 - zeros;
    memcpy(to, &word, sizeof word);
    memcpy(to + len, &fraction, sizeof fraction);
    return len + (tenths ? 2 : 0) + (tenths >> 8 ? 1 : 0);
}

/* Write value >= 0.01 that is a multiple of 1/100, as money is; 0: it is not. Decimals of up to 15
 * digits belong to different doubles, so what reads back as the value is its only short form. */
static size_t write_hundredths(char *to, double value) {
    if (!(value >= 0.01 && value < 1e12)) return 0;
    int64_t hundredths = (int64_t)(value * 100 + 0.5);
    if ((double)hundredths / 100 != value) return 0;
    if (hundredths < 100000000) return put_hundredths(to, (uint32_t)hundredths);
    size_t len = number_write_int64(to, hundredths / 100);
    int rest = (int)(hundredths % 100);
    if (!rest) return len;
    to[len++] = '.';
    to[len++] = (char)('0' + rest / 10);
    if (rest % 10) to[len++] = (char)('0' + rest % 10);
    return len;
}

size_t number_write(char *to, double value) {
    if (value == 0) {
        *to = '0';
        return 1;
    }
    size_t sign = value < 0;
    if (sign) {
        *to++ = '-';
        value = -value;
    }
    size_t len = write_hundredths(to, value);
    if (len) return sign + len;
    char digits[NUMBER_TEXT_BYTES];
    int point;
    int count = (int)number_shortest(value, digits, &point);
    return sign + lay_out(to, digits, count, point);
}
