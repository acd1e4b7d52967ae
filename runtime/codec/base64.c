#include "runtime/codec/base64.h"

#include <stdint.h>
#include <string.h>

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The six bits that a character stands for; 64: none. */
static uint32_t bits_of(char c) {
    if (c >= 'A' && c <= 'Z') return (uint32_t)(c - 'A');
    if (c >= 'a' && c <= 'z') return (uint32_t)(c - 'a') + 26;
    if (c >= '0' && c <= '9') return (uint32_t)(c - '0') + 52;
    if (c == '+') return 62;
    return c == '/' ? 63 : 64;
}

/* Read `count` characters as the first of four; false: another character. */
static bool take(const char *text, size_t count, uint32_t *out) {
    uint32_t word = 0, bad = 0;
    for (size_t i = 0; i < 4; i++) {
        uint32_t bits = i < count ? bits_of(text[i]) : 0;
        bad |= bits & 64;
        word = word << 6 | (bits & 63);
    }
    *out = word;
    return !bad;
}

static char *put(char *to, uint32_t word, size_t count) {
    for (size_t i = 0; i < count; i++) *to++ = (char)(word >> (16 - 8 * i) & 0xff);
    return to;
}

bool base64_decode(const char *text, size_t len, char *to, size_t *bytes) {
    const char *end = text + len, *start = to;
    uint32_t word;
    *bytes = 0;
    if (len % 4) return false;
    if (!len) return true;
    size_t padding = (size_t)(end[-1] == '=') + (end[-1] == '=' && end[-2] == '=');
    for (const char *last = end - 4; text < last; text += 4) {
        if (!take(text, 4, &word)) return false;
        to = put(to, word, 3);
    }
    if (!take(text, 4 - padding, &word) || (word & ((1u << 8 * padding) - 1))) return false;
    to = put(to, word, 3 - padding);
    *bytes = (size_t)(to - start);
    return true;
}

void base64_encode(const char *data, size_t len, char *to) {
    const unsigned char *s = (const unsigned char *)data;
    for (; len >= 3; len -= 3, s += 3) {
        uint32_t word = (uint32_t)s[0] << 16 | (uint32_t)s[1] << 8 | s[2];
        for (int i = 0; i < 4; i++) *to++ = ALPHABET[word >> (18 - 6 * i) & 63];
    }
    if (!len) return;
    uint32_t word = (uint32_t)s[0] << 16 | (len == 2 ? (uint32_t)s[1] << 8 : 0);
    for (size_t i = 0; i < 4; i++) *to++ = i <= len ? ALPHABET[word >> (18 - 6 * i) & 63] : '=';
}
