/* CSV → rows: the first line of an input is the header, or there are the plan's columns; the rest
 * is one record. Also columns of text as they are, without quotes. The first byte says which. */
#include "tests/fuzz/kit.h"

static const char SCRIPT[] =
    "local sluice = require 'sluice'\n"
    "local function done(s) return s:to(sluice.kafka { topic = 'out' }) end\n"
    "local kafka, file = sluice.kafka, sluice.file\n"
    "return sluice.pipeline { name = 'fuzz', checkpoint = 'none',\n"
    "   done(kafka { topics = 'order' }:csv {\n"
    "      sluice.string 's', sluice.int64 'n', sluice.double 'd', sluice.bool 'b',\n"
    "      sluice.timestamp('t', 'iso'), sluice.date 'a', sluice.decimal('m', 20, 4) }),\n"
    "   done(file { path = 'x.csv' }:csv { header = true, null = 'NA',\n"
    "      sluice.string 's' :required(), sluice.int64 'n', sluice.double 'd' :range(0, 5) }),\n"
    "   done(kafka { topics = 'plain' }:csv { delimiter = '\\t', quote = '',\n"
    "      sluice.string 'a', sluice.string 'c' }) }\n";

static fuzz_source sources[3];

static void open_all(void) {
    const sl_plan *plan = fuzz_plan(SCRIPT);
    for (uint32_t i = 0; i < 3; i++) sources[i] = fuzz_open(&plan->sources[i]);
}

/* A decoder keeps what it learned of a header by its address: each header has one of its own. */
static void with_header(const uint8_t *data, size_t len) {
    const uint8_t *end = memchr(data, '\n', len);
    size_t header_len = end ? (size_t)(end - data) : len;
    char *header = malloc(header_len + 1);
    memcpy(header, data, header_len);
    fuzz_source f = fuzz_open(sources[1].plan);
    sl_string text = { .data = header, .len = (uint32_t)header_len };
    if (end) header_len++;
    fuzz_decode(&f, data + header_len, len - header_len, false, text, NULL);
    fuzz_decode(&f, data + header_len, len - header_len, false, text, NULL);
    fuzz_close(&f);
    free(header);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    if (!len) return 0;
    if (!sources[0].plan) open_all();
    uint32_t which = data[0] % 3;
    buf row;
    buf_init(&row);
    if (which == 1)
        with_header(data + 1, len - 1);
    else
        fuzz_decode(&sources[which], data + 1, len - 1, false, (sl_string){ 0 }, &row);
    buf_done(&row);
    return 0;
}
