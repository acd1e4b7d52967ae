#pragma once
/* The columns of one CSV line, RFC 4180 section 2, taken strictly: a quoted column begins and ends
 * with its quote, quotes inside it are doubled, and nothing else has quotes or line breaks.
 * thread: any. */
#include <stdbool.h>

#include "runtime/base/arena.h"
#include "runtime/codec/codec.h"

/* How a file writes its columns. */
typedef struct csv_style {
    char delimiter; /* one byte of ASCII */
    char quote;     /* 0: none, a line is cut at delimiters only */
} csv_style;

/* A line being read. */
typedef struct csv_line {
    csv_style style; /* of the format */
    const char *at;  /* of the next column; NULL: there is none */
    const char *end; /* of the line */
    uint32_t column; /* number of the last one, from 1; 0: none yet */
} csv_line;

typedef struct csv_cell {
    sl_string text; /* borrowed from the line, or from the arena where quotes were doubled */
    bool is_quoted;
} csv_cell;

/* Begin with a record's bytes; a line break at their end is no part of them. */
void csv_line_begin(csv_line *line, csv_style style, sl_string record);

/* Read the next column. False: there is none (`bad` is untouched: bad->reason stays as it was) or
 * the line is not well formed (`bad` says why; `at` is NULL). */
bool csv_line_next(csv_line *line, csv_cell *cell, arena *strings, bad_record *bad);
