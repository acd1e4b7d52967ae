#pragma once
/* A table of JSON objects for people: a column a member, doubles shortened, times as text, cut to a
 * width. Cells are laid out first, as texts, then widths are known. One owner; thread: any. */
#include <stdbool.h>

#include "runtime/base/buf.h"
#include "runtime/shared/plan.h"

typedef struct grid grid;

/* `shape`: whose columns the values have, for their types; NULL: not known. Times are shown as of
 * `now_ms`. Both are borrowed. */
grid *grid_new(const sl_output *shape, int64_t now_ms);
void grid_free(grid *g); /* NULL is allowed */

/* Begin a row; `mark` stands in front of it ("+", "~", "-"; NULL: nowhere a mark). */
void grid_row(grid *g, const char *mark);

/* Add the members of a JSON object to the row; what is none stands under `otherwise`. Borrowed
 * until grid_put. `was`, not NULL: what was there before; where it differs both are shown. */
void grid_add(grid *g, sl_string text, const sl_string *was, const char *otherwise);

/* The type of the column called `name`; 0: there is none. */
int grid_column_type(const sl_output *shape, const sl_string *name);

/* Append the rows below their names, at most `width` wide. `styled`: dim names, marks in colour. */
void grid_put(const grid *g, buf *out, uint32_t width, bool styled);
