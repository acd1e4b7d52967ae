#include "runtime/connect/envelope.h"

#include <string.h>

#include "runtime/base/json_text.h"

enum { DEPTH_MAX = 64 };

/* A walk over JSON text; each take_ returns whether what it names stood there, and steps over
 * it. */
typedef struct walk {
    const char *at, *end;
} walk;

static void skip_blanks(walk *w) {
    while (w->at < w->end && memchr(" \t\n\r", *w->at, 4)) w->at++;
}

static bool take(walk *w, char c) {
    if (w->at == w->end || *w->at != c) return false;
    w->at++;
    return true;
}

static bool take_word(walk *w, const char *word) {
    size_t len = strlen(word);
    if ((size_t)(w->end - w->at) < len || memcmp(w->at, word, len)) return false;
    w->at += len;
    return true;
}

static bool take_hex4(walk *w) {
    for (int i = 0; i < 4; i++) {
        if (w->at == w->end || !strchr("0123456789abcdefABCDEF", *w->at) || !*w->at) return false;
        w->at++;
    }
    return true;
}

static bool take_string(walk *w) {
    if (!take(w, '"')) return false;
    while (w->at < w->end) {
        unsigned char c = (unsigned char)*w->at++;
        if (c == '"') return true;
        if (c < 0x20) return false;
        if (c != '\\') continue;
        if (take(w, 'u')) {
            if (!take_hex4(w)) return false;
        } else if (w->at == w->end || !memchr("\"\\/bfnrt", *w->at++, 8)) {
            return false;
        }
    }
    return false;
}

static bool take_digits(walk *w) {
    const char *start = w->at;
    while (w->at < w->end && *w->at >= '0' && *w->at <= '9') w->at++;
    return w->at > start;
}

static bool take_number(walk *w) {
    take(w, '-');
    if (!take(w, '0') && !take_digits(w)) return false;
    if (take(w, '.') && !take_digits(w)) return false;
    if (!take(w, 'e') && !take(w, 'E')) return true;
    if (!take(w, '+')) take(w, '-');
    return take_digits(w);
}

static bool take_value(walk *w, int depth);

/* What follows an opening bracket, up to `close`. */
static bool take_items(walk *w, char close, int depth) {
    skip_blanks(w);
    if (take(w, close)) return true;
    for (;;) {
        skip_blanks(w);
        if (close == '}') {
            if (!take_string(w)) return false;
            skip_blanks(w);
            if (!take(w, ':')) return false;
        }
        if (!take_value(w, depth)) return false;
        if (take(w, close)) return true;
        if (!take(w, ',')) return false;
    }
}

/* Recursion is bounded by DEPTH_MAX. */
static bool take_value(walk *w, int depth) {
    skip_blanks(w);
    if (w->at == w->end || depth == DEPTH_MAX) return false;
    bool is_taken;
    switch (*w->at) {
    case '{':
    case '[': {
        char close = *w->at++ == '{' ? '}' : ']';
        is_taken = take_items(w, close, depth + 1);
        break;
    }
    case '"': is_taken = take_string(w); break;
    case 't': is_taken = take_word(w, "true"); break;
    case 'f': is_taken = take_word(w, "false"); break;
    case 'n': is_taken = take_word(w, "null"); break;
    default: is_taken = take_number(w); break;
    }
    skip_blanks(w);
    return is_taken;
}

bool envelope_is_object(const char *data, size_t len) {
    if (len < 2 || data[0] != '{' || data[len - 1] != '}') return false;
    walk w = { .at = data, .end = data + len };
    return json_text_is_utf8(data, len) && take_value(&w, 0) && w.at == w.end;
}

static void put_base64_string(buf *out, const char *data, size_t len) {
    buf_put_char(out, '"');
    json_text_put_base64(out, data, len);
    buf_put_char(out, '"');
}

/* "name": and the bytes, as a string or as base64; absent bytes are null. A name that is no text,
 * which a header's may be, is written as base64 too. */
static void put_bytes(buf *out, const char *name, size_t name_len, sl_string bytes) {
    bool is_text = !bytes.data || json_text_is_utf8(bytes.data, bytes.len);
    if (json_text_is_utf8(name, name_len)) {
        json_text_put(out, name, name_len);
    } else {
        put_base64_string(out, name, name_len);
    }
    if (!is_text) {
        out->len--; /* the closing quote */
        buf_put_text(out, "_base64\"");
    }
    buf_put_char(out, ':');
    if (!bytes.data) {
        buf_put_text(out, "null");
    } else if (is_text) {
        json_text_put(out, bytes.data, bytes.len);
    } else {
        put_base64_string(out, bytes.data, bytes.len);
    }
}

/* A key that can stand in a line as it is. */
static bool is_line_object(sl_string key) {
    return key.data && !memchr(key.data, '\n', key.len) && envelope_is_object(key.data, key.len);
}

void envelope_put_row(buf *out, const sl_message *m) {
    buf_put_text(out, "{");
    if (is_line_object(m->key)) {
        buf_put_text(out, "\"key\":");
        buf_put(out, m->key.data, m->key.len);
    } else {
        put_bytes(out, "key", 3, m->key);
    }
    buf_put_text(out, ",\"value\":");
    if (m->value.data)
        buf_put(out, m->value.data, m->value.len);
    else
        buf_put_text(out, "null");
    buf_put_text(out, "}\n");
}

void envelope_put_side(buf *out, const sl_message *m) {
    buf_put_text(out, "{\"headers\":{");
    for (uint32_t i = 0; i < m->header_count; i++) {
        if (i) buf_put_char(out, ',');
        sl_string name = m->headers[i].name;
        put_bytes(out, name.data, name.len, m->headers[i].value);
    }
    buf_put_text(out, "},");
    put_bytes(out, "key", 3, m->key);
    buf_put_char(out, ',');
    put_bytes(out, "value", 5, m->value);
    buf_put_text(out, "}\n");
}
