#include "tests/golden/runner/attribute.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/mem.h"
#include "tests/golden/runner/text.h"

bool attribute_take(world_record *r, const char *word, size_t len, buf *scratch) {
    const char *equals = memchr(word, '=', len);
    size_t name = equals ? (size_t)(equals - word) : 0;
    if (*word == '@') {
        r->offset = strtoll(word + 1, NULL, 10);
        return true;
    }
    if (!equals) return false;
    const char *text = equals + 1;
    size_t text_len = len - name - 1;
    if (name == 3 && !memcmp(word, "key", 3)) {
        buf_reset(scratch);
        if (!text_parse(scratch, text, text_len)) return false;
        r->key = mem_copy_text(scratch->data, scratch->len);
        r->key_len = (uint32_t)scratch->len;
        return true;
    }
    if ((name == 4 && !memcmp(word, "time", 4)) || (name == 7 && !memcmp(word, "logtime", 7))) {
        r->time_kind = name == 4 ? 1 : 2;
        r->time_ms = strtoll(text, NULL, 10);
        return true;
    }
    if (name < 2 || memcmp(word, "h.", 2) != 0) return false;
    r->headers = mem_realloc(r->headers, (r->header_count + 1) * sizeof *r->headers);
    sl_header *h = &r->headers[r->header_count++];
    *h = (sl_header){ .name = { .data = mem_copy_text(word + 2, name - 2),
                                .len = (uint32_t)name - 2 } };
    buf_reset(scratch);
    if (text_len == 1 && *text == '~') return true;
    if (!text_parse(scratch, text, text_len)) return false;
    h->value = (sl_string){ .data = mem_copy_text(scratch->data, scratch->len),
                            .len = (uint32_t)scratch->len };
    return true;
}
