#pragma once
/* Stored entries (image_format.h) in the order in which groups leave: by shard and hash (shard.h),
 * then key. Borrowed bytes. One owner; thread: the owner's. */
#include <stdbool.h>
#include <stdint.h>

#include "state/image_format.h"

typedef struct ordered {
    uint64_t order;
    const char *at; /* the entry: head, value, key; borrowed */
    uint32_t from;  /* the caller's */
} ordered;

typedef struct ordered_list {
    ordered *items, *spare; /* spare: for sorting; owned */
    uint32_t count, room, spare_room;
} ordered_list;

void ordered_done(ordered_list *l);

/* Make room for `more` items. */
void ordered_reserve(ordered_list *l, uint32_t more);

/* Sort; what is the same entry stays in the order it came. `known_bits`: top bits that all have in
 * common. */
void ordered_sort(ordered_list *l, uint32_t known_bits);

/* Whether two have the same key. */
bool ordered_is_same(const ordered *a, const ordered *b);

static inline entry_head ordered_head(const ordered *o) {
    entry_head head;
    __builtin_memcpy(&head, o->at, sizeof head);
    return head;
}

/* Bytes of the value; of an entry that went 0. */
static inline size_t stored_value_len(const entry_head *head) {
    return head->value_words == VALUE_REMOVED ? 0 : (size_t)head->value_words * 8;
}

/* Bytes of the whole entry. */
static inline size_t stored_entry_len(const entry_head *head) {
    return sizeof *head + stored_value_len(head) + image_round(head->key_len);
}

static inline const char *ordered_key(const ordered *o, const entry_head *head) {
    return o->at + sizeof *head + stored_value_len(head);
}
