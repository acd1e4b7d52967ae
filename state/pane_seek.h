#pragma once
/* How an entry is found in a pane by its key; inside state/ only. thread: worker. */
#include "state/pane.h"

static inline uint32_t pane_load_half(const char *at) {
    uint32_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

/* Compare keys of one length: by whole words that overlap at the end, since most are short. */
static inline bool pane_same_key(const char *a, const char *b, uint32_t len) {
    if (len >= 8) {
        if (len > 64) return memcmp(a, b, len) == 0;
        for (uint32_t i = 0; i + 8 < len; i += 8) {
            if (pane_load(a + i) != pane_load(b + i)) return false;
        }
        return pane_load(a + len - 8) == pane_load(b + len - 8);
    }
    if (len >= 4)
        return pane_load_half(a) == pane_load_half(b) &&
               pane_load_half(a + len - 4) == pane_load_half(b + len - 4);
    return len == 0 || (a[0] == b[0] && a[len / 2] == b[len / 2] && a[len - 1] == b[len - 1]);
}

/* The entry of a key, or NULL; `at`: its slot, or the empty one where it belongs. */
static inline entry *pane_seek(const pane *p, uint64_t hash, const char *key, uint32_t key_len,
                               uint32_t *at) {
    uint32_t tag = (uint32_t)(hash >> 32);
    for (*at = tag & p->mask;; *at = (*at + 1) & p->mask) {
        uint64_t slot = p->slots[*at];
        if (!slot) return NULL;
        if (slot >> 32 != tag) continue;
        entry *e = pane_entry(p, (uint32_t)slot);
        if (e->hash == hash && entry_key_len(e) == key_len &&
            pane_same_key(entry_key(e), key, key_len))
            return e;
    }
}

static inline entry *pane_find(const pane *p, uint64_t hash, const char *key, uint32_t key_len) {
    uint32_t at;
    return pane_seek(p, hash, key, key_len, &at);
}
