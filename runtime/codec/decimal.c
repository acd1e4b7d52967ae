#include "runtime/codec/decimal.h"

__extension__ typedef __int128 wide;
__extension__ typedef unsigned __int128 unsigned_wide;

/* Exponents beyond are all the same: no digit that counts is reached. */
enum { EXPONENT_LIMIT = 1000 };

static wide wide_of(const sl_decimal *value) {
    return (wide)((unsigned_wide)(uint64_t)value->high << 64 | value->low);
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* value * 10^count, modulo 2^128. */
static unsigned_wide shifted(unsigned_wide value, int64_t count) {
    for (; count > 0; count--) value *= 10;
    return value;
}

/* Digits as they are read: value * 10^zeros, `digits` of them in value. */
typedef struct significand {
    unsigned_wide value;
    int64_t digits, zeros;
    bool is_too_long;
} significand;

/* Take the digits at `s`; zeros wait until another digit follows. */
static const char *take_digits(const char *s, significand *n) {
    for (; is_digit(*s); s++) {
        if (*s == '0') {
            if (n->digits) n->zeros++;
            continue;
        }
        n->digits += n->zeros + 1;
        n->is_too_long |= n->digits > SL_DECIMAL_DIGITS;
        if (!n->is_too_long) n->value = shifted(n->value, n->zeros + 1) + (unsigned)(*s - '0');
        n->zeros = 0;
    }
    return s;
}

/* Take `e+12`, if any; NULL: an `e` without digits. */
static const char *take_exponent(const char *s, int64_t *exponent) {
    if (*s != 'e' && *s != 'E') return s;
    s++;
    bool is_negative = *s == '-';
    if (*s == '-' || *s == '+') s++;
    if (!is_digit(*s)) return NULL;
    int64_t value = 0;
    for (; is_digit(*s); s++)
        if (value < EXPONENT_LIMIT) value = value * 10 + (*s - '0');
    *exponent = is_negative ? -value : value;
    return s;
}

const char *decimal_scan(const char *text, uint8_t precision, uint8_t scale, sl_decimal *out) {
    significand n = { 0 };
    int64_t fraction_len = 0, exponent = 0;
    bool is_negative = *text == '-';
    const char *start = text + is_negative, *s = take_digits(start, &n);
    if (s == start || (*start == '0' && s > start + 1)) return NULL;
    if (*s == '.') {
        const char *fraction = s + 1;
        s = take_digits(fraction, &n);
        fraction_len = s - fraction;
        if (!fraction_len) return NULL;
    }
    s = take_exponent(s, &exponent);
    if (!s || n.is_too_long) return NULL;
    /* the last digit of value is none of the zeros: below the scale it would be lost */
    int64_t shift = n.zeros + exponent - fraction_len + scale;
    if (n.digits && (shift < 0 || n.digits + shift > precision)) return NULL;
    unsigned_wide value = n.digits ? shifted(n.value, shift) : 0;
    if (is_negative) value = -value;
    *out = (sl_decimal){ .low = (uint64_t)value, .high = (int64_t)(value >> 64) };
    return s;
}

size_t decimal_write(char *to, const sl_decimal *value, uint8_t scale) {
    char digits[DECIMAL_TEXT_BYTES];
    wide x = wide_of(value);
    unsigned_wide rest = x < 0 ? -(unsigned_wide)x : (unsigned_wide)x;
    size_t count = 0, len = 0;
    for (; rest || count <= scale; rest /= 10) digits[count++] = (char)('0' + (int)(rest % 10));
    if (x < 0) to[len++] = '-';
    while (count) {
        to[len++] = digits[--count];
        if (count && count == scale) to[len++] = '.';
    }
    return len;
}

int decimal_compare(const sl_decimal *a, const sl_decimal *b) {
    wide x = wide_of(a), y = wide_of(b);
    return (x > y) - (x < y);
}
