#pragma once
/* Files of JSON lines as source and sink; `-` is stdin or stdout.
 *
 * Source. Options: `path`, `follow`. One partition, whose offsets are line numbers from 0: a blank
 * line (nothing but spaces and tabs) is no record but keeps its number. CR LF ends a line too; a
 * last line without a newline is a record. Keys are null, there is no time. `end` is INT64_MAX
 * until the end of the file was seen, then the number of lines, and `ended`. A fetch from stdin
 * ends when no more comes for a moment, so that what came is not held back. Files can be fetched
 * again from any line; stdin cannot go back. A followed file never ends: `end` is its number of
 * whole lines, a last line without a newline waits for the rest. It may only grow: one that was
 * cut short, replaced or removed is an error, once all that the old one held has been read.
 *
 * Sink. Options: `path`, `append`. A batch is held in memory until flush:
 *   "-"        written to stdout; the process ignores SIGPIPE, so that a reader gone is an error
 *   append     added to the file `path`, then fsync; a half line of a killed process is ended
 *              first. Opening only looks whether it can be made: the first row makes it
 *   otherwise  one file a batch in the directory `path` (made if missing), batch-000000000042.jsonl
 *              and so on, published by rename: whole or not there. A batch without rows has
 *              none; one done again replaces its file.
 * Rows are values, one a line, or envelopes where the plan says so; side sinks always get
 * envelopes. */
#include "runtime/shared/connect.h"

extern const sl_source_ops file_source_ops;
extern const sl_sink_ops file_sink_ops;
