#include "runtime/cli/checkpoint_ways.h"

#include <string.h>

#include "runtime/base/mem.h"

static bool is_stored(const survey *v) { return v->count || v->commits.count || v->has_head; }

static bool is_kafka(const stored *s) {
    const sl_string *ledger = &s->plan->checkpoint.ledger;
    return ledger->len == 5 && !memcmp(ledger->data, "kafka", 5);
}

/* The cluster's address, for the commands of its tools. */
static void put_brokers(buf *out, const stored *s) {
    const sl_value *options = s->plan->checkpoint.options;
    for (uint32_t i = 0; options && i < options->item_count; i++) {
        const sl_value *item = &options->items[i];
        if (item->kind != SL_TEXT || item->name.len != 7 || memcmp(item->name.data, "brokers", 7))
            continue;
        buf_put(out, item->text.data, item->text.len);
        return;
    }
    buf_put_text(out, "BROKERS");
}

static bool has_group(const stored *s) { return is_kafka(s) && s->count; }

static void put_delete_group(buf *out, const stored *s) {
    const sl_string *group = &s->plan->checkpoint.group;
    buf_put_text(out, "kafka-consumer-groups.sh --bootstrap-server ");
    put_brokers(out, s);
    buf_printf(out, " --delete --group %.*s", (int)group->len, group->data);
}

void ways_put_rest(buf *out, const stored *s, const survey *v) {
    if (has_group(s)) {
        buf_put_text(out, "the consumer group (`");
        put_delete_group(out, s);
        buf_put_text(out, "`)");
    }
    if (is_stored(v))
        buf_printf(out, "%sthe folder `%s/` in %s", has_group(s) ? " and " : "", s->name,
                   s->store.url);
}

/* A line each. */
static void put_deleting(buf *out, const stored *s, const survey *v) {
    if (is_stored(v))
        buf_printf(out, "    (delete the folder `%s/` in %s)\n", s->name, s->store.url);
    if (!has_group(s)) return;
    buf_put_text(out, "    ");
    put_delete_group(out, s);
    buf_put_char(out, '\n');
}

/* Offsets alone say how far each partition of the sources was read. */
static bool has_offsets(const stored *s) {
    return has_group(s) && !s->trouble && !s->plan->checkpoint.topic.data;
}

void ways_put(buf *out, const stored *s, const survey *v) {
    buf_printf(out, "ways to go on:\n"
                    "- it ran with another folder or bucket, or this is a copy: give that one "
                    "instead of %s\n"
                    "- there is a file of `sluice checkpoint export` (what came out since comes "
                    "again):\n",
               s->store.url);
    put_deleting(out, s, v);
    buf_printf(out, "    sluice checkpoint import %s FILE\n", s->operands);
    if (has_offsets(s))
        buf_printf(out, "- with empty state, from where it stands in Kafka, under another name:\n"
                        "    sluice checkpoint fork %s NEW --offsets-only\n"
                        "    sluice run %s --set name=NEW\n",
                   s->operands, s->to_run);
    buf_put_text(out, "- with empty state, from `start`:\n");
    put_deleting(out, s, v);
    buf_printf(out, "    sluice run %s", s->to_run);
}
