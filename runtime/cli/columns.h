#pragma once
/* A table for people: cells in rows, each column as wide as its widest. One owner; thread: any. */
#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/buf.h"

enum { COLUMNS_MOST = 12 };

typedef struct columns {
    uint32_t count;                /* of columns */
    uint32_t at;                   /* column of the next cell */
    bool is_right[COLUMNS_MOST];   /* numbers stand at the right */
    uint32_t widths[COLUMNS_MOST]; /* on a terminal */
    buf text;                      /* cells, each with a NUL behind it */
} columns;

/* `heads`: names of the columns with '|' between; one that begins with '>' has its cells at the
 * right. */
void columns_begin(columns *c, const char *heads);

/* The next cell, row by row. printf-style; what would move the cursor becomes a blank. */
void columns_put(columns *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same with a count as "1,234", bytes as "12.3 KB", Unix ms as date and time. */
void columns_put_count(columns *c, uint64_t count);
void columns_put_bytes(columns *c, uint64_t bytes);
void columns_put_time(columns *c, int64_t time_ms);

/* Append all rows, two blanks in front of each, and forget them. */
void columns_end(columns *c, buf *out);
