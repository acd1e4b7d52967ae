#pragma once
/* The arrays a worker emits with; emission.h alone knows what is inside. thread: worker. */
#include <stdint.h>

typedef struct emit_space emit_space;

/* Make space for result rows and states of up to so many bytes. Owned by the worker. */
emit_space *emit_space_new(uint32_t largest_row, uint32_t largest_state);
void emit_space_free(emit_space *space);
