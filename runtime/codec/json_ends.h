#pragma once
/* Where a string or another scalar of a JSON document ends, when it is known where it begins: 16
 * bytes at a time. `s`: its first byte, a string's is the one behind the quote; `end`: of the
 * document, 64 readable bytes lie behind. Inline, because a call costs as much as a short value.
 *
 * DESIGN: SSE2, which every x86-64 has, is enough: most values have less than 32 bytes. Another
 * processor takes the plain loops. thread: any. */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { JSON_SCALAR_BYTES = 32 }; /* longer ones have no end here */

#if defined(__SSE2__)

#include <immintrin.h>

typedef __m128i json_bytes;

static inline json_bytes json_bytes_at(const char *s) {
    return _mm_loadu_si128((const __m128i *)(const void *)s);
}

/* A bit for each byte that is `c`. */
static inline unsigned json_bytes_equal(json_bytes bytes, char c) {
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(c)));
}

/* A bit for each byte that is the same in both. */
static inline unsigned json_bytes_same(json_bytes a, json_bytes b) {
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(a, b));
}

/* The sign of each byte: whether it lies below `least` as a signed byte, as control characters and
 * all that is not ASCII lie below the blank. */
static inline __m128i json_bytes_below(json_bytes bytes, char least) {
    return _mm_subs_epi8(bytes, _mm_set1_epi8(least));
}

/* A bit for each byte with which a string ends or that it may hold only if more is looked at: a
 * quote, \, control characters, and what is not ASCII. */
static inline unsigned json_bytes_marked(json_bytes bytes) {
    __m128i mark = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(mark, json_bytes_below(bytes, ' ')));
}

/* A bit for each byte that is no part of a number or literal, as far as is told: ] } and what lies
 * below the minus: the comma, blanks, and a plus, which few exponents have. */
static inline unsigned json_bytes_behind(json_bytes bytes) {
    __m128i folded = _mm_or_si128(bytes, _mm_set1_epi8(0x20)); /* ] to } */
    __m128i mark = _mm_cmpeq_epi8(folded, _mm_set1_epi8('}'));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(mark, json_bytes_below(bytes, '-')));
}

#else

typedef struct json_bytes {
    unsigned char at[16];
} json_bytes;

static inline json_bytes json_bytes_at(const char *s) {
    json_bytes bytes;
    memcpy(bytes.at, s, sizeof bytes.at);
    return bytes;
}

static inline unsigned json_bytes_same(json_bytes a, json_bytes b) {
    unsigned bits = 0;
    for (unsigned i = 0; i < sizeof a.at; i++) bits |= (unsigned)(a.at[i] == b.at[i]) << i;
    return bits;
}

static inline unsigned json_bytes_equal(json_bytes bytes, char c) {
    json_bytes all;
    memset(all.at, c, sizeof all.at);
    return json_bytes_same(bytes, all);
}

static inline unsigned json_bytes_marked(json_bytes bytes) {
    unsigned bits = json_bytes_equal(bytes, '"') | json_bytes_equal(bytes, '\\');
    for (unsigned i = 0; i < sizeof bytes.at; i++)
        bits |= (unsigned)(bytes.at[i] < 0x20 || bytes.at[i] >= 0x80) << i;
    return bits;
}

static inline unsigned json_bytes_behind(json_bytes bytes) {
    unsigned bits = json_bytes_equal(bytes, ']') | json_bytes_equal(bytes, '}');
    for (unsigned i = 0; i < sizeof bytes.at; i++)
        bits |= (unsigned)(bytes.at[i] < '-' || bytes.at[i] >= 0x80) << i;
    return bits;
}

#endif

enum { JSON_BYTES = sizeof(json_bytes) };

/* Is it `len` bytes of text that stand at `s`? Both can be read up to the next 16 bytes. */
static inline bool json_text_stands(const char *s, const char *text, size_t len) {
    for (; len > JSON_BYTES; s += JSON_BYTES, text += JSON_BYTES, len -= JSON_BYTES)
        if (json_bytes_same(json_bytes_at(s), json_bytes_at(text)) != 0xffff) return false;
    return !(~json_bytes_same(json_bytes_at(s), json_bytes_at(text)) & ((1u << len) - 1));
}

/* json_string_end where bytes are to be looked at one by one. */
const char *json_string_odd_end(const char *s, const char *end);

/* Find the closing quote of the string whose first byte is at `s`. NULL: it has escapes, or is no
 * string. */
static inline const char *json_string_end(const char *s, const char *end) {
    for (const char *at = s; at < end; at += JSON_BYTES) {
        unsigned marked = json_bytes_marked(json_bytes_at(at));
        if (!marked) continue;
        at += (unsigned)__builtin_ctz(marked);
        return *at == '"' ? at : json_string_odd_end(s, end);
    }
    return NULL;
}

/* Find what stands behind the number or literal at `s`; NULL: not within JSON_SCALAR_BYTES. What it
 * is, is not looked at. */
static inline const char *json_scalar_end(const char *s) {
    for (const char *at = s; at < s + JSON_SCALAR_BYTES; at += JSON_BYTES) {
        unsigned behind = json_bytes_behind(json_bytes_at(at));
        if (behind) return at + (unsigned)__builtin_ctz(behind);
    }
    return NULL;
}
