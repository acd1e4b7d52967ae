#pragma once
/* Sections of keyed state that were read (image.h): entry by entry, or into a table. Nothing is
 * owned; thread: any. */
#include <stdbool.h>

#include "runtime/base/err.h"
#include "state/table.h"

/* A section, borrowed from the reader. */
typedef struct image_view {
    int32_t kind;
    const char *name; /* NUL-terminated */
    const char *bytes;
    size_t len;
} image_view;

/* Entries of a table's section, pane by pane, as stored: for loading, RocksDB, `sluice state`. */
typedef struct saved_pane {
    int64_t start;
    uint32_t generation; /* 0; higher: a partial that began after the pane was spilled */
    bool is_dropped;     /* all that was stored of it before goes; entries may follow */
    uint32_t entry_count;
} saved_pane;

typedef struct saved_entry {
    uint64_t hash;
    const char *key;
    uint32_t key_len;
    bool is_removed;
    const char *value; /* the state (parts: zeros), then its parts; at a multiple of 8. NULL: the
                        * entry went */
    uint64_t value_len;
} saved_entry;

typedef struct saved_table {
    const char *at, *end; /* inside; borrowed bytes */
    uint32_t state_size, part_count;
    const uint32_t *part_offsets; /* borrowed */
    uint32_t left;                /* entries of the pane */
} saved_table;

/* Begin to read a section; ERR_REFUSED: it does not hold what it says. */
err *saved_table_open(const image_view *view, saved_table *s);
bool saved_table_pane(saved_table *s, saved_pane *saved);
bool saved_table_entry(saved_table *s, saved_entry *saved);

/* Part `i` of an entry's value; data NULL: none. O(parts). */
void saved_entry_part(const saved_table *s, const saved_entry *saved, uint32_t i, const char **data,
                      uint32_t *len);

/* What no map says, of `count` entries that were read: `entries` in the old layout, of pane `p`,
 * their states by the map. An error ends the loading. */
typedef err *layout_fill(void *arg, const pane *p, uint32_t count, const saved_entry *entries,
                         void *const *states);

/* How members of an older layout lie in a newer one; NULL where a map is asked for: they are the
 * same. Members that are new start as state_init says; others go. */
typedef struct layout_map {
    uint32_t count; /* runs of bytes */
    const uint32_t *from, *to, *sizes;
    uint32_t part_count;  /* of the old layout */
    const int32_t *parts; /* by part of the old layout: number in the new one; -1: it goes */
    layout_fill *fill;    /* behind all that; NULL: it is enough */
    void *fill_arg;
} layout_map;

/* Which entries a worker gets: those whose shard (`hash & shard_mask`) is `worker` modulo
 * `workers`. */
typedef struct image_share {
    uint64_t shard_mask;
    uint32_t worker, workers;
} image_share;

/* Put what a section holds into `t`, in a batch of the table (table_epoch_begin .. table_commit). A
 * full object's sections into an empty table, deltas behind it in their order. ERR_REFUSED: the
 * states lie otherwise than in `t`, and `map` is NULL or not of them; or an error of its `fill`. */
err *image_load_table(const image_view *view, table *t, const layout_map *map,
                      const image_share *share);
