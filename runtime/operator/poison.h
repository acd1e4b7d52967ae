#pragma once
/* Records that ended an earlier run: a function of the script did not return from one, and could
 * not be broken off. They go to the quarantine before any function sees them. Read only while
 * batches run; thread: any. */
#include <stdint.h>
#include <string.h>

typedef struct poison_record {
    char *topic; /* files: the path; owned */
    int32_t number;
    int64_t offset;
    char *why; /* owned */
} poison_record;

typedef struct poison {
    poison_record *items; /* owned */
    uint32_t count;
} poison;

/* Why a record is among them; NULL: it is not. O(records in the list), which are few. */
static inline const char *poison_why(const poison *all, const char *topic, int32_t number,
                                     int64_t offset) {
    for (uint32_t i = 0; i < all->count; i++) {
        const poison_record *r = &all->items[i];
        if (r->offset == offset && r->number == number && !strcmp(r->topic, topic)) return r->why;
    }
    return NULL;
}
