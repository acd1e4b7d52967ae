#pragma once
/* What the files of the commit share: commit.c (a batch and its pointer as one), behind.c (rows
 * first). */
#include "runtime/flow/commit.h"

/* A part of a commit; it may be tried again where its error says so. */
typedef err *commit_once(pipeline *p, const commit_work *work);

/* Until it is done, or cannot be. `begins`: what the ledger has begun is given up before another
 * try. thread: any. */
err *commit_try(pipeline *p, commit_once *once, bool begins, const commit_work *work);

/* Commit the pointer `which` for `marks`. */
err *commit_text(const keeper *k, const pointer *which, const sl_mark *marks, uint32_t count);
