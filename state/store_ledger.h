#pragma once
/* The ledger of a pipeline without Kafka: each commit is an object NAME/commit/<number> of the
 * store, made only if there is none; numbers count commits, so that going back to an earlier
 * pointer is one more. Whoever finds the next number taken is fenced; where the store can lock, a
 * second process is kept out from the start. Old ones go as new ones come. */
#include "runtime/base/clock.h"
#include "runtime/shared/ledger.h"
#include "state/store.h"

typedef struct store_ledger_config {
    store *store;                     /* borrowed */
    const char *pipeline;             /* its name */
    const char *operands;             /* what commands about it are given, for messages: the script
                                         and its options; borrowed; NULL: not known */
    struct logger *log;               /* borrowed */
    const struct clock_source *clock; /* borrowed; manual: nothing is waited for, no thread */
    bool is_reader;                   /* only to look: takes no lock, commits nothing */
} store_ledger_config;

/* `ledger` is then used through store_ledger_ops. ERR_FENCED: a process holds the lock; says
 * which. */
err *store_ledger_new(const store_ledger_config *config, void **ledger);

extern const sl_ledger_ops store_ledger_ops; /* its `open` is not set: made by the above */
