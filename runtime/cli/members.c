#include "runtime/cli/members.h"

#include <string.h>

static const char *skip_blanks(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r')) at++;
    return at;
}

/* Behind the string that begins at `at`; `end` if it does not close. */
static const char *skip_string(const char *at, const char *end) {
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\') at++;
    return at < end ? at + 1 : end;
}

static const char *skip_value(const char *at, const char *end) {
    int depth = 0;
    while (at < end) {
        char c = *at;
        if (c == '"') {
            at = skip_string(at, end);
            if (!depth) return at;
            continue;
        }
        if (!depth && (c == ',' || c == '}' || c == ']' || c == ' ')) return at;
        if (c == '{' || c == '[') depth++;
        if (c == '}' || c == ']') depth--;
        at++;
        if (!depth && (c == '}' || c == ']')) return at;
    }
    return at;
}

bool members_begin(members *m, const char *text, size_t len) {
    *m = (members){ .at = text, .end = text + len };
    m->at = skip_blanks(m->at, m->end);
    if (m->at == m->end || *m->at != '{') return false;
    m->at++;
    return true;
}

bool members_next(members *m) {
    m->at = skip_blanks(m->at, m->end);
    if (m->at < m->end && *m->at == ',') m->at = skip_blanks(m->at + 1, m->end);
    if (m->at >= m->end || *m->at != '"') return false;
    const char *start = m->at;
    m->at = skip_string(m->at, m->end);
    m->name = (sl_string){ .data = start + 1, .len = (uint32_t)(m->at - start - 2) };
    m->at = skip_blanks(m->at, m->end);
    if (m->at >= m->end || *m->at != ':') return false;
    m->at = skip_blanks(m->at + 1, m->end);
    start = m->at;
    m->at = skip_value(m->at, m->end);
    m->value = (sl_string){ .data = start, .len = (uint32_t)(m->at - start) };
    return m->value.len > 0;
}

bool members_find(const char *text, size_t len, sl_string name, sl_string *value) {
    members m;
    if (!members_begin(&m, text, len)) return false;
    while (members_next(&m)) {
        if (m.name.len != name.len || memcmp(m.name.data, name.data, name.len)) continue;
        *value = m.value;
        return true;
    }
    return false;
}

void members_put_plain(buf *out, sl_string value) {
    if (value.len < 2 || value.data[0] != '"') {
        buf_put(out, value.data, value.len);
        return;
    }
    for (const char *c = value.data + 1, *end = value.data + value.len - 1; c < end; c++) {
        if (*c == '\\' && c + 1 < end) {
            c++;
            buf_put_char(out, *c == '"' || *c == '\\' || *c == '/' ? *c : ' ');
            if (*c == 'u') c += end - c > 4 ? 4 : 0;
        } else {
            buf_put_char(out, *c);
        }
    }
}
