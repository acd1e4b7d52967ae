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

__attribute__((target("sse4.2"))) static uint32_t by_instruction(const void *data, size_t len) {
    const char *at = data;
    uint64_t crc = ~0u, word;
    for (; len >= sizeof word; len -= sizeof word, at += sizeof word) {
        memcpy(&word, at, sizeof word);
        crc = __builtin_ia32_crc32di(crc, word);
    }
    uint32_t last = (uint32_t)crc;
    for (; len; len--, at++) last = __builtin_ia32_crc32qi(last, (unsigned char)*at);
    return ~last;
}

static bool has_instruction(void) { return __builtin_cpu_supports("sse4.2") != 0; }

#else

static uint32_t by_instruction(const void *data, size_t len) { return crc32c_by_table(data, len); }
static bool has_instruction(void) { return false; }

#endif

uint32_t crc32c(const void *data, size_t len) {
    return has_instruction() ? by_instruction(data, len) : crc32c_by_table(data, len);
}
