#include "runtime/operator/row_set.h"

#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/shared/vector.h"

row_set *row_set_new(void) {
    row_set *set = mem_zalloc(1, sizeof *set);
    for (uint32_t k = 0; k < SL_MAX_OUTPUTS; k++) outbox_init(&set->messages[k]);
    return set;
}

static void grouping_done(grouping *g) {
    mem_free(g->indices);
    mem_free(g->panes);
    mem_free(g->hashes);
    mem_free(g->keys);
    mem_free(g->key_lens);
}

enum { BLOCKS_KEPT = 8 };

/* Free all blocks but the first `kept`. */
static void free_blocks(row_set *set, uint32_t kept) {
    while (set->block_count > kept) mem_free(set->blocks[--set->block_count]);
}

void row_set_free(row_set *set) {
    if (!set) return;
    for (uint32_t k = 0; k < SL_MAX_OUTPUTS; k++) {
        outbox_done(&set->messages[k]);
        grouping_done(&set->groups[k]);
    }
    free_blocks(set, 0);
    mem_free(set->blocks);
    mem_free(set->rows);
    mem_free(set->parents);
    mem_free(set->outputs);
    mem_free(set->dead);
    mem_free(set->late);
    mem_free(set->threw_at);
    mem_free(set->passed);
    mem_free(set->folded_out);
    mem_free(set);
}

void row_set_reset(row_set *set, uint32_t row_size, uint32_t null_words) {
    free_blocks(set, set->row_size == row_size ? BLOCKS_KEPT : 0);
    set->row_size = row_size;
    set->null_words = null_words;
    set->count = 0;
}

void row_set_need(row_set *set, uint32_t count) {
    if (count <= set->room) return;
    uint32_t room = set->room ? set->room : VECTOR_ROWS;
    while (room < count) room *= 2;
    set->rows = mem_realloc(set->rows, room * sizeof *set->rows);
    set->parents = mem_realloc(set->parents, room * sizeof *set->parents);
    set->outputs = mem_realloc(set->outputs, room * sizeof *set->outputs);
    set->dead = mem_realloc(set->dead, room * sizeof *set->dead);
    set->late = mem_realloc(set->late, room * sizeof *set->late);
    set->threw_at = mem_realloc(set->threw_at, room * sizeof *set->threw_at);
    set->passed = mem_realloc(set->passed, room * sizeof *set->passed);
    set->folded_out = mem_realloc(set->folded_out, room * sizeof *set->folded_out);
    set->room = room;
}

void row_set_need_memory(row_set *set, uint32_t count) {
    uint32_t need = (count + VECTOR_ROWS - 1) / VECTOR_ROWS;
    if (need <= set->block_count) return;
    set->blocks = mem_realloc(set->blocks, need * sizeof *set->blocks);
    while (set->block_count < need)
        set->blocks[set->block_count++] =
            mem_alloc_aligned(64, (size_t)VECTOR_ROWS * set->row_size);
}

void grouping_need(grouping *g, uint32_t count) {
    if (count <= g->room) return;
    grouping_done(g);
    g->room = count < VECTOR_ROWS ? VECTOR_ROWS : count + count / 4;
    g->indices = mem_alloc(g->room * sizeof *g->indices);
    g->panes = mem_alloc(g->room * sizeof *g->panes);
    g->hashes = mem_alloc(g->room * sizeof *g->hashes);
    g->keys = mem_alloc(g->room * sizeof *g->keys);
    g->key_lens = mem_alloc(g->room * sizeof *g->key_lens);
}

__attribute__((visibility("default"), noinline, used)) void *sl_row_add(void *grown,
                                                                        uint32_t from) {
    row_set *set = grown;
    uint32_t i = set->count;
    if (!i || set->parents[i - 1] != set->from_places[from])
        set->from_first = i;
    else if (i - set->from_first >= SL_MAX_ROWS_MADE)
        return NULL;
    if (i == set->room) row_set_need(set, i + 1);
    if (i / VECTOR_ROWS == set->block_count) row_set_need_memory(set, i + 1);
    sl_row *row = row_set_memory(set, i);
    memcpy(row, set->from_rows[from], SL_ROW_HEADER);
    memset(row->nulls, 0xff, set->null_words * sizeof(uint64_t));
    set->rows[i] = row;
    set->parents[i] = set->from_places[from];
    set->count = i + 1;
    return row;
}
