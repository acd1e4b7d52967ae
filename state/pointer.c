#include "state/pointer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { ID_BYTES = 16,
       CRC_CHARS = 8 };

static const char MAGIC[] = "S1 ";

/* CRC-32C, bit by bit: a pointer is short. Source: RFC 3720, appendix B.4. */
static uint32_t crc_of(const char *text, size_t len) {
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < len; i++) {
        crc ^= (uint8_t)text[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

pointer pointer_new(pointer_kind kind, uint64_t batch, uint32_t partitions) {
    pointer p = { .kind = kind, .batch = batch, .partitions = partitions };
    uint8_t bytes[ID_BYTES];
    size_t have = 0;
    while (have < sizeof bytes) { /* fails only when a signal comes before it has any */
        ssize_t got = getrandom(bytes + have, sizeof bytes - have, 0);
        if (got > 0) have += (size_t)got;
    }
    for (size_t i = 0; i < sizeof bytes; i++) snprintf(p.id + 2 * i, 3, "%02x", bytes[i]);
    return p;
}

void pointer_write(const pointer *p, char text[SL_POINTER_BYTES]) {
    int len = snprintf(text, SL_POINTER_BYTES, "%s%c %" PRIu64 " %" PRIu32 " %s ", MAGIC,
                       (char)p->kind, p->batch, p->partitions, p->id);
    snprintf(text + len, SL_POINTER_BYTES - (size_t)len, "%08" PRIx32, crc_of(text, (size_t)len));
}

/* "S2 ..": ours, with a higher number. */
static pointer_fault other_magic(const char *text) {
    size_t digits = strspn(text + 1, "0123456789");
    return text[0] == 'S' && digits && text[1 + digits] == ' ' ? POINTER_NEWER : POINTER_FOREIGN;
}

static bool is_id(const char *id) {
    return strlen(id) == 2 * ID_BYTES && strspn(id, "0123456789abcdef") == 2 * ID_BYTES;
}

pointer_fault pointer_read(const char *text, pointer *p) {
    char kind, again[SL_POINTER_BYTES];
    size_t len = strlen(text);
    if (!len) return POINTER_EMPTY;
    if (strncmp(text, MAGIC, sizeof MAGIC - 1) != 0) return other_magic(text);
    *p = (pointer){ 0 };
    int read = sscanf(text + sizeof MAGIC - 1, "%c %" SCNu64 " %" SCNu32 " %32s", &kind, &p->batch,
                      &p->partitions, p->id);
    if (read != 4 || !strchr("gdf", kind) || !is_id(p->id)) return POINTER_DAMAGED;
    p->kind = (pointer_kind)kind;
    pointer_write(p, again); /* one way to write it: blanks, signs and zeros count, too */
    return strcmp(text, again) == 0 ? POINTER_OK : POINTER_DAMAGED;
}

void pointer_object(const pointer *p, char name[96]) {
    const char *kind = p->kind == POINTER_FULL ? "full" : "delta";
    name[0] = '\0';
    if (p->kind == POINTER_GENESIS) return;
    snprintf(name, 96, "state/%012" PRIu64 "-%s.%s", p->batch, p->id, kind);
}
