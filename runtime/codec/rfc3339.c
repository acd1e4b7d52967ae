#include "runtime/codec/rfc3339.h"

#include <string.h>

enum { DAY_MS = 86400000,
       MINUTE_MS = 60000 };

/* Days from 1970-01-01. Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
static int64_t days_of_date(int64_t year, int64_t month, int64_t day) {
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

/* The inverse, same source. */
static void date_of_days(int64_t days, int64_t *year, int64_t *month, int64_t *day) {
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    *day = day_of_year - (153 * shifted + 2) / 5 + 1;
    *month = shifted < 10 ? shifted + 3 : shifted - 9;
    *year = year_of_era + era * 400 + (*month <= 2);
}

static int64_t days_of_month(int64_t year, int64_t month) {
    static const int64_t DAYS[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return DAYS[month - 1] + (month == 2 && is_leap);
}

/* What is left to parse. */
typedef struct rest {
    const char *at, *end;
} rest;

static bool take_any(rest *r, const char *chars) {
    if (r->at == r->end || !*r->at || !strchr(chars, *r->at)) return false;
    r->at++;
    return true;
}

/* Take exactly `count` digits with a value within [low, high]. */
static bool take_digits(rest *r, int count, int64_t low, int64_t high, int64_t *out) {
    if (r->end - r->at < count) return false;
    int64_t value = 0;
    for (int i = 0; i < count; i++) {
        unsigned digit = (unsigned char)r->at[i] - (unsigned)'0';
        if (digit > 9) return false;
        value = value * 10 + digit;
    }
    r->at += count;
    *out = value;
    return value >= low && value <= high;
}

static bool take_year(rest *r, int64_t *year) {
    if (r->at == r->end || (*r->at != '+' && *r->at != '-'))
        return take_digits(r, 4, 0, 9999, year);
    bool is_negative = *r->at++ == '-';
    if (!take_digits(r, 6, is_negative, 999999, year)) return false;
    if (is_negative) *year = -*year;
    return true;
}

/* Take ".DIGITS", if any, as ms. */
static bool take_fraction(rest *r, int64_t *ms) {
    *ms = 0;
    if (!take_any(r, ".")) return true;
    int64_t digit, unit = 100;
    if (!take_digits(r, 1, 0, 9, &digit)) return false;
    do {
        *ms += digit * unit;
        unit /= 10;
    } while (take_digits(r, 1, 0, 9, &digit));
    return true;
}

/* Take "Z" or "+HH:MM" as minutes ahead of UTC. */
static bool take_zone(rest *r, int64_t *minutes) {
    *minutes = 0;
    if (take_any(r, "Zz")) return true;
    bool is_behind = r->at < r->end && *r->at == '-';
    int64_t hour, minute;
    if (!take_any(r, "+-") || !take_digits(r, 2, 0, 23, &hour) || !take_any(r, ":") ||
        !take_digits(r, 2, 0, 59, &minute)) return false;
    *minutes = (hour * 60 + minute) * (is_behind ? -1 : 1);
    return true;
}

/* Take a date as days. */
static bool take_date(rest *r, int64_t *days) {
    int64_t year, month, day;
    if (!take_year(r, &year) || !take_any(r, "-") || !take_digits(r, 2, 1, 12, &month) ||
        !take_any(r, "-") || !take_digits(r, 2, 1, days_of_month(year, month), &day)) return false;
    *days = days_of_date(year, month, day);
    return true;
}

bool rfc3339_parse_date(const char *text, size_t len, int64_t *days) {
    rest r = { text, text + len };
    return take_date(&r, days) && r.at == r.end;
}

bool rfc3339_parse(const char *text, size_t len, int64_t *time_ms) {
    rest r = { text, text + len };
    int64_t days, hour, minute, second, ms, zone;
    if (!take_date(&r, &days)) return false;
    if (!take_any(&r, "Tt ") || !take_digits(&r, 2, 0, 23, &hour) || !take_any(&r, ":") ||
        !take_digits(&r, 2, 0, 59, &minute) || !take_any(&r, ":") ||
        !take_digits(&r, 2, 0, 60, &second)) return false;
    if (!take_fraction(&r, &ms) || !take_zone(&r, &zone) || r.at != r.end) return false;
    int64_t minute_of_day = hour * 60 + minute - zone;
    /* a leap second is the last of a UTC day */
    if (second == 60 && (minute_of_day + 1440) % 1440 != 1439) return false;
    *time_ms = days * DAY_MS + minute_of_day * MINUTE_MS +
               second * 1000 + ms;
    return true;
}

/* Write `value` >= 0 with at least `count` digits. */
static char *put_digits(char *to, int64_t value, int count) {
    char digits[20];
    int len = 0;
    for (; value || len < count; value /= 10) digits[len++] = (char)('0' + value % 10);
    while (len) *to++ = digits[--len];
    return to;
}

/* Write days since 1970-01-01. */
static char *put_date(char *s, int64_t days) {
    int64_t year, month, day;
    date_of_days(days, &year, &month, &day);
    bool is_plain = year >= 0 && year <= 9999;
    if (!is_plain) *s++ = year < 0 ? '-' : '+';
    s = put_digits(s, year < 0 ? -year : year, is_plain ? 4 : 6);
    *s++ = '-';
    s = put_digits(s, month, 2);
    *s++ = '-';
    return put_digits(s, day, 2);
}

size_t rfc3339_write_date(char *to, int32_t days) { return (size_t)(put_date(to, days) - to); }

size_t rfc3339_write(char *to, int64_t time_ms) {
    int64_t days = time_ms / DAY_MS - (time_ms % DAY_MS < 0);
    int64_t ms = (time_ms % DAY_MS + DAY_MS) % DAY_MS;
    char *s = put_date(to, days);
    *s++ = 'T';
    s = put_digits(s, ms / 3600000, 2);
    *s++ = ':';
    s = put_digits(s, ms / MINUTE_MS % 60, 2);
    *s++ = ':';
    s = put_digits(s, ms / 1000 % 60, 2);
    *s++ = '.';
    s = put_digits(s, ms % 1000, 3);
    *s++ = 'Z';
    return (size_t)(s - to);
}
