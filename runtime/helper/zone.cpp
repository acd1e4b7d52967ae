/* Times in zones: cctz (Google's, the library of absl::TimeZone) behind the C interface of
 * shared/helper.h. Civil times that a zone's clocks show twice or skip: the beginning of a day or
 * hour is the last such instant that is not behind the time asked for. */
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <string>

#include <cctz/civil_time.h>
#include <cctz/time_zone.h>

extern "C" {
#include "runtime/shared/helper.h"
}

struct sl_zone {
    cctz::time_zone zone;
};

namespace {

using seconds = std::chrono::duration<std::int64_t>;
using milliseconds = std::chrono::duration<std::int64_t, std::milli>;
template <typename D>
using instant = std::chrono::time_point<std::chrono::system_clock, D>;

constexpr double NONE = std::numeric_limits<double>::quiet_NaN();
constexpr double LARGEST = 9007199254740992.0; /* 2^53: beyond, doubles are no whole ms */

std::int64_t floor_to(std::int64_t value, std::int64_t step) {
    std::int64_t rest = value % step;
    return value - (rest < 0 ? rest + step : rest);
}

std::int64_t whole_seconds(std::int64_t ms) {
    return floor_to(ms, 1000) / 1000;
}

std::int64_t seconds_of(const instant<seconds> &at) {
    return at.time_since_epoch().count();
}

/* The last instant, not behind `limit` (Unix seconds), at which clocks show `civil`; one they skip:
 * the instant of the skip. */
std::int64_t resolve(const cctz::time_zone &zone, cctz::civil_second civil, std::int64_t limit) {
    const auto found = zone.lookup(civil);
    if (found.kind == cctz::time_zone::civil_lookup::SKIPPED) return seconds_of(found.trans);
    const std::int64_t later = seconds_of(found.post);
    return later <= limit ? later : seconds_of(found.pre);
}

cctz::civil_second begin_of(cctz::civil_second at, int32_t unit) {
    const cctz::civil_day day(at);
    switch (unit) {
    case SL_FLOOR_WEEK:
        return cctz::civil_second(
            cctz::prev_weekday(day + 1, cctz::weekday::monday));
    case SL_FLOOR_MONTH: return cctz::civil_second(cctz::civil_month(at));
    case SL_FLOOR_QUARTER:
        return cctz::civil_second(cctz::civil_month(at.year(), (at.month() - 1) / 3 * 3 + 1));
    case SL_FLOOR_YEAR: return cctz::civil_second(cctz::civil_year(at));
    default: return cctz::civil_second(day);
    }
}

bool read(const std::string &format, const std::string &text, const cctz::time_zone &zone,
          double *out) {
    instant<milliseconds> at;
    if (!cctz::parse(format, text, zone, &at)) return false;
    *out = static_cast<double>(at.time_since_epoch().count());
    return std::fabs(*out) <= LARGEST;
}

} // namespace

extern "C" sl_zone *sl_zone_new(const char *name, uint32_t len) {
    auto *made = new (std::nothrow) sl_zone;
    if (made && cctz::load_time_zone(std::string(name, len), &made->zone)) return made;
    delete made;
    return nullptr;
}

extern "C" void sl_zone_free(sl_zone *zone) {
    delete zone;
}

extern "C" double sl_time_floor(const sl_zone *zone, double time_ms, int32_t unit, double span_ms) {
    if (!(std::fabs(time_ms) <= LARGEST)) return NONE;
    const auto ms = static_cast<std::int64_t>(std::floor(time_ms));
    const std::int64_t at = whole_seconds(ms);
    const auto shown = zone->zone.lookup(instant<seconds>(seconds(at)));
    if (unit != SL_FLOOR_SPAN)
        return 1000.0 * static_cast<double>(resolve(zone->zone, begin_of(shown.cs, unit), at));
    /* spans below a second need no calendar; others begin on a second of the clocks */
    const auto span = static_cast<std::int64_t>(span_ms);
    const std::int64_t shift = std::int64_t{ shown.offset } * 1000;
    const std::int64_t local = floor_to(ms + shift, span);
    if (span % 1000 || span < 1000) return static_cast<double>(local - shift);
    const cctz::civil_second civil = cctz::civil_second() + whole_seconds(local);
    return 1000.0 * static_cast<double>(resolve(zone->zone, civil, at));
}

extern "C" double sl_time_parse(const sl_zone *zone, const char *text, uint32_t len,
                                const char *format, uint32_t format_len) {
    static const char *const FORMATS[] = { "%Y-%m-%dT%H:%M:%E*S%Ez", "%Y-%m-%d %H:%M:%E*S%Ez",
                                           "%Y-%m-%dT%H:%M:%E*S", "%Y-%m-%d %H:%M:%E*S",
                                           "%Y-%m-%d" };
    const std::string given(text, len);
    double found = NONE;
    if (format) {
        read(std::string(format, format_len), given, zone->zone, &found);
        return std::fabs(found) <= LARGEST ? found : NONE;
    }
    for (const char *one : FORMATS)
        if (read(one, given, zone->zone, &found)) return found;
    return NONE;
}

extern "C" int32_t sl_time_format(const sl_zone *zone, double time_ms, const char *format,
                                  uint32_t format_len, char *to, uint32_t room) {
    if (!(std::fabs(time_ms) <= LARGEST)) return -1;
    const instant<milliseconds> at(milliseconds(static_cast<std::int64_t>(std::floor(time_ms))));
    std::string written;
    if (format)
        written = cctz::format(std::string(format, format_len), at, zone->zone);
    else if (zone->zone.lookup(at).offset == 0)
        written = cctz::format("%Y-%m-%dT%H:%M:%E3SZ", at, zone->zone);
    else
        written = cctz::format("%Y-%m-%dT%H:%M:%E3S%Ez", at, zone->zone);
    if (written.size() > room) return -1;
    std::memcpy(to, written.data(), written.size());
    return static_cast<int32_t>(written.size());
}

extern "C" double sl_time_days(const char *text, uint32_t len) {
    instant<seconds> at;
    if (!cctz::parse("%Y-%m-%d", std::string(text, len), cctz::utc_time_zone(), &at)) return NONE;
    return static_cast<double>(seconds_of(at) / 86400);
}
