#pragma once
/* The keyed, windowed state of one operator on one worker: panes ordered by start, in each a hash
 * index over entries (key and state). This is the truth while the process lives; a batch either
 * commits whole or leaves no trace.
 *
 *   table_epoch_begin ─▶ touch, write states, sl_part_set, drop panes ─▶ table_commit or table_undo
 *
 * Between batches a table is only read. The caller hashes (XXH3, 64 bits) and decides what a state
 * is; a table knows its size, its first bytes and where its parts lie.
 *
 * Variable-size parts (sl_part, sl_part_set in shared/vector.h): blocks belong to the table. A
 * block made since the last table_epoch_begin/next is overwritten in place if it has room; an older
 * one never is: a new one takes its place, the old one is freed at commit. So the bytes of a state,
 * parts included, can be saved and put back by the caller as borrowed references, on these terms:
 *   - saved before anything of a row was set, put back before the row's first sl_part_set: free;
 *   - put back later than that: table_epoch_next before saving, table_epoch_undo when putting back;
 *   - sl_part_set only on states in the table, touched in this batch, never on a copy.
 *
 * It does not: hash, know windows or shards, write to disk, lock. One owner; thread: the owner's
 * worker. */
#include "runtime/shared/vector.h"
#include "state/entry.h"

typedef struct table table;
typedef struct pane pane;

typedef struct table_config {
    uint32_t state_size;          /* bytes, > 0, a multiple of 8 */
    uint32_t part_count;          /* parts in a state */
    const void *state_init;       /* state_size bytes of a new state; copied. Its parts are none */
    const uint32_t *part_offsets; /* part_count byte offsets of sl_part members; copied */
} table_config;

/* Where a scan stands; begins as { 0 }. Valid as long as no entry is made in the pane. */
typedef struct table_cursor {
    uint32_t slab; /* number in the pane */
    uint32_t at;   /* place in it */
} table_cursor;

/* Make an empty table. Owned by the caller: table_free. */
table *table_new(const table_config *config);

/* Free `t` and all it holds; NULL is allowed. */
void table_free(table *t);

/* Begin a batch. The one before must have been committed or undone. */
void table_epoch_begin(table *t);

/* Begin a new step inside the batch: states saved from now on can be put back with
 * table_epoch_undo. O(part blocks replaced in the step before). */
void table_epoch_next(table *t);

/* Forget the part blocks of this step, since the last table_epoch_next or begin: call it when the
 * bytes of every state that had a part set in the step are put back. Entries and panes made stay
 * (table_delete). O(blocks). */
void table_epoch_undo(table *t);

/* Keep what the batch did; dirty lists and old bytes are gone, dropped panes and replaced blocks
 * are recycled. O(panes touched); a dropped pane with parts costs O(its entries). */
void table_commit(table *t);

/* Put everything back as it was at table_epoch_begin: states, parts, entries, panes. O(entries
 * touched), and O(index) for a pane that got new entries. */
void table_undo(table *t);

/* The pane that starts at `start`, made if there is none. In a batch. O(1) for the last one asked
 * for, else O(log panes). Borrowed until it is dropped and committed, or undone if the batch made
 * it. Of several generations: the newest. */
pane *table_pane(table *t, int64_t start);

/* The same, or NULL if there is none. */
pane *table_find_pane(const table *t, int64_t start);

/* All panes that are not dropped, ordered by start, generation. Borrowed until the next pane is
 * made or dropped. */
pane *const *table_panes(const table *t, uint32_t *count);

/* The panes with a dirty list, in the order of their first touch, also those dropped since.
 * Borrowed until the next touch, commit or undo. */
pane *const *table_dirty_panes(const table *t, uint32_t *count);

/* Drop `p` with all its entries: table_panes shows it no more, but `p` and its entries can be
 * read until commit. In a batch. O(log panes), plus moving the pointers of later panes. */
void table_drop_pane(table *t, pane *p);

/* Start of a pane, Unix ms as table_pane got it. */
int64_t pane_start(const pane *p);

/* Entries of a pane. */
uint32_t pane_count(const pane *p);

/* The entries touched in this batch, each once, in the order of their first touch, also those that
 * it removed since (entry_is_removed). Borrowed until the next touch, removal, commit or undo. */
entry *const *pane_dirty(const pane *p, uint32_t *count);

/* The bytes of an entry's state from before this batch: NULL if the batch made it, its state itself
 * if the batch has not touched it. Whether the batch made it and has it. In a batch. */
const void *table_state_before(const table *t, const entry *e);
bool table_is_new(const table *t, const entry *e);

/* Find or make the entry of a key and make it dirty: before its first change in a batch its bytes
 * are saved. `key` may be NULL if key_len is 0, and is copied. O(1). In a batch. */
entry *table_touch(table *t, pane *p, uint64_t hash, const char *key, uint32_t key_len);

/* table_touch for `count` rows in their order, with prefetching once the table outgrows the cache.
 * `panes`, `hashes`, `keys`, `key_lens`: of each row; `states`: out, its state, for sl_vector. */
void table_touch_many(table *t, uint32_t count, pane *const *panes, const uint64_t *hashes,
                      const char *const *keys, const uint32_t *key_lens, void **states);

/* The entry of a key, or NULL. Changes nothing. */
entry *table_find(const pane *p, uint64_t hash, const char *key, uint32_t key_len);

/* Ask the memory for what table_find will look at first; for look-ups that follow soon. */
void table_prefetch(const pane *p, uint64_t hash);

/* For each of `count` entries of other panes the entry of `p` with the same key, or NULL, into
 * `found`: merging panes. With prefetching. */
void table_find_many(const pane *p, uint32_t count, entry *const *like, entry **found);

/* table_find for `count` rows, with prefetching; `found`: entries or NULL. */
void table_find_rows(const pane *p, uint32_t count, const uint64_t *hashes, const char *const *keys,
                     const uint32_t *key_lens, entry **found);

/* Delete an entry that this batch made (its only row was given up).
 * O(dirty entries of the pane). After table_epoch_undo, if both are called for. */
void table_delete(table *t, pane *p, entry *e);

/* Remove an entry, whoever made it: table_find and table_scan pass over it from now on, its parts
 * are none; its bytes, those of its parts too, can be read until commit. Its key can come again at
 * once, as a new entry. Undo brings it back at its old address. At commit its memory is kept for
 * the next entry of its size in this pane: a pane that lives for ever does not grow by what passes
 * through it. O(1). In a batch; not in a step that will be undone. */
void table_remove(table *t, pane *p, entry *e);

/* Forget that this batch touched an entry made by an earlier one, whose state the caller has put
 * back (its only row was given up). O(dirty entries of the pane). */
void table_untouch(table *t, pane *p, entry *e);

/* The next entry of a pane in the order they were made, NULL at the end:
 *   table_cursor at = { 0 };
 *   for (entry *e; (e = table_scan(p, &at));) */
entry *table_scan(const pane *p, table_cursor *at);

/* Bytes held from the system: entries, indexes, parts, old bytes and what is kept for reuse.
 * O(old bytes / 64 KB). */
size_t table_held_bytes(const table *t);

/* Part blocks that are not free, those that wait for commit too. */
size_t table_part_count(const table *t);
