#include "state/ordered.h"

#include <string.h>

#include "runtime/base/mem.h"
#include "state/order_sort.h"

enum { LEAST_ROOM = 64 };

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

static int compare(const void *x, const void *y) {
    const ordered *a = x, *b = y;
    if (a->order != b->order) return a->order < b->order ? -1 : 1;
    entry_head of_a = ordered_head(a), of_b = ordered_head(b);
    uint32_t len = of_a.key_len < of_b.key_len ? of_a.key_len : of_b.key_len;
    int difference = len ? memcmp(ordered_key(a, &of_a), ordered_key(b, &of_b), len) : 0;
    return difference ? difference : (of_a.key_len > of_b.key_len) - (of_a.key_len < of_b.key_len);
}

bool ordered_is_same(const ordered *a, const ordered *b) {
    return a->order == b->order && compare(a, b) == 0;
}

void ordered_sort(ordered_list *l, uint32_t known_bits) {
    if (l->count > SORT_SMALL && l->spare_room < l->room) {
        l->spare_room = l->room;
        l->spare = mem_realloc(l->spare, l->spare_room * sizeof *l->spare);
    }
    if (!order_sort(l->items, l->spare, l->count, sizeof *l->items, known_bits, compare)) return;
    ordered_list was = *l;
    l->items = was.spare, l->room = was.spare_room;
    l->spare = was.items, l->spare_room = was.room;
}
