#pragma once
/* A block of lines at the end of a terminal, drawn over and over in place; log lines go above it.
 * It is guarded by the logger's lock. thread: any. */
#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/buf.h"
#include "runtime/base/log.h"

typedef struct screen {
    int fd;              /* of the terminal; -1: there is none, nothing is drawn */
    logger *log;         /* borrowed */
    uint32_t line_count; /* of the block that stands there; 0: none */
} screen;

/* Log lines erase the block first. */
void screen_init(screen *s, int fd, logger *log);

/* Lines and columns of the terminal; 24 and 80 when it does not say. */
void screen_size(const screen *s, uint32_t *lines, uint32_t *columns);

/* Put `block` in place of the last; lines end with a newline and are no wider than the terminal.
 * `for_good`: it stays, what comes next goes below. */
void screen_draw(screen *s, const buf *block, bool for_good);
