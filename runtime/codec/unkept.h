#pragma once
/* Words for a row that does not keep a constraint which Lua tests (`:matches`, `:check`). thread:
 * worker */
#include "runtime/codec/codec.h"

/* Fill in path and reason of a row of `source` that does not keep `check`, with the value that the
 * row has. */
void unkept_check(const sl_source *source, const sl_check *check, const sl_row *row,
                  bad_record *bad);

/* Put where `plan` is taken from in front of the path: "user.id", "key.id", "header.trace"; what is
 * metadata by its name. Returns false. */
bool unkept_path(const sl_field *plan, bad_record *bad);
