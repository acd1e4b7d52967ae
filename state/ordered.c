/* DESIGN. Hashes are spread, so few digits from the top leave a list nearly sorted, and insertion
 * does the rest. Both keep the order of what is alike. */
#include "state/ordered.h"

#include <string.h>

#include "runtime/base/mem.h"

enum { DIGIT_BITS = 11,
       DIGITS = 1 << DIGIT_BITS,
       SPREAD_BITS = 6, /* beyond those that count them: pairs of one digit are rare */
       SMALL = 48,
       LEAST_ROOM = 64 };

void ordered_done(ordered_list *l) {
    mem_free(l->items);
    mem_free(l->spare);
    *l = (ordered_list){ 0 };
}

void ordered_reserve(ordered_list *l, uint32_t more) {
    if (l->room - l->count >= more) return;
    uint32_t room = l->room ? 2 * l->room : LEAST_ROOM;
    l->room = room - l->count < more ? l->count + more : room;
    l->items = mem_realloc(l->items, l->room * sizeof *l->items);
}

static int compare(const ordered *a, const ordered *b) {
    if (a->order != b->order) return a->order < b->order ? -1 : 1;
    entry_head x = ordered_head(a), y = ordered_head(b);
    uint32_t len = x.key_len < y.key_len ? x.key_len : y.key_len;
    int difference = len ? memcmp(ordered_key(a, &x), ordered_key(b, &y), len) : 0;
    return difference ? difference : (x.key_len > y.key_len) - (x.key_len < y.key_len);
}

bool ordered_is_same(const ordered *a, const ordered *b) {
    return a->order == b->order && compare(a, b) == 0;
}

static void insertion_sort(ordered *items, uint32_t count) {
    for (uint32_t i = 1; i < count; i++) {
        if (items[i - 1].order < items[i].order || compare(&items[i - 1], &items[i]) <= 0) continue;
        ordered item = items[i];
        uint32_t at = i;
        for (; at > 0 && compare(&item, &items[at - 1]) < 0; at--) items[at] = items[at - 1];
        items[at] = item;
    }
}

static void sort_by_digit(const ordered *from, ordered *to, uint32_t count, uint32_t shift) {
    uint32_t starts[DIGITS] = { 0 }, sum = 0;
    for (uint32_t i = 0; i < count; i++) starts[from[i].order >> shift & (DIGITS - 1)]++;
    for (uint32_t d = 0; d < DIGITS; d++) {
        uint32_t here = starts[d];
        starts[d] = sum;
        sum += here;
    }
    for (uint32_t i = 0; i < count; i++)
        to[starts[from[i].order >> shift & (DIGITS - 1)]++] = from[i];
}

void ordered_sort(ordered_list *l, uint32_t known_bits) {
    if (l->count > SMALL) {
        uint32_t bits = 32 - (uint32_t)__builtin_clz(l->count) + SPREAD_BITS;
        uint32_t top = 64 - known_bits, passes = (bits + DIGIT_BITS - 1) / DIGIT_BITS;
        if (passes * DIGIT_BITS > top) passes = top / DIGIT_BITS;
        if (l->spare_room < l->room) {
            l->spare_room = l->room;
            l->spare = mem_realloc(l->spare, l->spare_room * sizeof *l->spare);
        }
        for (uint32_t pass = passes; pass > 0; pass--) {
            sort_by_digit(l->items, l->spare, l->count, top - pass * DIGIT_BITS);
            ordered_list was = *l;
            l->items = was.spare, l->room = was.spare_room;
            l->spare = was.items, l->spare_room = was.room;
        }
    }
    insertion_sort(l->items, l->count);
}
