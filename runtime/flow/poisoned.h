#pragma once
/* The list of poison records of a pipeline (operator/poison.h) between its runs: a file beside its
 * state_dir, "STATE_DIR.poison", a line each:
 *
 *   17 3 ride_events<TAB>filter rides.lua:26 has not returned for 11000 ms     offset, partition, …
 *
 * A run that is about to die of a record adds it, and the next one reads the list; so does one that
 * has found out of which record those before it died (suspect.h). */
#include "runtime/flow/pipeline.h"

/* What a poison_record's `why` begins with; the list has what follows. */
#define POISONED_BEFORE "it ended an earlier run: "

/* Read the list of the pipeline; empty where there is no state_dir or no list. What is not a line
 * of the list is passed over. `all`: poisoned_free. */
void poisoned_read(const sl_plan *plan, poison *all);
void poisoned_free(poison *all);

/* Add a record. False: it cannot be kept. thread: any, while main is in a batch. */
bool poisoned_add(const sl_plan *plan, const char *topic, int32_t number, int64_t offset,
                  const char *why);

/* Put a record into `all` alone. */
void poisoned_note(poison *all, const char *topic, int32_t number, int64_t offset,
                   const char *why);

/* The path of a file beside the state_dir, in a folder that is there; owned by the caller. `end`:
 * what follows the state_dir's name. NULL: the pipeline keeps nothing. */
char *poisoned_path(const sl_plan *plan, const char *end);
