#include "runtime/codec/number.h"

#include <charconv>
#include <system_error>

bool number_parse(const char *text, size_t len, double *out) {
    double value = 0;
    auto result = std::from_chars(text, text + len, value);
    if (result.ec == std::errc() && value - value == 0) {
        *out = value;
        return true;
    }
    /* Out of range, and from_chars does not say on which side. The number of digits does. */
    number n;
    if (!number_scan(text, &n)) return false;
    int64_t magnitude = n.exponent;
    for (uint64_t rest = n.digits; rest; rest /= 10) magnitude++;
    *out = n.is_negative ? -0.0 : 0.0;
    return magnitude < 0;
}

size_t number_shortest(double value, char *digits, int *point) {
    char text[NUMBER_TEXT_BYTES];
    auto result = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific);
    /* D[.DDD]e(+|-)XX */
    size_t count = 0;
    const char *s = text;
    for (; *s != 'e'; s++)
        if (*s != '.') digits[count++] = *s;
    bool is_negative = s[1] == '-';
    int exponent = 0;
    for (s += 2; s < result.ptr; s++) exponent = exponent * 10 + (*s - '0');
    *point = (is_negative ? -exponent : exponent) + 1;
    return count;
}
