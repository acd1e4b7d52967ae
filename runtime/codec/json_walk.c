#include "runtime/codec/json_walk.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/json_text.h"
#include "runtime/codec/bad.h"
#include "runtime/codec/json_ends.h"
#include "runtime/codec/number.h"

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/* Bytes that may stand behind a number or a literal. */
static bool ends_scalar(char c) { return is_blank(c) || c == ',' || c == ']' || c == '}'; }

static bool refuse_document(json_index_status status, sl_string text, bad_record *bad) {
    switch (status) {
    case JSON_INDEX_UTF8: return bad_because(bad, "not valid UTF-8, wanted JSON");
    case JSON_INDEX_CONTROL: return bad_because(bad, "a control character inside a string");
    case JSON_INDEX_UNCLOSED: return bad_because(bad, "a string without its closing quote");
    case JSON_INDEX_ROOM: return bad_because(bad, "%u bytes are too many to decode", text.len);
    default: return bad_because(bad, "empty, wanted a JSON object");
    }
}

bool json_walk_begin(json_walk *w, json_index *index, sl_string text, bad_record *bad) {
    json_tokens tokens;
    json_index_status status = json_index_make(index, text.data, text.len, &tokens);
    if (status) return refuse_document(status, text, bad);
    *w = (json_walk){
        .json = text.data,
        .at = tokens.at,
        .end = tokens.at + tokens.count,
        .len = text.len,
        .has_escapes = tokens.has_escapes,
        .bad = bad,
    };
    if (text.data[*w->at] == '[')
        return json_walk_refuse(w, "a JSON object a record (jq -c '.[]' splits an array)");
    if (text.data[*w->at] != '{') return json_walk_refuse(w, "a JSON object");
    if (text.data[w->end[-1]] == '}') return true;
    w->at = w->end - 1;
    if (text.data[*w->at] == ',') return json_walk_refuse(w, "no comma behind the object");
    return json_walk_refuse(w, "the object to end with }");
}

size_t json_walk_token_len(const json_walk *w) {
    uint32_t start = *w->at, end = w->at + 1 < w->end ? w->at[1] : w->len;
    while (end > start + 1 && is_blank(w->json[end - 1])) end--;
    return end - start;
}

bool json_walk_refuse(const json_walk *w, const char *wanted) {
    char text[100];
    if (w->at >= w->end) return bad_because(w->bad, "ends too early, wanted %s", wanted);
    snprintf(text, sizeof text, "%s at byte %u", wanted, *w->at);
    return bad_seen(w->bad, w->json + *w->at, json_walk_token_len(w), text);
}

/* The four hex digits at `s`; -1: they are not. */
static int32_t hex4(const char *s, const char *end) {
    int32_t value = 0;
    if (end - s < 4) return -1;
    for (int i = 0; i < 4; i++) {
        char c = s[i];
        int32_t digit = -1;
        if (c >= '0' && c <= '9') digit = c - '0';
        if (c >= 'a' && c <= 'f') digit = c - 'a' + 10;
        if (c >= 'A' && c <= 'F') digit = c - 'A' + 10;
        if (digit < 0) return -1;
        value = value << 4 | digit;
    }
    return value;
}

static char *put_utf8(char *to, int32_t c) {
    if (c < 0x80) {
        *to++ = (char)c;
        return to;
    }
    if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
    } else {
        if (c < 0x10000) {
            *to++ = (char)(0xe0 | c >> 12);
        } else {
            *to++ = (char)(0xf0 | c >> 18);
            *to++ = (char)(0x80 | (c >> 12 & 63));
        }
        *to++ = (char)(0x80 | (c >> 6 & 63));
    }
    *to++ = (char)(0x80 | (c & 63));
    return to;
}

/* Read the code point behind `\u`, a pair of surrogates as one; NULL: bad, or half a pair. */
static const char *take_unicode(const char *s, const char *end, int32_t *out) {
    int32_t c = hex4(s, end);
    if (c < 0 || (c >= 0xdc00 && c <= 0xdfff)) return NULL;
    s += 4;
    if (c >= 0xd800 && c <= 0xdbff) {
        if (end - s < 6 || s[0] != '\\' || s[1] != 'u') return NULL;
        int32_t low = hex4(s + 2, end);
        if (low < 0xdc00 || low > 0xdfff) return NULL;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        s += 6;
    }
    *out = c;
    return s;
}

/* Read the escape whose backslash lies before `s`; NULL: there is no such escape. */
static const char *take_escape(const char *s, const char *end, int32_t *out) {
    static const char NAMES[] = "\"\\/bfnrt", MEANINGS[] = "\"\\/\b\f\n\r\t";
    if (*s == 'u') return take_unicode(s + 1, end, out);
    const char *name = memchr(NAMES, *s, sizeof NAMES - 1);
    if (!name) return NULL;
    *out = MEANINGS[name - NAMES];
    return s + 1;
}

/* Write what [s, end) says to `to`, which has as much room; its end, or NULL: a bad escape. */
static char *unescape(const char *s, const char *end, char *to) {
    while (s < end) {
        const char *next = memchr(s, '\\', (size_t)(end - s));
        size_t plain = (size_t)((next ? next : end) - s);
        memcpy(to, s, plain);
        to += plain;
        if (!next) break;
        int32_t code;
        s = take_escape(next + 1, end, &code);
        if (!s) return NULL;
        to = put_utf8(to, code);
    }
    return to;
}

/* Are all escapes of [s, end) ones that exist? */
static bool has_valid_escapes(const char *s, const char *end) {
    int32_t code;
    while (s && (s = memchr(s, '\\', (size_t)(end - s))))
        if (!(s = take_escape(s + 1, end, &code))) return false;
    return true;
}

/* The bytes between the quotes of the next token; false: it is no string. */
static bool string_bytes(const json_walk *w, const char **start, const char **end) {
    const char *s = w->json + w->at[0], *last = w->json + w->at[1] - 1;
    while (last > s && is_blank(*last)) last--;
    *start = s + 1;
    *end = last;
    return (last > s && *s == '"' && *last == '"') || json_walk_refuse(w, "a string");
}

bool json_walk_string_slow(const json_walk *w, arena *copies, sl_string *out) {
    const char *start, *end;
    if (!string_bytes(w, &start, &end)) return false;
    size_t len = (size_t)(end - start);
    *out = (sl_string){ .data = start, .len = (uint32_t)len };
    if (!w->has_escapes || !memchr(start, '\\', len)) return true;
    char *copy = arena_take(copies, len, 1);
    end = unescape(start, end, copy);
    if (!end) return json_walk_refuse(w, "a string with valid escapes");
    *out = (sl_string){ .data = copy, .len = (uint32_t)(end - copy) };
    return true;
}

const char *json_string_odd_end(const char *s, const char *end) {
    for (const char *at = s; at < end; at++) {
        if (*at == '"') return json_text_is_utf8(s, (size_t)(at - s)) ? at : NULL;
        if (*at == '\\' || (unsigned char)*at < 0x20) return NULL;
    }
    return NULL;
}

/* Does the literal stand at `s`, where a document lies? */
static bool is_literal(const char *s, const char *literal, size_t len) {
    return !memcmp(s, literal, len) && ends_scalar(s[len]);
}

bool json_is_null(const char *s) { return is_literal(s, "null", 4); }

bool json_is_scalar(const char *s) {
    number n;
    if (*s == 't') return is_literal(s, "true", 4);
    if (*s == 'f') return is_literal(s, "false", 5);
    if (*s == 'n') return json_is_null(s);
    return number_scan(s, &n) && ends_scalar(*n.end);
}

bool json_walk_null(const json_walk *w) {
    return json_is_null(w->json + *w->at) || json_walk_refuse(w, "a JSON value");
}

bool json_walk_close(json_walk *w, uint32_t depth) {
    w->at++;
    if (depth > 1) return w->at < w->end || json_walk_refuse(w, "a closing }");
    return w->at == w->end || json_walk_refuse(w, "nothing behind the document");
}

/* Check a string, number, true, false or null and step over it. */
static bool skip_scalar(json_walk *w) {
    const char *s = w->json + *w->at, *start, *end;
    if (*s == '"') {
        if (!string_bytes(w, &start, &end)) return false;
        if (w->has_escapes && !has_valid_escapes(start, end))
            return json_walk_refuse(w, "a string with valid escapes");
    } else if (!json_is_scalar(s)) {
        return json_walk_refuse(w, "a JSON value");
    }
    w->at++;
    return true;
}

/* Check a name and its colon and step over them. */
static bool skip_name(json_walk *w) {
    if (json_walk_peek(w) != '"') return json_walk_refuse(w, "a name in quotes");
    if (!skip_scalar(w)) return false;
    if (json_walk_peek(w) != ':') return json_walk_refuse(w, "a colon");
    w->at++;
    return true;
}

bool json_walk_skip(json_walk *w, uint32_t depth) {
    uint64_t objects = 0; /* bit 0: the innermost open one is an object, not an array */
    uint32_t level = 0;
    for (;;) {
        char c = json_walk_peek(w);
        if (c == '{' || c == '[') {
            if (depth + level >= JSON_MAX_DEPTH)
                return json_walk_refuse(w, "at most 64 objects and arrays inside each other");
            objects = objects << 1 | (c == '{');
            level++;
            w->at++;
            if (json_walk_peek(w) != (c == '{' ? '}' : ']')) {
                if (c == '{' && !skip_name(w)) return false;
                continue;
            }
        } else if (!skip_scalar(w)) {
            return false;
        }
        while (level && json_walk_peek(w) == (objects & 1 ? '}' : ']')) {
            if (!json_walk_close(w, depth + level)) return false;
            objects >>= 1;
            level--;
        }
        if (!level) return true;
        if (json_walk_peek(w) != ',') return json_walk_refuse(w, "a comma or a closing bracket");
        w->at++;
        if (objects & 1 && !skip_name(w)) return false;
    }
}
