#pragma once
/* Steps, the edges of a plan's graph (plan.h): part of the plan, read-only for C.
 *
 *   source ───▶ step ──▶ output ──▶ aggregate ──▶ step ──▶ …
 *                   ├──▶ output ──▶ distinct, and on into its step `next`: the same rows
 *                   ├──▶ output ──▶ flat_map, and on into its step `next`: new rows
 *                   └──▶ output ──▶ sink
 *
 * A step is the tree of stateless stages (filter, derive, select) behind a source, an aggregate, a
 * distinct or a flat_map; its ends are outputs, at most SL_MAX_OUTPUTS, in the script's order. What
 * a row passed is a mask of outputs.
 *
 * Steps form trees: the root is behind a source or an aggregate, the others each behind one output
 * of their parent, which has a lower index. Aggregates, distincts and sinks may take several
 * outputs, of several trees: that is all there is to a union.
 *
 * `level` says in which round of a chunk's phases something is done: 0 at the root, one more behind
 * each distinct. Functions of a level, then its distincts and aggregates; whatever takes rows of
 * several levels waits for the highest. */
#include "runtime/shared/output.h"
#include "runtime/shared/types.h"

enum { SL_MAX_OUTPUTS = 31 };

typedef struct sl_step {
    uint32_t driver;          /* Lua driver; only called when `has_functions` */
    uint32_t has_functions;   /* 0: every row goes to every output */
    const sl_output *outputs; /* at most SL_MAX_OUTPUTS: a bit each in masks */
    uint32_t output_count;
    uint32_t node_count;          /* user functions in it, numbered in the script's order, <= 31 */
    const uint32_t *node_outputs; /* per node: mask of the outputs behind it, lost when it throws */
    uint32_t root;                /* index of its tree's root: itself, if it is one */
    uint32_t parent;              /* index; a root: SL_NO_STEP */
    uint32_t parent_output;       /* which of the parent's outputs leads here */
    uint32_t level;               /* of the phase in which it works, see above */
    uint32_t row_size;            /* bytes of its rows, a multiple of 8 */
    uint32_t null_words;          /* 64-bit words behind the header */
    uint32_t going_on;            /* mask of outputs that are no sinks */
    uint32_t first_node;          /* number of its first function in the driver that calls it:
                                     behind an aggregation results come first */
} sl_step;

/* How state leaves memory past the budget (lua/sluice/analyse/spill.lua says what does). */
enum sl_spill {
    SL_SPILL_NONE = 0, /* not at all */
    SL_SPILL_PARTS,    /* what comes later is another part, merged when the window closes */
    SL_SPILL_CACHED,   /* what is touched is brought back before */
};

/* The first row of each key passes, repeats are dropped while the watermark is before the first
 * row's time + within; rows for which it is not are late. */
typedef struct sl_distinct {
    sl_string name;       /* of its state: given, or "distinct" */
    int64_t within_ms;    /* > 0; INT64_MAX: forever, nothing is late */
    int32_t late;         /* index of the sink for late rows; -1: counted only */
    uint32_t level;       /* of the phase in which it works, see above */
    const sl_feed *feeds; /* outputs that feed it */
    uint32_t feed_count;
    int32_t spills;  /* sl_spill */
    int64_t pane_ms; /* keys that may come again within so long of each other go together;
                        > 1; forever: nothing goes */
} sl_distinct;
