#pragma once
/* Playing one case of a golden file: opens its pipeline in a world of its own, does its steps in
 * order, and compares what came out. thread: main. */
#include "tests/golden/runner/story.h"

typedef struct play_options {
    uint32_t workers;
    bool jit_off;
    uint32_t closes;   /* > 0: of windows that close, so many groups a batch; what follows is done
                        * in the same step, and its batches are not counted */
    uint32_t restarts; /* > 0: after so many steps the pipeline is closed, and another one opened
                        * from its checkpoint; the bytes must be the same */
    uint32_t crashes;  /* > 0: every batch dies first, and is done by another pipeline: at one step
                        * after the other, 1: from the first one on */
    bool reloads;      /* behind each step the same script takes over from itself; the bytes must be
                        * the same */
    bool plans_ahead;  /* a batch that died is done as it was planned, whatever has come since */
    bool beside;       /* batches of a step go on beside the commit of those before */
    bool update;       /* write what came out into the file in place of what was expected */
} play_options;

/* Play case `c` of `s`. Failures are printed, with FILE:LINE; false: there were any. */
bool play_case(story *s, const story_case *c, const play_options *options);
