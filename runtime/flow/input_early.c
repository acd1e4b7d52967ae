/* DESIGN. With several workers the main thread reads the next batch's records while the others
 * begin with the running one's, and then helps them: reading is no longer what all wait for. Only
 * ranges and records come early: processing time, watermark and whether the batch may read at all
 * are decided when it is planned, as ever. Until then positions are told as if nothing had been
 * read, so that who asks for backlogs, ends and idleness need not know. */
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/flow/input.h"

#define SWAP(type, a, b) \
    do {                 \
        type kept = (a); \
        (a) = (b);       \
        (b) = kept;      \
    } while (0)

/* The ranges of the running batch and those read early change places. */
static void swap_ranges(input *in) {
    input_early *early = &in->early;
    SWAP(sl_range *, in->ranges, early->ranges);
    SWAP(uint32_t, in->range_count, early->range_count);
    SWAP(uint32_t, in->range_room, early->range_room);
    SWAP(bool, in->was_cut_short, early->was_cut_short);
}

static void keep_positions(input *in) {
    input_early *early = &in->early;
    early->count = in->partition_count;
    early->positions = mem_realloc(early->positions, early->count * sizeof *early->positions);
    for (uint32_t p = 0; p < early->count; p++) early->positions[p] = in->partitions[p].position;
}

bool input_early_plan(input *in, uint64_t batch) {
    const sl_source *plan = in->plan;
    bool is_free = !in->early.is_there && !in->is_held && !in->has_ended;
    bool is_paced = plan->max_rate > 0 || plan->min_records > 0;
    if (!in->ops->reads_early || !is_free || is_paced || !input_backlog(in)) return false;
    keep_positions(in);
    swap_ranges(in);
    in->range_count = 0;
    input_share_out(in, batch);
    swap_ranges(in);
    in->early.is_planned = in->early.range_count > 0;
    return in->early.is_planned;
}

void input_early_fetch(input *in) {
    input_early *early = &in->early;
    if (!early->is_planned) return;
    early->is_planned = false;
    swap_ranges(in);
    early->error = input_fetch_into(in, &early->load, 0);
    swap_ranges(in);
    early->is_there = early->error != NULL;
    for (uint32_t i = 0; i < early->range_count; i++)
        early->is_there |= early->ranges[i].from < early->ranges[i].to;
}

void input_early_take(input *in) {
    swap_ranges(in);
    SWAP(input_load, in->load, in->early.load);
    in->early.is_there = false;
    in->early.is_taken = true;
}

void input_early_done(input *in) {
    input_load_done(&in->early.load);
    mem_free(in->early.ranges);
    mem_free(in->early.positions);
    err_free(in->early.error);
}
