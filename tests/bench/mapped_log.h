#pragma once
/* A log of record batches in mapped memory, and the answers that a leader would cut it into. For
 * the programs of this folder: what is wrong with a log ends them. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/connect/fetch_wire.h"
#include "runtime/connect/record_batch.h"

enum { MAPPED_ANSWER = 512 << 10, /* bytes of a partition: as the reader asks for */
       MAPPED_MOST = 64 << 20,    /* of a batch, unpacked */
       MAPPED_LENGTH_FROM = 12 };

typedef struct mapped {
    const char *at, *end;
} mapped;

static inline void mapped_fail(const char *what) {
    fprintf(stderr, "mapped log: %s\n", what);
    exit(1);
}

/* All pages are there when it returns. */
static inline mapped mapped_open(const char *path) {
    struct stat about;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &about) || !about.st_size) mapped_fail(path);
    size_t len = (size_t)about.st_size;
    const char *at = mmap(NULL, len, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (at == MAP_FAILED) mapped_fail(strerror(errno));
    close(fd);
    return (mapped){ at, at + len };
}

/* Bytes of the batch at `at`. */
static inline int32_t mapped_batch_bytes(const char *at, const char *end) {
    wire_reader r = { .at = at + sizeof(int64_t), .end = end };
    int32_t len = MAPPED_LENGTH_FROM + wire_int32(&r);
    if (len < BATCH_HEADER || len > end - at) mapped_fail("a batch is cut short");
    return len;
}

/* Bytes of the whole batches that an answer has which begins at `at`: one at least. */
static inline int32_t mapped_answer_bytes(const char *at, const char *end) {
    int32_t len = 0;
    while (end - at - len >= BATCH_HEADER) {
        int32_t more = mapped_batch_bytes(at + len, end);
        if (len && len + more > MAPPED_ANSWER) break;
        len += more;
    }
    return len;
}
