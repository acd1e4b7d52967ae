#pragma once
/* What the files of the keeper share: keeper_open.c (what is there), keeper_load.c (objects into
 * tables), keeper_start.c (progress into inputs and sinks, the first commit), commit.c. */
#include "runtime/flow/keeper.h"

/* Read the objects of k->current into the workers' tables, k->loaded and k->positions. */
err *keeper_load(pipeline *p);

/* What was loaded of source `number`; NULL: nothing. */
const progress_source *keeper_loaded(const keeper *k, uint32_t number);

/* Tell each input of what was loaded. */
void keeper_tell_inputs(pipeline *p);

/* Put the text of the running script into the store, for replays. */
err *keeper_keep_script(const pipeline *p);

/* Whether partitions of sources are committed, and not one mark that stands for all. */
bool keeper_marks_sources(const keeper *k);

/* The marks of a commit behind which `batch` is the next, into k->marks. */
void keeper_collect_marks(pipeline *p, uint64_t batch);

/* An error of a checkpoint that cannot be used: what is wrong; `way_out`: what to do. */
err *keeper_refuse(const pipeline *p, const char *way_out, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The one of an earlier run that has flushed. */
err *keeper_refuse_more(const pipeline *p);
