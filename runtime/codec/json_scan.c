/* DESIGN. 64 bytes at a time become bit masks, one bit a byte; a string is what lies between an odd
 * quote and the next, so the prefix xor of the quotes' mask is the inside of strings. Source:
 * Langdale, Lemire, "Parsing Gigabytes of JSON per Second", 2019, section 3.1, less what a plain
 * document does not need: escapes and UTF-8. With AVX-512 only, where a block costs some 7 ns; by
 * AVX2 it took as long as simdjson. */
#include "runtime/codec/json_scan.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <stdbool.h>

#define TARGET_AVX512 \
    __attribute__((target("avx512f,avx512bw,avx512vbmi,avx512vbmi2,pclmul,bmi,bmi2,popcnt")))

enum { BLOCK = 64 };

/* Kinds of bytes, as bits. A blank is none of them. */
enum {
    QUOTE = 1,
    OPERATOR = 2, /* { } [ ] : , */
    SCALAR = 4,   /* what numbers, literals and strings consist of, quotes too */
    ODD = 0x80,   /* not in a plain document; bytes that are not ASCII have this bit themselves */
};

// clang-format off
#define EIGHT(kind) kind, kind, kind, kind, kind, kind, kind, kind
static const uint8_t KINDS[2 * BLOCK] = {
    EIGHT(ODD), EIGHT(ODD), EIGHT(ODD), EIGHT(ODD),
    0, SCALAR, SCALAR | QUOTE, SCALAR, SCALAR, SCALAR, SCALAR, SCALAR,              /* blank ! " */
    SCALAR, SCALAR, SCALAR, SCALAR, OPERATOR, SCALAR, SCALAR, SCALAR,               /* , */
    EIGHT(SCALAR),
    SCALAR, SCALAR, OPERATOR, SCALAR, SCALAR, SCALAR, SCALAR, SCALAR,               /* : */
    EIGHT(SCALAR), EIGHT(SCALAR), EIGHT(SCALAR),
    SCALAR, SCALAR, SCALAR, OPERATOR, SCALAR | ODD, OPERATOR, SCALAR, SCALAR,       /* [ \ ] */
    EIGHT(SCALAR), EIGHT(SCALAR), EIGHT(SCALAR),
    SCALAR, SCALAR, SCALAR, OPERATOR, SCALAR, OPERATOR, SCALAR, SCALAR,             /* { | } */
};
#undef EIGHT

static const uint8_t NUMBERS[BLOCK] = {
    0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
    22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
    44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63,
};
// clang-format on

/* What a block leaves to the next one. */
typedef struct scan_state {
    __m512i odd;        /* high bit of any byte: the document is not plain */
    uint64_t in_string; /* all bits: a string is open */
    uint64_t in_scalar; /* bit 0: the last byte was of a scalar, and no quote */
} scan_state;

TARGET_AVX512 static inline uint64_t of_kind(__m512i kinds, char kind) {
    return _mm512_test_epi8_mask(kinds, _mm512_set1_epi8(kind));
}

/* Where tokens begin in the block. */
TARGET_AVX512 static inline uint64_t scan_block(scan_state *s, __m512i block) {
    __m512i kinds = _mm512_permutex2var_epi8(_mm512_loadu_si512(KINDS), block,
                                             _mm512_loadu_si512(KINDS + BLOCK));
    uint64_t quotes = of_kind(kinds, QUOTE), operators = of_kind(kinds, OPERATOR);
    uint64_t scalars = of_kind(kinds, SCALAR), unquoted = scalars & ~quotes;
    __m128i odd_quotes = _mm_clmulepi64_si128(_mm_set_epi64x(0, (long long)quotes),
                                              _mm_set1_epi8(-1), 0);
    /* from an opening quote up to the closing one */
    uint64_t strings = (uint64_t)_mm_cvtsi128_si64(odd_quotes) ^ s->in_string;
    uint64_t starts = scalars & ~(unquoted << 1 | s->in_scalar);
    s->in_string = (uint64_t)((int64_t)strings >> 63);
    s->in_scalar = unquoted >> 63;
    s->odd = _mm512_or_si512(s->odd, _mm512_or_si512(kinds, block));
    return (operators | starts) & ~(strings ^ quotes);
}

/* Append the numbers of the set bits, plus `base`. */
TARGET_AVX512 static inline uint32_t *put_numbers(uint32_t *to, uint64_t bits, uint32_t base) {
    int count = (int)_mm_popcnt_u64(bits);
    __m512i from = _mm512_set1_epi32((int)base);
    __m512i numbers = _mm512_maskz_compress_epi8(bits, _mm512_loadu_si512(NUMBERS));
    for (int i = 0;; i += 16) {
        __m512i wide = _mm512_cvtepu8_epi32(_mm512_castsi512_si128(numbers));
        _mm512_storeu_si512(to + i, _mm512_add_epi32(wide, from));
        if (count - i <= 16) break;
        numbers = _mm512_shuffle_i64x2(numbers, numbers, 0x39); /* the next 16 to the front */
    }
    return to + count;
}

TARGET_AVX512 static uint32_t scan_avx512(const char *text, size_t len, uint32_t *tokens) {
    scan_state s = { .odd = _mm512_setzero_si512() };
    uint32_t *to = tokens;
    size_t at = 0;
    for (; at + BLOCK <= len; at += BLOCK)
        to = put_numbers(to, scan_block(&s, _mm512_loadu_si512(text + at)), (uint32_t)at);
    if (at < len) {
        __mmask64 rest = _bzhi_u64(UINT64_MAX, (uint32_t)(len - at));
        __m512i block = _mm512_mask_loadu_epi8(_mm512_set1_epi8(' '), rest, text + at);
        to = put_numbers(to, scan_block(&s, block), (uint32_t)at);
    }
    if (_mm512_movepi8_mask(s.odd) | s.in_string) return 0;
    to[0] = to[1] = (uint32_t)len;
    return (uint32_t)(to - tokens);
}

json_scan *json_scan_choose(void) {
    bool has_bits = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("bmi") &&
                    __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
    bool has_bytes = __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi") &&
                     __builtin_cpu_supports("avx512vbmi2");
    return has_bits && has_bytes ? scan_avx512 : NULL;
}

#else

json_scan *json_scan_choose(void) { return NULL; }

#endif
