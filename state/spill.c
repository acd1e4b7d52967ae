#include "state/spill.h"

#include <string.h>

/* A pane in a section. */
typedef struct spilled_pane {
    int64_t start;
    uint32_t generation;
    uint32_t unused;
} spilled_pane;

uint32_t spill_write(const table *t, buf *out) {
    uint32_t count, written = 0;
    pane *const *panes = table_panes(t, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (!pane_is_spilled(panes[i])) continue;
        spilled_pane one = { .start = pane_start(panes[i]),
                             .generation = pane_generation(panes[i]) };
        buf_put(out, &one, sizeof one);
        written++;
    }
    return written;
}

bool spill_read(const char *bytes, size_t len, uint32_t i, int64_t *start, uint32_t *generation) {
    spilled_pane one;
    if (i >= len / sizeof one) return false;
    memcpy(&one, bytes + i * sizeof one, sizeof one);
    *start = one.start;
    *generation = one.generation;
    return true;
}
