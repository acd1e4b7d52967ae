#pragma once
/* Records of a source that are fetched before their batch is planned, while the one before is
 * walked. One owner (the input); thread: main. */
#include <stdbool.h>

#include "runtime/flow/input_load.h"

struct input;

typedef struct input_early {
    bool is_planned; /* to be fetched */
    bool is_there;   /* records lie in `load`, of `ranges` */
    input_load load;
    sl_range *ranges; /* owned */
    uint32_t range_count, range_room;
    bool was_cut_short; /* as input's, for their batch */
    int64_t *positions; /* one a partition, in front of them; owned */
    uint32_t count;     /* of those */
    bool is_taken;      /* the planned batch has it: there is nothing to fetch */
    struct err *error;  /* of the fetch, told when the batch is fetched; owned */
} input_early;

/* Decide what could be read for batch number `batch`; false: nothing. */
bool input_early_plan(struct input *in, uint64_t batch);

/* Read what is there of it. Nothing else may be asked of the connector meanwhile. */
void input_early_fetch(struct input *in);

/* The batch that is being planned gets it. */
void input_early_take(struct input *in);

void input_early_done(struct input *in);

/* The running batch's records are gone through once more, from the start. */
void input_begin_again(struct input *in, int64_t now_ms);
