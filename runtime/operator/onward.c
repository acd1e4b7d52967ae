#include "runtime/operator/onward.h"

#include <string.h>

#include "runtime/base/mem.h"

enum { ROW_BLOCK = 64 << 10,
       ROWS_KEPT = 1 << 20 };

void onward_list_init(onward_list *list) {
    *list = (onward_list){ 0 };
    arena_init(&list->rows, ROW_BLOCK);
}

void onward_list_done(onward_list *list) {
    mem_free(list->items);
    arena_done(&list->rows);
}

void onward_list_reset(onward_list *list) {
    list->count = 0;
    arena_reset(&list->rows, ROWS_KEPT);
}

void onward_list_add(onward_list *list, const onward *r) {
    if (list->count == list->room) {
        list->room = list->room ? list->room * 2 : 256;
        list->items = mem_realloc(list->items, list->room * sizeof *list->items);
    }
    list->items[list->count++] = *r;
}

void onward_list_keep(onward_list *list, const onward *r, uint32_t row_size) {
    sl_row *row = arena_take(&list->rows, row_size, 8);
    memcpy(row, r->row, row_size);
    onward_list_add(list, r);
    list->items[list->count - 1].row = row;
}

int onward_compare(const onward *a, const onward *b) {
    if (a->window_end != b->window_end) return a->window_end < b->window_end ? -1 : 1;
    if (a->window_start != b->window_start) return a->window_start < b->window_start ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}
