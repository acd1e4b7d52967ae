#include "state/bundle.h"

#include <inttypes.h>
#include <string.h>
#include <xxhash.h>

#define MAGIC "SLBUNDL"
#define VERSION '1'

enum { MAGIC_BYTES = 8 };
static const uint32_t END_MARK = UINT32_MAX;

typedef struct item_head {
    uint32_t name_len, zero;
    uint64_t len, sum;
} item_head;
_Static_assert(sizeof(item_head) == BUNDLE_END_BYTES, "as it is stored");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "stored as it lies in memory");

static uint64_t sum_of(const char *name, size_t name_len, const void *bytes, size_t len) {
    return XXH3_64bits_withSeed(bytes, len, XXH3_64bits(name, name_len));
}

static void count_in(bundle_sums *sums, uint64_t sum) {
    uint64_t both[2] = { sums->sum, sum };
    sums->sum = XXH3_64bits(both, sizeof both);
    sums->count++;
}

void bundle_begin(buf *out, bundle_sums *sums) {
    *sums = (bundle_sums){ 0 };
    buf_put_text(out, MAGIC);
    buf_put_char(out, VERSION);
}

void bundle_put(buf *out, bundle_sums *sums, const char *name, const void *bytes, size_t len) {
    size_t name_len = strlen(name);
    item_head head = { .name_len = (uint32_t)name_len, .len = len };
    head.sum = sum_of(name, name_len, bytes, len);
    count_in(sums, head.sum);
    buf_put(out, &head, sizeof head);
    buf_put(out, name, name_len);
    buf_put(out, bytes, len);
}

void bundle_end(buf *out, const bundle_sums *sums) {
    item_head head = { .name_len = END_MARK, .len = sums->count, .sum = sums->sum };
    buf_put(out, &head, sizeof head);
}

err *bundle_open(bundle_reader *r, const char *what, const char *bytes, size_t len) {
    *r = (bundle_reader){ .what = what, .at = bytes + MAGIC_BYTES, .end = bytes + len };
    if (len < MAGIC_BYTES || memcmp(bytes, MAGIC, MAGIC_BYTES - 1) != 0)
        return err_new(ERR_REFUSED,
                       "%s is not what it should be: it does not begin with \"" MAGIC "\"",
                       what);
    if (bytes[MAGIC_BYTES - 1] != VERSION)
        return err_new(ERR_REFUSED,
                       "%s is of version %c of its format, this sluice reads %c: use the one that "
                       "wrote it, or a newer one",
                       what, bytes[MAGIC_BYTES - 1], VERSION);
    return NULL;
}

static err *damaged(const bundle_reader *r) {
    return err_new(ERR_REFUSED, "%s is damaged or cut behind item %" PRIu64, r->what,
                   r->sums.count);
}

err *bundle_next(bundle_reader *r, bundle_item *item, bool *more) {
    item_head head;
    *more = false;
    if ((size_t)(r->end - r->at) < sizeof head) return damaged(r);
    memcpy(&head, r->at, sizeof head);
    size_t left = (size_t)(r->end - r->at) - sizeof head;
    if (head.zero) return damaged(r);
    if (head.name_len == END_MARK) {
        bool right = !left && head.len == r->sums.count && head.sum == r->sums.sum;
        return right ? NULL : damaged(r);
    }
    if (head.name_len > left || head.len > left - head.name_len) return damaged(r);
    *item = (bundle_item){ .name_len = head.name_len, .len = head.len };
    item->name = r->at + sizeof head;
    item->bytes = item->name + head.name_len;
    if (sum_of(item->name, item->name_len, item->bytes, item->len) != head.sum) return damaged(r);
    count_in(&r->sums, head.sum);
    r->at = item->bytes + item->len;
    *more = true;
    return NULL;
}
