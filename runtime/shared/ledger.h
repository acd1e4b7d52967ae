#pragma once
/* Where the progress of a pipeline is committed: the pointer to its state, and how far each
 * partition is read, in one atomic act, with the outputs of the sinks that take part. Implemented
 * in connect/ (Kafka: a transaction, or a plain commit of offsets), state/ (a pipeline without
 * Kafka: an object in the store) and, in memory, by the test kit.
 *
 *   open ─▶ read ─▶ begin ─▶ sinks write, flush ─▶ commit ─▶ begin ..
 *                     └──────────◀── abort ◀──────────┘ (retriable)
 *
 * thread: one at a time: flow's main, or its commits' (flow/commit.h). */
#include "runtime/shared/plan.h"

struct err;
struct sl_system;

enum { SL_POINTER_BYTES = 128 }; /* of a pointer's text, with the NUL; Kafka takes 4096 */

/* How far a partition is read. */
typedef struct sl_mark {
    const char *topic; /* borrowed from whoever gives it */
    int32_t partition;
    int32_t unused;
    int64_t offset; /* the next to be read */
} sl_mark;

/* What is committed for one partition. */
typedef struct sl_committed {
    sl_mark mark;
    char pointer[SL_POINTER_BYTES]; /* the text committed with it; "": none. Cut if longer */
} sl_committed;

typedef struct sl_ledger_ops {
    const char *name;
    /* Connect, and shut out whoever worked under the same name (Kafka: init_transactions ends what
     * it left open). ERR_BROKER, ERR_AUTH: as for a source. */
    struct err *(*open)(const sl_checkpoint *plan, const struct sl_system *system, void **ledger);
    /* Read what is committed, of all partitions there is something of, stable: a commit under way
     * is waited for. `items`: borrowed until the next read or close. */
    struct err *(*read)(void *ledger, const sl_committed **items, uint32_t *count);
    /* Id of the cluster it is kept in, "": none. Borrowed until close. NULL: none ever. */
    const char *(*cluster)(void *ledger);
    /* Before the first commit of a run, after read: make sure that nobody else works here.
     * ERR_FENCED: the group has members, or another process holds the lock; says who if known. */
    struct err *(*claim)(void *ledger, const char *pointer, const sl_mark *marks, uint32_t count);
    /* What the sinks write from now on becomes visible with the next commit, or never. */
    struct err *(*begin)(void *ledger);
    /* Commit `pointer` for every one of `marks`, which are never none. Returns once it is known
     * how that went: waits while it is not, until stop_now. Errors:
     *   retriable    nothing of it is committed; after abort the same batch can begin again
     *   ERR_FENCED   somebody else works under this name: stop at once, commit nothing more
     *   others       for good */
    struct err *(*commit)(void *ledger, const char *pointer, const sl_mark *marks, uint32_t count);
    /* Give up what was begun; sinks have let go. Errors as of commit. Also makes a lost handle
     * anew (a pause longer than the transaction's timeout), after a look whether the pointer is
     * still ours. */
    struct err *(*abort)(void *ledger);
    /* Between batches, cheap to call often: looks about once a second whether what is committed is
     * what was committed here last. ERR_FENCED: it is not; what was seen, and the way out. */
    struct err *(*check)(void *ledger);
    /* Abort what is open and let go. */
    void (*close)(void *ledger);
} sl_ledger_ops;
