/* An answer of a leader → blocks → records. Checksums are set right first, but for one input in
 * eight: else nothing would come past them. The first byte says this, and the isolation. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/connect/crc32c.h"
#include "runtime/connect/fetch_answer.h"

enum { MOST = 1 << 20,
       LENGTH_FROM = 12,
       CRC_AT = 17,
       CRC_FROM = 21 };

static uint32_t number_at(const char *at) {
    const uint8_t *b = (const uint8_t *)at;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static void set_checksums(char *at, char *end) {
    while (end - at > BATCH_HEADER) {
        uint32_t len = number_at(at + 8);
        if (len < BATCH_HEADER - LENGTH_FROM || len > (size_t)(end - at - LENGTH_FROM)) return;
        uint32_t crc = crc32c(at + CRC_FROM, len + LENGTH_FROM - CRC_FROM);
        for (int i = 0; i < 4; i++) at[CRC_AT + i] = (char)(crc >> (24 - 8 * i));
        at += LENGTH_FROM + len;
    }
}

/* Read every byte, so that the sanitizer sees what is not there. */
static volatile uint32_t sum;

static void touch(const sl_string *s) {
    for (uint32_t i = 0; s->data && i < s->len + ARENA_PADDING; i++) sum += (uint8_t)s->data[i];
}

/* Marks are of sound records only, and say what a walk will find. */
static void expand(const record_block *b, arena *memory) {
    sl_record *marked = malloc((b->count ? b->count : 1) * sizeof *marked), r;
    record_block walked = *b;
    record_block_expand(b, 0, marked);
    for (uint32_t i = 0; i < b->count; i++) {
        if (record_block_read(&walked, memory, &r) || r.offset != marked[i].offset) abort();
        if (r.value.data != marked[i].value.data || r.key.data != marked[i].key.data) abort();
    }
    free(marked);
}

static void walk(record_block *b, arena *memory) {
    int64_t left = b->count;
    if (b->marks) expand(b, memory);
    while (b->count) {
        sl_record r;
        err *e = record_block_read(b, memory, &r);
        if (!e && (r.offset < b->base || r.offset >= b->end || --left < 0)) abort();
        for (uint32_t i = 0; !e && i < r.header_count; i++) {
            touch(&r.headers[i].name);
            touch(&r.headers[i].value);
        }
        if (!e) touch(&r.key);
        if (!e) touch(&r.value);
        err_free(e);
        if (e) return;
    }
}

static void take(const wire_partition *p, bool is_committed, unpack_tools *tools) {
    arena memory;
    arena_init(&memory, 1 << 12);
    fetch_chain chain = { 0 };
    fetch_wanted wanted = { 3, is_committed, MOST, INT64_MAX, tools };
    bool is_cut;
    int64_t end = fetch_skim(p, wanted.offset);
    err *e = fetch_unpack(p, &wanted, &chain, &is_cut);
    if (!e && chain.last && chain.last->end != end) abort();
    for (record_block *b = chain.first; b; b = b->next) walk(b, &memory);
    err_free(e);
    fetch_chain_free(&chain);
    arena_done(&memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    static unpack_tools *tools;
    if (!tools) tools = unpack_tools_new();
    if (!len) return 0;
    uint8_t choice = data[0];
    char *copy = malloc(len - 1 ? len - 1 : 1);
    memcpy(copy, data + 1, len - 1);
    wire_partition p;
    wire_fetch_reader r = wire_fetch_open(copy, len - 1);
    while (wire_fetch_next(&r, &p)) {
        char *records = copy + (p.records - copy);
        if (choice & 7) set_checksums(records, records + p.records_len);
        take(&p, choice & 8, tools);
    }
    free(copy);
    return 0;
}
