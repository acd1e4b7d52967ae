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

/* What the bytes of a block are, bit i for byte i. */
typedef struct block_masks {
    uint64_t quotes;
    uint64_t strings; /* from an opening quote up to the closing one, if none was open before */
    uint64_t blanks;
    uint64_t operators; /* { } [ ] : , */
    uint64_t controls;  /* below 0x20 */
    uint64_t odd;       /* backslashes and bytes from 0x80 up */
} block_masks;

/* What a block leaves to the next one. */
typedef struct scan_state {
    uint64_t in_string; /* all bits: a string is open */
    uint64_t in_scalar; /* bit 0: the last byte was of a scalar, and no quote */
    uint64_t refused;   /* any bit: the document is not plain */
} scan_state;

/* Where tokens begin in the block. */
static inline uint64_t scan_step(scan_state *s, const block_masks *m) {
    uint64_t strings = m->strings ^ s->in_string;
    uint64_t scalars = ~(m->operators | m->blanks), unquoted = scalars & ~m->quotes;
    uint64_t starts = scalars & ~(unquoted << 1 | s->in_scalar);
    s->in_string = (uint64_t)((int64_t)strings >> 63);
    s->in_scalar = unquoted >> 63;
    s->refused |= m->odd | (m->controls & (strings | ~m->blanks));
    return (m->operators | starts) & ~(strings ^ m->quotes);
}

static inline uint32_t scan_end(const scan_state *s, uint32_t *tokens, uint32_t *end, size_t len) {
    if (s->refused | s->in_string) return 0;
    end[0] = end[1] = (uint32_t)len;
    return (uint32_t)(end - tokens);
}

/* Kinds of bytes, as bits. */
enum {
    QUOTE = 1,
    BLANK = 2,
    OPERATOR = 4,
    CONTROL = 8,
    ODD = 0x80, /* the bit that bytes which are not ASCII have of their own */
};

// clang-format off
static const uint8_t KINDS[128] = {
    CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL,
    CONTROL, CONTROL | BLANK, CONTROL | BLANK, CONTROL, CONTROL, CONTROL | BLANK, CONTROL, CONTROL,
    CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL,
    CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL,
    [' '] = BLANK, ['"'] = QUOTE, ['\\'] = ODD,
    ['{'] = OPERATOR, ['}'] = OPERATOR, ['['] = OPERATOR, [']'] = OPERATOR,
    [':'] = OPERATOR, [','] = OPERATOR,
};
// clang-format on

TARGET_AVX512 static inline uint64_t of_kind(__m512i kinds, uint8_t kind) {
    return _mm512_test_epi8_mask(kinds, _mm512_set1_epi8((char)kind));
}

TARGET_AVX512 static inline block_masks classify(__m512i block) {
    __m512i kinds = _mm512_permutex2var_epi8(_mm512_loadu_si512(KINDS), block,
                                             _mm512_loadu_si512(KINDS + BLOCK));
    uint64_t quotes = of_kind(kinds, QUOTE);
    __m128i carryless = _mm_clmulepi64_si128(_mm_set_epi64x(0, (long long)quotes),
                                             _mm_set1_epi8(-1), 0);
    return (block_masks){
        .quotes = quotes,
        .strings = (uint64_t)_mm_cvtsi128_si64(carryless),
        .blanks = of_kind(kinds, BLANK),
        .operators = of_kind(kinds, OPERATOR),
        .controls = of_kind(kinds, CONTROL),
        .odd = _mm512_movepi8_mask(_mm512_or_si512(kinds, block)),
    };
}

/* Append the numbers of the set bits, plus `base`. */
TARGET_AVX512 static inline uint32_t *put_numbers(uint32_t *to, uint64_t bits, uint32_t base) {
    static const uint8_t NUMBERS[BLOCK] = {
        0,
        1,
        2,
        3,
        4,
        5,
        6,
        7,
        8,
        9,
        10,
        11,
        12,
        13,
        14,
        15,
        16,
        17,
        18,
        19,
        20,
        21,
        22,
        23,
        24,
        25,
        26,
        27,
        28,
        29,
        30,
        31,
        32,
        33,
        34,
        35,
        36,
        37,
        38,
        39,
        40,
        41,
        42,
        43,
        44,
        45,
        46,
        47,
        48,
        49,
        50,
        51,
        52,
        53,
        54,
        55,
        56,
        57,
        58,
        59,
        60,
        61,
        62,
        63,
    };
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
    scan_state s = { 0 };
    uint32_t *to = tokens;
    size_t at = 0;
    for (; at + BLOCK <= len; at += BLOCK) {
        block_masks m = classify(_mm512_loadu_si512(text + at));
        to = put_numbers(to, scan_step(&s, &m), (uint32_t)at);
    }
    if (at < len) {
        __mmask64 rest = _bzhi_u64(UINT64_MAX, (uint32_t)(len - at));
        block_masks m = classify(_mm512_mask_loadu_epi8(_mm512_set1_epi8(' '), rest, text + at));
        to = put_numbers(to, scan_step(&s, &m), (uint32_t)at);
    }
    return scan_end(&s, tokens, to, len);
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
