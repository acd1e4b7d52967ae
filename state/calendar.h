#pragma once
/* When entries of a table are due: a queue by time of (due time, entry). It only remembers what it
 * was told:
 *   - a new entry is added once, at the end of the batch that made it (pane_dirty, `old` NULL, not
 *     removed), so that a touch costs nothing;
 *   - when an entry's time has moved since, that shows when it is taken: add it again;
 *   - an entry that was removed is passed over when it is taken (entry_is_removed), which must be
 *     before its memory is used again: remove only entries that were taken, or were not added yet;
 *   - after an undo of the table: calendar_clear, then add every entry anew by a scan.
 *
 * Times are added at any time, mostly later than what was taken. One owner; thread: the owner's. */
#include <stdbool.h>

#include "state/entry.h"

typedef struct calendar calendar;

typedef struct calendar_item {
    int64_t due_ms; /* as added */
    entry *entry;   /* borrowed from the table */
} calendar_item;

/* When an entry is due now; INT64_MAX: never again (it need not stand in the calendar). */
typedef int64_t calendar_due(const entry *e, void *arg);

calendar *calendar_new(void);
void calendar_free(calendar *c);

/* Remember that `e` is due at `due_ms`. INT64_MAX: not at all. O(1). */
void calendar_add(calendar *c, int64_t due_ms, entry *e);

/* Take what is due at `until_ms` (<=), in no order, by what was added. Borrowed until the next
 * take; calendar_add may be called meanwhile. Amortised O(log of the times' range) an item, without
 * a look at entries. */
const calendar_item *calendar_take(calendar *c, int64_t until_ms, uint32_t *count);

/* Whether an entry is due at `until_ms`, as `due_of` says now. Those whose time has moved are put
 * where they belong, so that asking again and again costs nothing. Between batches. */
bool calendar_is_due(calendar *c, int64_t until_ms, calendar_due *due_of, void *arg);

/* Forget everything. */
void calendar_clear(calendar *c);

/* Items that stand in it. */
uint32_t calendar_count(const calendar *c);

size_t calendar_held_bytes(const calendar *c);
