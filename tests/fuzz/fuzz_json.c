/* JSON → rows, by a flat schema and by a nested one; what was read, written and read again is the
 * same. The first byte says which, and whether it is a key. */
#include "tests/fuzz/kit.h"

static const char SCRIPT[] =
    "local sluice = require 'sluice'\n"
    "local function source(name) return sluice.kafka { topics = name } end\n"
    "local function done(s) return s:to(sluice.kafka { topic = 'out' }) end\n"
    "return sluice.pipeline { name = 'fuzz', checkpoint = 'none',\n"
    "   done(source 'flat':json {\n"
    "      sluice.string 's', sluice.int32 'i', sluice.int64 'n', sluice.int64 'x' :exact(),\n"
    "      sluice.double 'd', sluice.bool 'b', sluice.timestamp 't', sluice.bytes 'y',\n"
    "      sluice.date 'a', sluice.decimal('m', 20, 4) }),\n"
    "   done(source 'nested':json {\n"
    "      sluice.list('l', 'int64'), sluice.map('p', 'string'), sluice.list('ld', 'double'),\n"
    "      sluice.struct('u', { sluice.string 'id', sluice.list('w', 'string') }),\n"
    "      sluice.list('s', sluice.struct { sluice.int64 'i' :required(), sluice.bytes 'y',\n"
    "         sluice.decimal('m', 6, 2) :default(1), sluice.date 'a', sluice.bool 'b',\n"
    "         sluice.map('p', sluice.list('double')), sluice.timestamp('t', 'ms') }) }),\n"
    "   done(source 'paths':json {\n"
    "      sluice.string 'id' :from 'u.id' :required(), sluice.double 'lat' :from 'u.at.lat',\n"
    "      sluice.timestamp('iso', 'iso') :from 'u.iso', sluice.int64 'k' :from_key 'k',\n"
    "      sluice.timestamp('us', 'us'), sluice.int32 'r' :range(-5, 5) :default(1),\n"
    "      sluice.string 'o' :one_of { 'a', 'b' } }) }\n";

static const sl_plan *plan;

static void must_equal(buf *a, buf *b) {
    if (a->len != b->len || (a->len && memcmp(a->data, b->data, a->len)))
        fuzz_fail(buf_text(a), buf_text(b));
}

/* A decoder learns the shape of documents: it gives the same for the second, or refuses both. */
static bool decode_twice(fuzz_source *f, const uint8_t *data, size_t len, bool is_key, buf *out) {
    buf again;
    buf_init(&again);
    const sl_string none = { 0 };
    bool is_good = fuzz_decode(f, data, len, is_key, none, out);
    if (fuzz_decode(f, data, len, is_key, none, &again) != is_good)
        fuzz_fail("a document", "read at one time, refused at another");
    must_equal(out, &again);
    buf_done(&again);
    return is_good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    if (!len) return 0;
    if (!plan) plan = fuzz_plan(SCRIPT);
    uint32_t which = data[0] % 4;
    bool is_key = which == 3, returns = which < 2;
    fuzz_source f = fuzz_open(&plan->sources[is_key ? 2 : which]);
    buf first, again;
    buf_init(&first);
    buf_init(&again);
    if (decode_twice(&f, data + 1, len - 1, is_key, &first) && returns) {
        if (!decode_twice(&f, (const uint8_t *)first.data, first.len, false, &again))
            fuzz_fail("what was written cannot be read", buf_text(&first));
        must_equal(&first, &again);
    }
    buf_done(&first);
    buf_done(&again);
    fuzz_close(&f);
    return 0;
}
