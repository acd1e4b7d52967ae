/* DESIGN. A set of values: an index of 8-byte slots by hash, open addressing, and behind it the
 * values as they came.
 *
 *   OFFSET    SIZE      WHAT
 *   0         4         values
 *   4         4         slots, a power of two
 *   8         4         bytes of values
 *   16        8 * s     slots: 0 empty, else upper half of the hash << 32 | offset of the value + 1
 *   16+8*s    ..        values: 4 bytes of length, the bytes
 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "runtime/sketch/memory.h"

enum { FIRST_SLOTS = 16 };

typedef struct set {
    uint32_t count;
    uint32_t slot_count;
    uint32_t value_bytes;
    uint32_t unused;
    uint64_t slots[];
} set;

static uint32_t values_at(uint32_t slot_count) {
    return (uint32_t)sizeof(set) + slot_count * 8;
}

static const char *value_at(const set *s, uint64_t slot, uint32_t *len) {
    const char *at = (const char *)s + values_at(s->slot_count) + (uint32_t)slot - 1;
    memcpy(len, at, sizeof *len);
    return at + sizeof *len;
}

/* The slot of a value, or the empty one where it would stand. */
static uint32_t find(const set *s, uint64_t hash, const char *data, uint32_t len) {
    for (uint32_t i = (uint32_t)(hash >> 32);; i++) {
        i &= s->slot_count - 1;
        uint64_t slot = s->slots[i];
        if (!slot) return i;
        if (slot >> 32 != hash >> 32) continue;
        uint32_t other_len;
        const char *other = value_at(s, slot, &other_len);
        if (other_len == len && memcmp(other, data, len) == 0) return i;
    }
}

/* Twice the slots: the values move up, the slots are found anew by the halves of the hashes. */
static set *grow(const memory *m, sl_part *part, uint32_t more) {
    set *s = (set *)part->data;
    uint32_t before = s->slot_count, after = 2 * before;
    s = (set *)memory_edit(m, part, values_at(after) + s->value_bytes + more);
    memmove((char *)s + values_at(after), (char *)s + values_at(before), s->value_bytes);
    /* Old slots lie in the first half; put each where it goes now, by way of the values. */
    memset(s->slots, 0, after * sizeof *s->slots);
    s->slot_count = after;
    for (uint32_t at = 0, len; at < s->value_bytes; at += 4 + len) {
        const char *data = value_at(s, at + 1, &len);
        uint64_t hash = XXH3_64bits(data, len);
        s->slots[find(s, hash, data, len)] = (hash >> 32 << 32) | (at + 1);
    }
    return s;
}

static set *first(const memory *m, sl_part *part) {
    set *s = (set *)memory_edit(m, part, values_at(FIRST_SLOTS));
    memset(s, 0, part->len);
    s->slot_count = FIRST_SLOTS;
    return s;
}

static void add(const memory *m, sl_part *part, const char *data, uint32_t len) {
    uint64_t hash = XXH3_64bits(data, len);
    const set *old = part->data ? (const set *)part->data : first(m, part);
    if (old->slots[find(old, hash, data, len)]) return;
    uint32_t more = 4 + len;
    set *s;
    if ((old->count + 1) * 4 > old->slot_count * 3)
        s = grow(m, part, more);
    else
        s = (set *)memory_edit(m, part, values_at(old->slot_count) + old->value_bytes + more);
    uint32_t i = find(s, hash, data, len);
    char *at = (char *)s + values_at(s->slot_count) + s->value_bytes;
    memcpy(at, &len, sizeof len);
    if (len) memcpy(at + 4, data, len);
    s->slots[i] = (hash >> 32 << 32) | (s->value_bytes + 1);
    s->value_bytes += more;
    s->count++;
}

LEAF int32_t sl_set_refuses(const sl_part *part, uint32_t limit, const char *data, uint32_t len) {
    const set *s = (const set *)part->data;
    if (!s || s->count < limit) return limit == 0;
    return !s->slots[find(s, XXH3_64bits(data, len), data, len)];
}

LEAF void sl_set_add(void *table, sl_part *part, const char *data, uint32_t len) {
    add(&(memory){ .table = table }, part, data, len);
}

LEAF int32_t sl_set_merge(void *text, sl_part *a, const sl_part *b, uint32_t limit) {
    const memory m = { .arena = text };
    if (memory_borrow(a, b)) return 0;
    const set *from = (const set *)b->data;
    for (uint32_t at = 0, len; at < from->value_bytes; at += 4 + len) {
        const char *data = value_at(from, at + 1, &len);
        if (sl_set_refuses(a, limit, data, len)) return 1;
        add(&m, a, data, len);
    }
    return 0;
}

LEAF uint32_t sl_set_count(const sl_part *part) {
    return part->data ? ((const set *)part->data)->count : 0;
}
