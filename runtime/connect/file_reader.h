#pragma once
/* One file, read line by line, plain or unpacked on the way (unpack.h, by its name). Offsets are
 * line numbers from 0; file.h says what is a record. A file that is followed never ends until
 * file_reader_finish. One owner (the source); thread: the owner's. */
#include <stdbool.h>
#include <sys/types.h>

#include "runtime/base/err.h"
#include "runtime/connect/unpack.h"
#include "runtime/shared/connect.h"

struct arena;

typedef struct file_reader {
    const sl_system *system; /* borrowed until free */
    char *path;              /* owned; as it was found */
    int fd;                  /* owned, but for stdin; -1: not open */
    bool is_stdin;
    bool is_regular; /* reading never waits */
    bool is_at_eof;  /* all bytes are in the buffer; of a followed one: no more will come */
    bool is_followed;
    bool is_caught_up;  /* followed: the last read gave nothing; what was appended comes later */
    bool is_done;       /* followed: another file stands in its place, or it was cut short */
    dev_t device;       /* with `inode`: which file it is */
    ino_t inode;        /* 0: not known, or not to be known again */
    int64_t resume_at;  /* lines that an earlier run has read, if regular */
    int64_t read_bytes; /* up to where the file has been read, as it is stored */
    unpacker *unpack;   /* owned; NULL: plain */
    char *packed;       /* owned; bytes [packed_from, packed_to) are read but not unpacked */
    size_t packed_from, packed_to;
    char *data; /* owned; bytes [from, to) are unpacked but not taken */
    size_t from, to, room;
    size_t searched;        /* bytes behind `from` that hold no newline */
    sl_partition partition; /* position: number of the line at `from` */
} file_reader;

/* A reader of the file `path` (copied), not open yet; `number`: of its partition. */
file_reader *file_reader_new(const sl_system *system, const char *path, int32_t number,
                             bool is_followed);
void file_reader_free(file_reader *f);

/* Earlier runs have read `lines` of it: reading goes on behind them. Before it is opened. */
void file_reader_resume(file_reader *f, int64_t lines);

/* Open the file and read its beginning: the end of a small one is known afterwards. ERR_IO names
 * where it was looked for. ERR_DATA: it has fewer lines than were read; one that is followed then
 * stands at its end, before resume_at. */
err *file_reader_open(file_reader *f);

/* Give back file and memory; it can be opened again, from its beginning. */
void file_reader_rest(file_reader *f);

/* Followed: read what was appended since the last read gave nothing; does not wait. */
err *file_reader_grow(file_reader *f);

/* Followed: no more comes; a last line without a newline is one, too. */
void file_reader_finish(file_reader *f);

/* Whether a whole line is there. */
bool file_reader_has_line(file_reader *f);

/* Not regular: wait for bytes up to `timeout_ms`, and read them. */
err *file_reader_wait(file_reader *f, int64_t timeout_ms);

/* Bring the lines of `range` as sl_source_ops.fetch does; `index`: of the partition. `until_ms`:
 * of the system's steady clock. */
err *file_reader_fetch(file_reader *f, sl_range *range, int64_t max_bytes, int64_t until_ms,
                       sl_records *records, struct arena *bytes);

/* Behind a fetch: read on if that tells the end before the next batch is planned. */
err *file_reader_settle(file_reader *f);
