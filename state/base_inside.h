#pragma once
/* What the files of the base share (base*.c only). */
#include <pthread.h>
#include <stdatomic.h>

#include "state/base.h"
#include "state/base_key.h"
#include "state/base_meta.h"
#include "state/gather.h"
#include "state/jobs.h"

typedef struct base_range_reader base_range_reader;
typedef struct base_looker base_looker;
typedef struct base_merge base_merge;
typedef struct base_plain base_plain;

struct base {
    base_config config; /* texts owned */
    rocks *rocks;
    jobs *jobs;           /* the thread that follows; owned */
    pthread_mutex_t lock; /* guards `meta` and `error` */
    base_meta meta;       /* as it is in RocksDB */
    err *error;           /* what went wrong in the background, not told yet; owned */
    _Atomic uint64_t applied;
    _Atomic size_t waiting_bytes;

    /* what waits to be written; thread: the one that follows */
    base_meta next; /* `meta` behind it */
    gather *gather;
    image_reader **held; /* objects that it is borrowed from; owned */
    uint32_t held_count, held_room;
    size_t held_bytes;
    base_plain *plain; /* sections of the last one that are no tables; base_apply.c's; owned */
    uint32_t plain_count;
    bool is_borrowed;     /* they are somebody else's */
    bool clears;          /* all that is in RocksDB goes first */
    bool is_lost;         /* an object was missed: the next full one is waited for */
    int64_t written_ms;   /* steady time of the last run */
    base_merge *merging;  /* base_merge.c's; owned */
    uint64_t synced_file; /* all files before it are in the folder for good */
    uint64_t file_bytes;  /* written into files by the last run */

    /* what reads; `lock` */
    uint32_t reading;        /* so many may go on with files that are of no use any more */
    base_range_reader *idle; /* base_range.c's, of panes in files; owned */
    uint64_t written;        /* counts what may have changed them */
    base_looker **lookers;   /* base_look.c's, by file and place; owned */
    uint32_t looker_count, looker_room;
    _Atomic size_t look_bytes; /* of them */
};

/* base.c: what the config says of a table. */
base_way base_way_in(const base *b, const char *name);

/* base_apply.c: gather what an object changes (taken, unless is_borrowed); `bytes` of it count as
 * waiting. An error leaves nothing gathered. */
err *base_gather(base *b, const pointer *p, image_reader *object, size_t bytes);

/* Write what is gathered as one run; forget it; forget sections that are no tables. */
err *base_write(base *b);
void base_drop_gathered(base *b);
void base_drop_plain(base *b);

/* base_files.c: what is gathered of tables in files becomes segments of `next`. */
err *base_write_files(base *b);

/* base_merge.c: go on making segments of `next` fewer, where a pane has too many, until `most`
 * bytes have been read; forget what is begun; the file that it makes, UINT64_MAX: none. */
err *base_merge_files(base *b, uint64_t most);
void base_merge_forget(base *b);
uint64_t base_merge_file(const base *b);

/* Remove files that nothing names, unless somebody reads; with `lock`, or before anybody. */
void base_remove_files(base *b);

/* Whether all that `meta` names are there, as far as a look at each can tell. */
err *base_check_files(const base *b);

/* As it is now, its files stay until base_read_end. */
void base_read_begin(base *b, base_meta *copy);
void base_read_end(base *b, base_meta *copy);

/* base_range.c, with `lock`: let idle readers go, whose panes may have changed; the layout of a
 * table of `meta`, without its name, to be freed by base_layout_done. */
void base_drop_readers(base *b);
base_table base_layout(const base *b, uint32_t number);
void base_layout_done(base_table *t);

/* base_look.c, with `lock`: let those go that `meta` does not name, or all, unless they are looked
 * into now; put the files of the others into `files`, and say how many. */
void base_drop_lookers(base *b, bool all);
uint32_t base_looker_files(const base *b, uint64_t *files);

/* base_read.c: entries on their way into sections of one table, about a megabyte each. */
typedef struct base_section {
    const base_table *table; /* borrowed */
    const char *name;
    uint32_t shards;
    buf bytes;
    size_t pane_at; /* head of the pane in `bytes`; 0: none yet */
    uint32_t count; /* entries behind it */
    int64_t start;
    uint32_t generation;
    base_visit *visit;
    void *arg;
} base_section;

/* Put an entry of a pane, as it is stored. */
err *base_section_put(base_section *s, int64_t start, uint32_t generation, const char *at,
                      size_t len);

/* Hand out what is there. */
err *base_section_end(base_section *s);

/* base_read.c: first and last key of a range; false: there is no such table. Put what a pane in
 * RocksDB has in a range. */
bool base_bounds(const base_meta *m, const base_range *range, char from[BASE_KEY_BYTES],
                 char to[BASE_KEY_BYTES]);
err *base_read_stored(base *b, const base_meta *meta, const base_range *range, base_section *s);

/* base_range.c: a pane in files as one, owned by the caller; put what it has in a range. */
struct run_merge;
struct run_merge *base_merge_of(const base *b, const base_meta *m, const base_range *of);
err *base_put_merged(base_section *s, struct run_merge *merge, const base_range *of);

/* base_read.c: everything in the base as it was when the scan began. base_scan_end also after an
 * error. */
typedef struct base_scan {
    base *b;
    rocks_cursor *cursor; /* owned */
    base_meta meta;       /* as of then; owned */
} base_scan;

err *base_scan_begin(base *b, base_scan *s);
err *base_scan_all(base_scan *s, base_wants *wants, base_visit *visit, void *arg);
err *base_scan_end(base_scan *s);

/* The keys of table 0. */
static inline rocks_bytes base_meta_key(void) {
    return (rocks_bytes){ "\0\0m", 3 };
}
static inline rocks_bytes base_key_past(void) { return (rocks_bytes){ "\xff\xff\xff", 3 }; }
static inline rocks_bytes base_sections_from(void) {
    return (rocks_bytes){ "\0\0s", 3 };
}
static inline rocks_bytes base_sections_to(void) {
    return (rocks_bytes){ "\0\0t", 3 };
}
enum { BASE_SECTION_BYTES = 7 }; /* of a section's key before its name: 0 0 's' kind */
