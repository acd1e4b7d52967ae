#include <openssl/sha.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "runtime/shared/helper.h"

double sl_hash_xxh3(const char *text, uint32_t len) {
    return (double)(XXH3_64bits(text, len) >> 11);
}

void sl_hash_sha256(const char *text, uint32_t len, char *hex) {
    static const char DIGITS[] = "0123456789abcdef";
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)text, len, digest);
    for (int i = 0; i < SHA256_DIGEST_LENGTH; i++) {
        hex[2 * i] = DIGITS[digest[i] >> 4];
        hex[2 * i + 1] = DIGITS[digest[i] & 15];
    }
}
