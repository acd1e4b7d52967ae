#pragma once
/* The words that stored state is made of, as README.md draws them. Inside state/ only. Little-
 * endian as the machine has it; structs have no holes, all of it begins at multiples of 8 bytes. */
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/buf.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "stored state is little-endian, and is written as it lies in memory"
#endif

enum {
    IMAGE_MAGIC_BYTES = 8,
    IMAGE_STRINGS = 4,           /* parent, shape, pipeline, cluster */
    IMAGE_CHECKSUM_BYTES = 8,    /* XXH3, 64 bits */
    IMAGE_TABLE_BYTES = 1 << 20, /* a section of a table ends with the entry that reaches this */
    IMAGE_SPARE_BYTES = 4 << 20, /* about what a part is longer than where it is cut */
};

#define IMAGE_MAGIC "SLUICEST"

/* Begin of each part; strings follow, each without a NUL, zeros to a multiple of 8, a checksum of
 * all that. */
typedef struct part_head {
    char magic[IMAGE_MAGIC_BYTES];
    uint32_t version;
    uint32_t part;              /* number, from 0 */
    uint32_t part_total;        /* of the object; 0 in later parts: not known yet then */
    uint32_t section_count;     /* in this part */
    uint64_t part_len;          /* bytes of this part, all */
    uint64_t section_checksums; /* of the checksums of its sections, one after the other */
    uint32_t head_len;          /* bytes, with strings and checksum */
    uint32_t is_full;           /* 1: full, 0: delta */
    uint64_t batch;
    int64_t created_ms;
    uint64_t script_hash;
    uint32_t lens[IMAGE_STRINGS];
} part_head;

/* Its name follows with at least one zero behind it, then its bytes; both with zeros to a multiple
 * of 8. */
typedef struct section_head {
    uint64_t checksum; /* of all that follows in the section */
    int32_t kind;
    uint32_t name_len;
    uint64_t len; /* of its bytes */
} section_head;

/* Begin of a table's section; part_count offsets follow (uint32_t), zeros to a multiple of 8. Then
 * panes. */
typedef struct table_head {
    uint32_t state_size;
    uint32_t part_count;
} table_head;

enum { PANE_IS_DROPPED = 1 };

/* Its entries follow. */
typedef struct pane_head {
    int64_t start;
    uint32_t generation;
    uint32_t flags;
    uint32_t entry_count;
    uint32_t unused;
} pane_head;

/* The value follows: the state, its parts as zeros; where there are parts the length of each
 * (uint32_t; PART_NONE: none), zeros to a multiple of 8, the bytes of the parts one after the
 * other, zeros to a multiple of 8. Then the key, zeros to a multiple of 8. */
typedef struct entry_head {
    uint64_t hash;
    uint32_t key_len;
    uint32_t value_words; /* of 8 bytes; VALUE_REMOVED: there is no value, the entry went */
} entry_head;

#define PART_NONE UINT32_MAX
#define VALUE_REMOVED UINT32_MAX

/* image.c: make room for so many bytes at once, on huge pages: a fault for each 4 KB costs as much
 * as all the rest, and growing by doubling a copy of it all. */
void image_reserve(buf *b, size_t bytes);

/* The same in the last part of an image, from its spare memory. */
struct image;
void image_room(struct image *m, size_t bytes);

static inline size_t image_round(size_t len) {
    return (len + 7) & ~(size_t)7;
}

_Static_assert(sizeof(part_head) == 88, "as in README.md");
_Static_assert(sizeof(section_head) == 24, "as in README.md");
_Static_assert(sizeof(pane_head) == 24, "as in README.md");
_Static_assert(sizeof(entry_head) == 16, "as in README.md");
