#include "runtime/codec/bad.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/json_text.h"

enum { EXCERPT_BYTES = 40 };

/* Length of the character at `s` if it can be shown: printable ASCII or well-formed UTF-8; else 0.
 * C1 controls (U+0080 to U+009F) steer terminals: not shown. */
static size_t shown_bytes(const char *s, size_t len) {
    unsigned char c = (unsigned char)*s;
    if (c < 0x80) return c >= 0x20 && c != 0x7f;
    size_t need = c < 0xe0 ? 2 : c < 0xf0 ? 3
                                          : 4;
    if (need > len || !json_text_is_utf8(s, need)) return 0;
    return c == 0xc2 && (unsigned char)s[1] < 0xa0 ? 0 : need;
}

/* Write `text` printable to `to` (`room` bytes with the NUL); what does not fit ends in "...". */
static size_t put_shown(char *to, size_t room, const char *text, size_t len) {
    size_t used = 0;
    for (size_t i = 0; i < len;) {
        size_t step = shown_bytes(text + i, len - i);
        if (used + 8 >= room) {
            used += (size_t)snprintf(to + used, room - used, "...");
            break;
        }
        if (step) {
            memcpy(to + used, text + i, step);
            used += step;
        } else {
            used += (size_t)sprintf(to + used, "\\x%02x", (unsigned char)text[i]);
        }
        i += step ? step : 1;
    }
    to[used] = 0;
    return used;
}

bool bad_seen(bad_record *bad, const char *seen, size_t len, const char *wanted) {
    char excerpt[EXCERPT_BYTES + 16];
    put_shown(excerpt, sizeof excerpt, seen, len);
    return bad_because(bad, "seen %s, wanted %s", len ? excerpt : "nothing", wanted);
}

bool bad_because(bad_record *bad, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(bad->reason, sizeof bad->reason, format, arguments);
    va_end(arguments);
    bad->path[0] = 0;
    return false;
}

/* Put what was the path behind the first `used` bytes of it. */
static void put_inner(bad_record *bad, size_t used, const char *inner) {
    if (!inner[0] || used + 1 >= sizeof bad->path) return;
    bool is_element = inner[0] == '[';
    snprintf(bad->path + used, sizeof bad->path - used, "%s%.*s", is_element ? "" : ".",
             (int)(sizeof bad->path - used - 2), inner);
}

bool bad_under(bad_record *bad, const char *name, size_t len) {
    char inner[sizeof bad->path];
    memcpy(inner, bad->path, sizeof inner);
    size_t used = put_shown(bad->path, sizeof bad->path, name, len);
    put_inner(bad, used, inner);
    return false;
}

bool bad_at(bad_record *bad, uint32_t place) {
    char inner[sizeof bad->path];
    memcpy(inner, bad->path, sizeof inner);
    put_inner(bad, (size_t)snprintf(bad->path, sizeof bad->path, "[%u]", place), inner);
    return false;
}
