#pragma once
/* What belongs to one batch of a source. One owner (the input); thread: main. */
#include "runtime/base/arena.h"
#include "runtime/flow/counters.h"
#include "runtime/shared/connect.h"

typedef struct input_load {
    sl_records records; /* items owned */
    arena bytes;        /* their bytes */
    source_counters pending;
    char first_bad[400]; /* the first record thrown out, and why */
    bool has_thrown;     /* the script's functions threw one out */
} input_load;

void input_load_init(input_load *load);
void input_load_done(input_load *load);
