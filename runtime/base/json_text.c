#include "runtime/base/json_text.h"

#include <inttypes.h>

#include "runtime/base/copy.h"

/* What follows the backslash of an escaped character; 0: written as it is, 'u': \u00xx. */
// clang-format off
static const char ESCAPES[256] = {
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'b', 't', 'n', 'u', 'f', 'r', 'u', 'u',
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u',
    ['"'] = '"', ['\\'] = '\\',
};
// clang-format on

static const uint64_t LOW = 0x0101010101010101u, HIGH = 0x8080808080808080u;

/* High bits set in bytes of `word` that are 0. Bytes above a true hit may be wrong, which is
 * harmless: the caller only asks whether there is any. */
static inline uint64_t zero_bytes(uint64_t word) { return (word - LOW) & ~word & HIGH; }

/* Is any of 8 bytes a quote, a backslash or below 0x20? */
static inline bool needs_escape(uint64_t word) {
    uint64_t control = (word - LOW * 0x20) & ~word & HIGH;
    return (control | zero_bytes(word ^ (LOW * '"')) | zero_bytes(word ^ (LOW * '\\'))) != 0;
}

/* Four to seven bytes as a word, some of them twice. */
static inline uint64_t short_word(const char *text, size_t len) {
    uint32_t first, last;
    memcpy(&first, text, sizeof first);
    memcpy(&last, text + len - sizeof last, sizeof last);
    return first | (uint64_t)last << 32;
}

/* Number of bytes at the start of `text` that need no escape. */
static size_t plain_prefix(const char *text, size_t len) {
    size_t i = 0;
    if (len - 4 < 4 && !needs_escape(short_word(text, len))) return len;
    for (; i + 8 <= len; i += 8) {
        uint64_t word;
        memcpy(&word, text + i, 8);
        if (needs_escape(word)) break;
    }
    if (i + 8 > len && len >= 8) {
        uint64_t word;
        memcpy(&word, text + len - 8, 8);
        if (!needs_escape(word)) return len;
    }
    while (i < len && !ESCAPES[(unsigned char)text[i]]) i++;
    return i;
}

void json_text_put(buf *out, const char *text, size_t len) {
    static const char DIGITS[] = "0123456789abcdef";
    size_t plain = plain_prefix(text, len);
    char *to = buf_need(out, len + 2);
    to[0] = '"';
    copy_text(to + 1, text, plain);
    if (plain == len) {
        to[len + 1] = '"';
        out->len += len + 2;
        return;
    }
    out->len += plain + 1;
    while (plain < len) {
        unsigned char c = (unsigned char)text[plain];
        char escape[6] = { '\\', ESCAPES[c], '0', '0', DIGITS[c >> 4], DIGITS[c & 15] };
        buf_put(out, escape, escape[1] == 'u' ? 6 : 2);
        text += plain + 1;
        len -= plain + 1;
        plain = plain_prefix(text, len);
        buf_put(out, text, plain);
    }
    buf_put_char(out, '"');
}

/* Length of the well-formed sequence at `s`, 0 if there is none. Unicode standard, table 3-7. */
static size_t utf8_sequence(const unsigned char *s, size_t len) {
    unsigned char c = s[0], low = 0x80, high = 0xbf;
    size_t need;
    if (c < 0x80) return 1;
    if (c < 0xc2 || c > 0xf4) return 0;
    if (c < 0xe0)
        need = 2;
    else if (c < 0xf0)
        need = 3;
    else
        need = 4;
    if (c == 0xe0) low = 0xa0;
    if (c == 0xed) high = 0x9f;
    if (c == 0xf0) low = 0x90;
    if (c == 0xf4) high = 0x8f;
    if (len < need || s[1] < low || s[1] > high) return 0;
    for (size_t i = 2; i < need; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    return need;
}

bool json_text_is_utf8(const char *text, size_t len) {
    const unsigned char *s = (const unsigned char *)text;
    for (size_t i = 0; i < len;) {
        uint64_t word;
        if (i + 8 <= len && (memcpy(&word, s + i, 8), !(word & HIGH))) {
            i += 8;
            continue;
        }
        size_t step = utf8_sequence(s + i, len - i);
        if (!step) return false;
        i += step;
    }
    return true;
}

void json_text_put_base64(buf *out, const void *bytes, size_t len) {
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *s = bytes;
    char *to = buf_need(out, (len + 2) / 3 * 4);
    for (size_t i = 0; i < len; i += 3) {
        uint32_t left = (uint32_t)(len - i > 3 ? 3 : len - i);
        uint32_t word = (uint32_t)s[i] << 16;
        if (left > 1) word |= (uint32_t)s[i + 1] << 8;
        if (left > 2) word |= s[i + 2];
        to[0] = DIGITS[word >> 18];
        to[1] = DIGITS[word >> 12 & 63];
        to[2] = left > 1 ? DIGITS[word >> 6 & 63] : '=';
        to[3] = left > 2 ? DIGITS[word & 63] : '=';
        to += 4;
    }
    out->len += (len + 2) / 3 * 4;
}

void json_put_name(buf *out, const char *name) {
    char last = out->len ? out->data[out->len - 1] : '{';
    if (last != '{' && last != '[') buf_put_char(out, ',');
    json_text_put(out, name, strlen(name));
    buf_put_char(out, ':');
}

void json_put_text(buf *out, const char *name, const char *value) {
    json_put_name(out, name);
    json_text_put(out, value, strlen(value));
}

void json_put_number(buf *out, const char *name, int64_t value) {
    json_put_name(out, name);
    buf_printf(out, "%" PRId64, value);
}

void json_text_put_bytes(buf *out, const char *data, size_t len) {
    if (!data) {
        buf_put_text(out, "null");
    } else if (json_text_is_utf8(data, len)) {
        json_text_put(out, data, len);
    } else {
        buf_put_text(out, "{\"base64\":\"");
        json_text_put_base64(out, data, len);
        buf_put_text(out, "\"}");
    }
}
