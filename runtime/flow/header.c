#include "runtime/flow/header.h"

#include <inttypes.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/codec/codec.h"
#include "runtime/operator/work.h"

static void make_room(input *in) {
    if (in->header_count >= in->partition_count) return;
    in->headers = mem_realloc(in->headers, in->partition_count * sizeof *in->headers);
    while (in->header_count < in->partition_count)
        in->headers[in->header_count++] = (column_header){ 0 };
}

/* A batch that was undone brings its header again. */
static bool is_header(const column_header *h, const sl_record *r) {
    return !h->text.data || h->offset == r->offset;
}

static err *keep(const input *in, column_header *h, const sl_record *r) {
    if (h->text.data) return NULL;
    err *e = decoder_check_header(in->plan, r->value, in->partitions[r->partition].topic);
    if (e) return e;
    h->text = (sl_string){ .data = mem_copy_text(r->value.data, r->value.len),
                           .len = r->value.len };
    h->offset = r->offset;
    return NULL;
}

/* Whether partition `p` is read from its beginning. */
static bool is_at_begin(const input *in, uint32_t p) {
    for (uint32_t i = 0; i < in->range_count; i++)
        if (in->ranges[i].partition == p) return in->ranges[i].from <= in->partitions[p].begin;
    return true;
}

err *header_take(input *in) {
    uint32_t kept = 0;
    make_room(in);
    for (uint32_t i = 0; i < in->load.records.count; i++) {
        const sl_record *r = &in->load.records.items[i];
        column_header *h = &in->headers[r->partition];
        if (!is_header(h, r)) {
            in->load.records.items[kept++] = *r;
            continue;
        }
        if (!h->text.data && !is_at_begin(in, r->partition))
            return err_new(ERR_DATA,
                           "%s: reading begins at line %" PRId64 ", behind the header line that "
                           "names the columns: read from the beginning, or name them by columns = "
                           "{ … } and header = false",
                           in->partitions[r->partition].topic, r->offset + 1);
        err *e = keep(in, h, r);
        if (e) return e;
    }
    in->load.records.count = kept;
    return NULL;
}

void header_restore(input *in, uint32_t p, const sl_string *text, int64_t offset) {
    make_room(in);
    in->headers[p].text =
        (sl_string){ .data = mem_copy_text(text->data, text->len), .len = text->len };
    in->headers[p].offset = offset;
}

void header_free(input *in) {
    for (uint32_t i = 0; i < in->header_count; i++) mem_free((char *)in->headers[i].text.data);
    mem_free(in->headers);
}
