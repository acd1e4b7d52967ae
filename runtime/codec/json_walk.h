#pragma once
/* A strict walk over the tokens of one JSON document (RFC 8259): strings, and whole values that
 * nobody reads. Nothing is skipped unchecked. One owner; thread: worker. */
#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/arena.h"
#include "runtime/codec/codec.h"
#include "runtime/codec/json_index.h"

enum { JSON_MAX_DEPTH = 64 };

/* Where the walk is. The document begins with { and its last token is }, which no step but the end
 * of an object takes: so `at` may be read at, and one behind, wherever an object is open. */
typedef struct json_walk {
    const char *json;    /* the document; borrowed; 64 readable bytes behind it */
    const uint32_t *at;  /* the next token; borrowed from the index */
    const uint32_t *end; /* behind the last token */
    uint32_t len;        /* of the document, bytes */
    bool has_escapes;    /* there is a backslash somewhere */
    bad_record *bad;     /* where to say what is wrong */
} json_walk;

/* Index `text` and stand at its {. False: `bad` says what is wrong. */
bool json_walk_begin(json_walk *w, json_index *index, sl_string text, bad_record *bad);

/* The first byte of the next token. */
static inline char json_walk_peek(const json_walk *w) { return w->json[*w->at]; }

/* Fill in that the next token is not what was wanted; false. */
bool json_walk_refuse(const json_walk *w, const char *wanted);

/* Length of the next token, blanks behind it left out. */
size_t json_walk_token_len(const json_walk *w);

/* Slow path of json_walk_string. */
bool json_walk_string_slow(const json_walk *w, arena *copies, sl_string *out);

/* Give what the next token, which begins with a quote, says, without stepping over it: a piece of
 * the document, or, if it has escapes, a copy in `copies`. */
static inline bool json_walk_string(const json_walk *w, arena *copies, sl_string *out) {
    uint32_t start = w->at[0] + 1, end = w->at[1] - 1;
    if (w->has_escapes || end < start || w->json[end] != '"')
        return json_walk_string_slow(w, copies, out);
    out->data = w->json + start;
    out->len = end - start;
    out->unused = 0;
    return true;
}

/* Is it a number, true, false or null that stands at `s`, rightly written, with a byte behind it
 * that ends it? */
bool json_is_scalar(const char *s);
bool json_is_null(const char *s);

/* Check the next token against `null`, without stepping over it. */
bool json_walk_null(const json_walk *w);

/* Step over the closing token of an object or array; `depth`: how many were open with it. False:
 * the document ends too early, or goes on behind its end. */
bool json_walk_close(json_walk *w, uint32_t depth);

/* Check the value that the next token begins and step over it; `depth`: objects and arrays open. */
bool json_walk_skip(json_walk *w, uint32_t depth);
