#pragma once
/* The ledger of a pipeline without Kafka: each commit is an object NAME/commit/<batch> of the store,
 * made only if there is none. Whoever finds it there is fenced; on a file system a lock keeps a
 * second process out from the start. Old ones go as new ones come. */
#include "runtime/shared/ledger.h"
#include "state/store.h"

/* `ledger` is then used through store_ledger_ops. */
err *store_ledger_new(store *its_store, const char *pipeline, void **ledger);

extern const sl_ledger_ops store_ledger_ops; /* its `open` is not set: made by the above */
