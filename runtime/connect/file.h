#pragma once
/* Files of JSON lines as source and sink; `-` is stdin or stdout.
 *
 * Source. Options: `path` (a text) or `paths` (a list), each a path or a pattern; `without` (a
 * list): files, or folders of them, that no pattern means; `follow`. A
 * partition a file: its topic is the path, its number 0; offsets are line numbers from 0: a blank
 * line (nothing but spaces and tabs) is no record but keeps its number. CR LF ends a line too; a
 * last line without a newline is a record. `.gz` and `.zst` are unpacked. Keys are null, there is
 * no time. `end` is INT64_MAX until the end of the file was seen, then the number of lines, and
 * `ended`. A fetch from stdin ends when no more comes for a moment, so that what came is not held
 * back. Files can be fetched again from any line; stdin cannot go back.
 *
 * Followed: `end` is the number of whole lines, a last line without a newline waits for the rest.
 * When another file takes the name, or the file is cut short, what it holds is its last, and the
 * partition ended; the next one under the name has the next number. New files that match a pattern
 * are new partitions; a file that was only renamed is the one it was. One that was cut short and
 * has grown beyond its old length before anybody looked (a second) is not noticed. A packed file
 * ends with its last whole member.
 *
 * Sink. Options: `path`, `append`. A batch is held in memory until flush:
 *   "-"        written to stdout; the process ignores SIGPIPE, so that a reader gone is an error
 *   append     added to the file `path`, then fsync; a half line of a killed process is ended
 *              first. Opening only looks whether it can be made: the first row makes it
 *   otherwise  one file a batch in the directory `path` (made if missing), batch-000000000042.jsonl
 *              and so on, published by rename: whole or not there. A batch without rows has
 *              none; one done again replaces its file.
 * With a checkpoint (SL_SINK_BY_BATCH) rows of a batch that was not committed leave no trace: a
 * file a batch is replaced or removed, a growing file is cut back to the length that is committed.
 * The file or directory is therefore the sink's alone. One that was moved away begins anew; a
 * growing one that is shorter than what is committed is ERR_REFUSED. A growing file that is new in
 * a pipeline with a checkpoint has `.NAME.begin` beside it until its first commit.
 * Rows are values, one a line, or envelopes where the plan says so; side sinks always get
 * envelopes. */
#include "runtime/shared/connect.h"

extern const sl_source_ops file_source_ops;
extern const sl_sink_ops file_sink_ops;
