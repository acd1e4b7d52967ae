#pragma once
/* What output files hold of some batches, for `sluice replay --diff`. A file a batch is known by
 * its number. In a file that grows the lengths between which a batch's rows stand are those that
 * objects of the checkpoint hold; batches between two that are stored are compared together.
 * One owner; thread: main. */
#include "runtime/cli/past.h"
#include "runtime/cli/replay_rows.h"

typedef struct replay_file {
    char *sink;      /* name; owned: a change of the text ends the plan */
    char *path;      /* owned */
    bool in_batches; /* a folder, with a file a batch */
    uint64_t first;  /* then: number of the file of batch 0 */
    int64_t at;      /* else: length behind what was compared */
    int64_t wanted;  /* likewise: bytes that came since */
} replay_file;

typedef struct replay_files {
    replay_file *items; /* owned */
    uint32_t count;
} replay_files;

/* Those of the plan's sinks, as they were before batch `from`, whose replay `p` has begun.
 * ERR_REFUSED: how long one was then is not stored. `f`: replay_files_done, on error, too. */
err *replay_files_open(past *p, uint64_t from, replay_files *f);
void replay_files_done(replay_files *f);

/* Add what a sink was given as the line that its file has; false: it is none of these. */
bool replay_files_row(replay_files *f, const sl_sink *sink, const sl_message *m,
                      replayed_rows *rows);

/* Whether it is one that came with a later text. */
bool replay_files_lack(const replay_files *f, const sl_sink *sink);

/* Behind `batch`: add the lines that the files hold of what was not compared yet. `is_known`: false
 * where that is not stored, and more is to come (`is_last`: no more does). */
err *replay_files_add(replay_files *f, past *p, uint64_t batch, bool is_last, replayed_rows *rows,
                      bool *is_known);
