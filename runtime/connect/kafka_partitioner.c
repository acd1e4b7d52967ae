#include "runtime/connect/kafka_partitioner.h"

uint32_t kafka_murmur2(const void *data, size_t len) {
    const uint32_t seed = 0x9747b28c, m = 0x5bd1e995;
    const unsigned char *at = data;
    uint32_t h = seed ^ (uint32_t)len;
    size_t left = len;
    for (; left >= 4; left -= 4, at += 4) {
        uint32_t k =
            (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        k *= m;
        k ^= k >> 24;
        k *= m;
        h *= m;
        h ^= k;
    }
    if (left == 3) h ^= (uint32_t)at[2] << 16;
    if (left >= 2) h ^= (uint32_t)at[1] << 8;
    if (left >= 1) {
        h ^= at[0];
        h *= m;
    }
    h ^= h >> 13;
    h *= m;
    return h ^ h >> 15;
}
