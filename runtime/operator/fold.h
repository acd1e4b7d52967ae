#pragma once
/* The arrays a worker folds with; fold.c alone looks inside. thread: worker. */
#include <stdint.h>

typedef struct fold_space fold_space;

/* Make space for states of up to `largest_state` bytes. Owned by the worker. */
fold_space *fold_space_new(uint32_t largest_state);
void fold_space_free(fold_space *space);
