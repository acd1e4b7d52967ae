#pragma once
/* What connectors are opened with, and borrow until they are closed: copies of parts of a plan,
 * since a reload replaces the plan while they stay open. Owned by the arena; thread: main. */
#include <stdbool.h>

#include "runtime/base/arena.h"
#include "runtime/shared/plan.h"

/* A source without its fields, checks and places in the plan: name, connector, options, limits. */
const sl_source *held_source(arena *memory, const sl_source *plan);

/* A sink without its feeds. */
const sl_sink *held_sink(arena *memory, const sl_sink *plan);

const sl_checkpoint *held_checkpoint(arena *memory, const sl_checkpoint *plan);

/* The name of the first option in which two tables differ, whatever it holds; NULL: they are the
 * same. Either may be NULL, which is no options. `but`: names that do not count, NULL behind the
 * last; or NULL.
 * Borrowed from the tables. */
const sl_string *held_difference(const sl_value *a, const sl_value *b,
                                 const char *const *but);

bool held_is_text(const sl_string *a, const sl_string *b);
