/* DESIGN. Runs are external SST files that are ingested: RocksDB syncs the file and its manifest,
 * so a run is atomic and durable without a log (Debian's library has assertions on, which make the
 * default memtable cost 3-5 us a key; a sorted file costs 0.2-0.5). In an ingested file all keys
 * have one sequence number, and a range deletion covers only what is older: deletions and puts of
 * one run do not meet. Compaction is universal: what is here lives as long as a window, and would
 * be copied ten times by levels before it goes. */
#include "state/rocks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/crash.h"
#include "runtime/base/mem.h"

enum {
    CACHE_BYTES = 1 << 20, /* all but what the base says of itself is read in order */
    BLOCK_BYTES = 16 << 10,
    READ_AHEAD = 256 << 10,
};

struct rocks {
    rocksdb_t *db;
    rocksdb_options_t *options;
    rocksdb_envoptions_t *env_options;
    rocksdb_readoptions_t *point_reads;
    rocksdb_cache_t *cache;
    char *folder;  /* owned */
    uint64_t runs; /* begun, for names */
};

struct rocks_run {
    rocks *r; /* borrowed */
    rocksdb_sstfilewriter_t *writer;
    char *path;  /* owned */
    char *error; /* the first, RocksDB's; owned */
    bool is_empty;
};

struct rocks_cursor {
    rocksdb_readoptions_t *options;
    rocksdb_iterator_t *iterator;
    char *upper; /* owned */
    bool is_begun;
};

/* RocksDB's text as an error; `text` is taken. */
static err *failed(char *text, const char *what, const char *folder) {
    if (!text) return NULL;
    err *e = err_new(ERR_IO, "%s in `%s`: %s", what, folder, text);
    e->retriable = strstr(text, "No space") != NULL;
    rocksdb_free(text);
    return e;
}

/* The process that has RocksDB's lock in `folder`, or 0. It would know of a lock of our own. */
static pid_t holder_of(const char *folder) {
    buf path = { 0 };
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    buf_printf(&path, "%s/LOCK", folder);
    int fd = open(buf_text(&path), O_RDWR | O_CLOEXEC);
    buf_done(&path);
    if (fd < 0) return 0;
    bool is_held = !fcntl(fd, F_GETLK, &lock) && lock.l_type != F_UNLCK;
    close(fd);
    return is_held ? lock.l_pid : 0;
}

static rocksdb_block_based_table_options_t *table_options(rocksdb_cache_t *cache) {
    rocksdb_block_based_table_options_t *t = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_block_cache(t, cache);
    rocksdb_block_based_options_set_block_size(t, BLOCK_BYTES);
    rocksdb_block_based_options_set_format_version(t, 5);
    return t;
}

static rocksdb_options_t *new_options(rocksdb_cache_t *cache) {
    rocksdb_options_t *o = rocksdb_options_create();
    rocksdb_block_based_table_options_t *t = table_options(cache);
    rocksdb_universal_compaction_options_t *u = rocksdb_universal_compaction_options_create();
    rocksdb_options_set_block_based_table_factory(o, t);
    rocksdb_options_set_create_if_missing(o, 1);
    rocksdb_options_set_compaction_style(o, rocksdb_universal_compaction);
    rocksdb_options_set_universal_compaction_options(o, u);
    rocksdb_options_set_compression(o, rocksdb_no_compression);
    rocksdb_options_set_max_background_jobs(o, 2);
    rocksdb_options_set_max_open_files(o, 500);
    rocksdb_options_set_keep_log_file_num(o, 1);
    rocksdb_options_set_info_log_level(o, 3);
    rocksdb_options_set_stats_dump_period_sec(o, 0);
    rocksdb_options_set_write_buffer_size(o, 64 << 10); /* is not used */
    rocksdb_block_based_options_destroy(t);
    rocksdb_universal_compaction_options_destroy(u);
    return o;
}

static err *make_folder(const char *folder) {
    char *path = mem_copy_text(folder, strlen(folder));
    err *e = NULL;
    for (char *at = path + 1; !e; at++) {
        char here = *at;
        if (here && here != '/') continue;
        *at = '\0';
        if (mkdir(path, 0777) && errno != EEXIST)
            e = err_new(ERR_IO, "making the folder `%s`: %s", path, strerror(errno));
        *at = here;
        if (!here) break;
    }
    mem_free(path);
    return e;
}

/* Remove the runs of a process that was killed. One may have been taken in: its file has two names
 * then, and would be written into under this one. Gives the number behind those that stay. */
static uint64_t remove_runs(const char *path) {
    struct dirent *item;
    uint64_t free_number = 0;
    DIR *folder = opendir(path);
    while (folder && (item = readdir(folder))) {
        uint64_t number;
        int len = 0;
        sscanf(item->d_name, "run-%" SCNu64 ".new%n", &number, &len);
        if (!len || item->d_name[len]) continue;
        bool is_gone = !unlinkat(dirfd(folder), item->d_name, 0) || errno == ENOENT;
        if (!is_gone && number >= free_number) free_number = number + 1;
    }
    if (folder) closedir(folder);
    return free_number;
}

err *rocks_open(const char *folder, rocks **out) {
    char *error = NULL;
    *out = NULL;
    err *e = make_folder(folder);
    if (e) return e;
    rocks *r = mem_zalloc(1, sizeof *r);
    r->folder = mem_copy_text(folder, strlen(folder));
    r->cache = rocksdb_cache_create_lru(CACHE_BYTES);
    r->options = new_options(r->cache);
    r->env_options = rocksdb_envoptions_create();
    r->point_reads = rocksdb_readoptions_create();
    r->db = rocksdb_open(r->options, folder, &error);
    if (error) {
        rocks_close(r);
        e = failed(error, "opening RocksDB", folder);
        pid_t holder = holder_of(folder);
        if (!holder) return e;
        err_free(e);
        return err_new(ERR_FENCED, "process %d works in `%s`: end it, or take another state_dir",
                       (int)holder, folder);
    }
    r->runs = remove_runs(folder);
    *out = r;
    return NULL;
}

void rocks_close(rocks *r) {
    if (!r) return;
    if (r->db) rocksdb_close(r->db);
    rocksdb_readoptions_destroy(r->point_reads);
    rocksdb_envoptions_destroy(r->env_options);
    rocksdb_options_destroy(r->options);
    rocksdb_cache_destroy(r->cache);
    mem_free(r->folder);
    mem_free(r);
}

err *rocks_destroy(const char *folder) {
    char *error = NULL;
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_destroy_db(options, folder, &error);
    rocksdb_options_destroy(options);
    return failed(error, "removing RocksDB", folder);
}

err *rocks_get(rocks *r, rocks_bytes key, buf *value, bool *missing) {
    char *error = NULL;
    rocksdb_pinnableslice_t *found =
        rocksdb_get_pinned(r->db, r->point_reads, key.data, key.len, &error);
    *missing = !found;
    if (found) {
        size_t len;
        const char *data = rocksdb_pinnableslice_value(found, &len);
        buf_put(value, data, len);
        rocksdb_pinnableslice_destroy(found);
    }
    return failed(error, "reading", r->folder);
}

err *rocks_run_begin(rocks *r, rocks_run **out) {
    rocks_run *run = mem_zalloc(1, sizeof *run);
    size_t room = strlen(r->folder) + 32;
    run->r = r;
    run->is_empty = true;
    run->path = mem_alloc(room);
    snprintf(run->path, room, "%s/run-%" PRIu64 ".new", r->folder, r->runs++);
    run->writer = rocksdb_sstfilewriter_create(r->env_options, r->options);
    rocksdb_sstfilewriter_open(run->writer, run->path, &run->error);
    if (run->error) {
        err *e = failed(run->error, "making a run", r->folder);
        run->error = NULL;
        rocks_run_free(run);
        return e;
    }
    *out = run;
    return NULL;
}

void rocks_run_put(rocks_run *run, rocks_bytes key, rocks_bytes value) {
    run->is_empty = false;
    if (run->error) return;
    rocksdb_sstfilewriter_put(run->writer, key.data, key.len, value.data, value.len, &run->error);
}

void rocks_run_delete(rocks_run *run, rocks_bytes key) {
    run->is_empty = false;
    if (run->error) return;
    rocksdb_sstfilewriter_delete(run->writer, key.data, key.len, &run->error);
}

void rocks_run_delete_range(rocks_run *run, rocks_bytes from, rocks_bytes to) {
    run->is_empty = false;
    if (run->error) return;
    rocksdb_sstfilewriter_delete_range(run->writer, from.data, from.len, to.data, to.len,
                                       &run->error);
}

err *rocks_run_apply(rocks_run *run) {
    rocks *r = run->r;
    bool is_full = fault_is("rocks_full");
    if (is_full) run->is_empty = true;
    if (!run->error && !run->is_empty) rocksdb_sstfilewriter_finish(run->writer, &run->error);
    if (!run->error && !run->is_empty) {
        rocksdb_ingestexternalfileoptions_t *options = rocksdb_ingestexternalfileoptions_create();
        rocksdb_ingestexternalfileoptions_set_move_files(options, 1);
        const char *paths[1] = { run->path };
        rocksdb_ingest_external_file(r->db, paths, 1, options, &run->error);
        rocksdb_ingestexternalfileoptions_destroy(options);
    }
    err *e = failed(run->error, "writing a run", r->folder);
    if (!e && is_full)
        e = err_new(ERR_IO, "writing a run in `%s`: No space left on device", r->folder);
    run->error = NULL;
    rocks_run_free(run);
    return e;
}

void rocks_run_free(rocks_run *run) {
    if (!run) return;
    rocksdb_sstfilewriter_destroy(run->writer);
    if (run->error) rocksdb_free(run->error);
    unlink(run->path); /* there only if it was not taken in */
    mem_free(run->path);
    mem_free(run);
}

rocks_cursor *rocks_scan(rocks *r, rocks_bytes from, rocks_bytes to) {
    rocks_cursor *c = mem_zalloc(1, sizeof *c);
    c->upper = mem_alloc(to.len);
    memcpy(c->upper, to.data, to.len);
    c->options = rocksdb_readoptions_create();
    rocksdb_readoptions_set_iterate_upper_bound(c->options, c->upper, to.len);
    rocksdb_readoptions_set_fill_cache(c->options, 0);
    rocksdb_readoptions_set_readahead_size(c->options, READ_AHEAD);
    c->iterator = rocksdb_create_iterator(r->db, c->options);
    rocks_seek(c, from);
    return c;
}

void rocks_seek(rocks_cursor *c, rocks_bytes key) {
    rocksdb_iter_seek(c->iterator, key.data, key.len);
    c->is_begun = false;
}

bool rocks_next(rocks_cursor *c, rocks_bytes *key, rocks_bytes *value) {
    if (c->is_begun) rocksdb_iter_next(c->iterator);
    c->is_begun = true;
    if (!rocksdb_iter_valid(c->iterator)) {
        c->is_begun = false; /* an iterator at its end must not be asked for more */
        return false;
    }
    key->data = rocksdb_iter_key(c->iterator, &key->len);
    value->data = rocksdb_iter_value(c->iterator, &value->len);
    return true;
}

err *rocks_scan_end(rocks_cursor *c) {
    char *error = NULL;
    if (!c) return NULL;
    rocksdb_iter_get_error(c->iterator, &error);
    err *e = error ? err_new(ERR_IO, "reading RocksDB: %s", error) : NULL;
    if (error) rocksdb_free(error);
    rocksdb_iter_destroy(c->iterator);
    rocksdb_readoptions_destroy(c->options);
    mem_free(c->upper);
    mem_free(c);
    return e;
}

uint64_t rocks_bytes_held(rocks *r) {
    uint64_t bytes = 0;
    rocksdb_property_int(r->db, "rocksdb.live-sst-files-size", &bytes);
    return bytes;
}

uint64_t rocks_size(rocks *r, rocks_bytes from, rocks_bytes to) {
    const char *froms[1] = { from.data }, *tos[1] = { to.data };
    size_t from_lens[1] = { from.len }, to_lens[1] = { to.len };
    uint64_t size = 0;
    char *error = NULL;
    rocksdb_approximate_sizes(r->db, 1, froms, from_lens, tos, to_lens, &size, &error);
    if (error) rocksdb_free(error);
    return size;
}
