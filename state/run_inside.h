#pragma once
/* What those that read and write files of entries share (run_file.c, run_look.c only). */
#include "state/run_file.h"

/* Before the entries of a block. */
typedef struct block_head {
    uint64_t checksum; /* of what follows, seeded with file and place */
    uint32_t len;      /* bytes of its entries */
    uint32_t count;
} block_head;

typedef struct block_index {
    uint64_t order; /* of its first entry */
    uint64_t at;    /* in the file */
} block_index;

/* Owned by the caller. */
char *run_path(const char *folder, uint64_t file);

err *run_failed(const char *what, const char *path, int code);

/* What is spoilt goes: the next start finds it missing, and fills the base anew. */
err *run_spoilt(const char *path);

/* Read `len` bytes at `at`: all of them, or an error. */
err *run_read(const char *path, int fd, char *to, size_t len, uint64_t at);

/* The checksum of a block of `len` bytes with its head, at `at` of the file. */
uint64_t run_block_sum(const char *block, size_t len, uint64_t file, uint64_t at);

/* Read the index of a segment, block_count long, and its filter, if `filter` is not NULL. */
err *run_read_tail(const char *path, int fd, const run_segment *s, block_index *index,
                   uint64_t *filter);

static inline uint64_t run_end(const run_segment *s) { return s->at + s->len; }
