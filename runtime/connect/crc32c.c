#include "runtime/connect/crc32c.h"

#include <stdbool.h>
#include <string.h>

/* The table of a half byte is 64 bytes: written here, not made at start by somebody first. */
static const uint32_t nibbles[16] = {
    0x00000000,
    0x105ec76f,
    0x20bd8ede,
    0x30e349b1,
    0x417b1dbc,
    0x5125dad3,
    0x61c69362,
    0x7198540d,
    0x82f63b78,
    0x92a8fc17,
    0xa24bb5a6,
    0xb21572c9,
    0xc38d26c4,
    0xd3d3e1ab,
    0xe330a81a,
    0xf36e6f75,
};

uint32_t crc32c_by_table(const void *data, size_t len) {
    const uint8_t *at = data, *end = at + len;
    uint32_t crc = ~0u;
    for (; at < end; at++) {
        crc ^= *at;
        crc = crc >> 4 ^ nibbles[crc & 15];
        crc = crc >> 4 ^ nibbles[crc & 15];
    }
    return ~crc;
}

#if defined(__x86_64__)

/* DESIGN. The instruction takes a word a cycle, but gives its result three cycles later: three
 * parts of a run are summed side by side. What a sum comes to so many bytes on is a product with a
 * constant, and the instruction that reduces a word reduces the product as well. Source: Gopal et
 * al., "Fast CRC Computation for iSCSI Polynomial Using CRC32 Instruction", Intel 2011. */
enum { PART = 512 };                          /* bytes */
static const uint32_t AFTER_ONE = 0xdd7e3b0c, /* x^(8 * PART - 33) by the polynomial, reversed */
    AFTER_TWO = 0x170076fa;                   /* x^(16 * PART - 33) */

#define WITH_CRC __attribute__((target("sse4.2,pclmul")))

typedef long long two_words __attribute__((vector_size(16)));

WITH_CRC static inline uint64_t add_word(uint64_t crc, const char *at) {
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return __builtin_ia32_crc32di(crc, word);
}

/* The sum `crc` as many bytes on as `constant` stands for: as a word, to be reduced. */
WITH_CRC static inline uint64_t moved_on(uint64_t crc, uint32_t constant) {
    two_words a = { (long long)crc }, b = { constant };
    return (uint64_t)__builtin_ia32_pclmulqdq128(a, b, 0)[0];
}

/* Add the 3 * PART bytes at `at`. */
WITH_CRC static uint64_t add_parts(uint64_t crc, const char *at) {
    uint64_t second = 0, third = 0;
    for (const char *end = at + PART; at < end; at += 8) {
        crc = add_word(crc, at);
        second = add_word(second, at + PART);
        third = add_word(third, at + 2 * PART);
    }
    uint64_t before = moved_on(crc, AFTER_TWO) ^ moved_on(second, AFTER_ONE);
    return third ^ __builtin_ia32_crc32di(0, before);
}

WITH_CRC static uint32_t by_instruction(const void *data, size_t len) {
    const char *at = data;
    uint64_t crc = ~0u;
    for (; len >= 3 * PART; len -= 3 * PART, at += 3 * PART) crc = add_parts(crc, at);
    for (; len >= 8; len -= 8, at += 8) crc = add_word(crc, at);
    uint32_t last = (uint32_t)crc;
    for (; len; len--, at++) last = __builtin_ia32_crc32qi(last, (unsigned char)*at);
    return ~last;
}

static bool has_instruction(void) {
    return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
}

#else

static uint32_t by_instruction(const void *data, size_t len) { return crc32c_by_table(data, len); }
static bool has_instruction(void) { return false; }

#endif

uint32_t crc32c(const void *data, size_t len) {
    return has_instruction() ? by_instruction(data, len) : crc32c_by_table(data, len);
}
