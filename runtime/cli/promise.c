#include "runtime/cli/promise.h"

#include <inttypes.h>
#include <string.h>

#include "runtime/flow/keeper.h"

void promise_put(buf *out, const pipeline *p) {
    const keeper *k = p->keeper;
    if (!k) {
        buf_put_text(out, "none: nothing is committed, a restart begins at `start` with empty "
                          "state, delivery is at-least-once");
        return;
    }
    bool is_exact = k->plan->delivery == SL_EXACTLY_ONCE, is_kafka = !strcmp(k->ops->name, "kafka");
    buf_printf(out, "%s: ", k->store.url);
    if (k->is_fresh)
        buf_put_text(out, "the first run");
    else
        buf_printf(out, "goes on with batch %" PRIu64, p->batch);
    if (k->has_planned) buf_put_text(out, ", which an earlier run did not finish");
    buf_printf(out, "; progress is committed %s%s, delivery is %s",
               is_kafka ? "in Kafka, group " : "there",
               is_kafka ? k->group : "",
               is_exact ? "exactly-once" : "at-least-once");
}
