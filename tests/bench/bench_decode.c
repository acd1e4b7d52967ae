/* Time to decode ride events of 150 bytes into rows. Prints best and median ns a record. Build:
 *     cc -O3 -D_GNU_SOURCE -I. tests/bench/bench_decode.c BUILD/libsl_codec.a BUILD/libsl_base.a \
 *        -lsimdjson -lstdc++ -lm -lpthread */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/codec/codec.h"

enum { RECORDS = 10000,
       RUNS = 41 };

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef struct ride {
    sl_row head;
    sl_string event_id, user_id, event_type;
    double amount;
    int64_t ts;
} ride;

// clang-format off
#define NAME(text) { .data = (text), .len = sizeof(text) - 1 }
#define FIELD(text, kind, member, bit, is_required)                                       \
    { .column = { .name = NAME(text), .offset = offsetof(ride, member), .null_bit = (bit), \
                  .type = (kind) },                                                       \
      .from = SL_FROM_VALUE, .path = &(const sl_string)NAME(text), .path_count = 1,       \
      .required = (is_required) }
// clang-format on

/* `declared` of the fields are in the schema; `form` is what events look like. */
static void run(const char *title, const char *form, uint32_t declared) {
    const sl_field fields[] = {
        FIELD("event_id", SL_STRING, event_id, 0, 1),
        FIELD("user_id", SL_STRING, user_id, 1, 1),
        FIELD("ts", SL_INT64, ts, 2, 1),
        FIELD("event_type", SL_STRING, event_type, 3, 0),
        FIELD("amount", SL_DOUBLE, amount, 4, 0),
    };
    const sl_source source = {
        .name = NAME("rides"),
        .format = NAME("json"),
        .fields = fields,
        .field_count = declared,
        .row_size = sizeof(ride),
        .null_words = 1,
    };
    decoder *d = NULL;
    err *e = decoder_new(&source, &d);
    if (e) {
        fprintf(stderr, "%s\n", e->message);
        exit(1);
    }
    arena bytes, strings;
    arena_init(&bytes, 1 << 20);
    arena_init(&strings, 1 << 16);
    sl_record *records = calloc(RECORDS, sizeof *records);
    size_t total = 0;
    for (int i = 0; i < RECORDS; i++) {
        char text[512];
        int len = snprintf(text, sizeof text, form, rand(), rand(), i, rand() % 1000000,
                           (double)(rand() % 100000) / 100, 1700000000000LL + i);
        records[i].value = (sl_string){ .data = arena_copy(&bytes, text, (size_t)len),
                                        .len = (uint32_t)len };
        total += (size_t)len;
    }
    ride *rows = calloc(RECORDS, sizeof *rows);
    double ns[RUNS];
    bad_record bad;
    const record_origin origin = { .topic = "rides" };
    for (int r = 0; r < RUNS; r++) {
        arena_reset(&strings, 1 << 20);
        int64_t start = now_ns();
        for (int i = 0; i < RECORDS; i++) {
            sl_row *row = &rows[i].head;
            if (decoder_decode(d, &records[i], &origin, row, &strings, &bad)) continue;
            fprintf(stderr, "%s: %s: %s\n", title, bad.path, bad.reason);
            exit(1);
        }
        ns[r] = (double)(now_ns() - start) / RECORDS;
    }
    qsort(ns, RUNS, sizeof *ns, ascending);
    printf("%-28s %5.1f bytes  min %6.1f  median %6.1f ns a record\n", title,
           (double)total / RECORDS, ns[0], ns[RUNS / 2]);
    decoder_free(d);
    free(records);
    free(rows);
    arena_done(&bytes);
    arena_done(&strings);
}

int main(void) {
    static const char RIDE[] =
        "{\"event_id\":\"%08x-%08x-%04x\",\"user_id\":\"user_%06d\",\"event_type\":"
        "\"ride_completed\",\"amount\":%.2f,\"ts\":%lld,\"x\":1}";
    static const char PLAIN[] =
        "{\"event_id\":\"%08x-%08x-%08x-00000000\",\"user_id\":\"user_%06d\",\"event_type\":"
        "\"ride_completed\",\"amount\":%.2f,\"ts\":%lld}";
    static const char WIDE[] =
        "{ \"event_id\": \"%08x-%08x-%08x-00000000\", \"user_id\": \"user_%06d\", \"event_type\": "
        "\"ride_completed\", \"amount\": %.2f, \"ts\": %lld, \"tip\": 1.5, \"where\": {\"lat\": "
        "52.1, \"lon\": 13.25}, \"tags\": [\"a\", \"b\", null, true]}";
    static const char ESCAPED[] =
        "{\"event_id\":\"%08x-%08x-%08x\\n00000000\",\"user_id\":\"user_%06d\",\"event_type\":"
        "\"ride_completed\",\"amount\":%.2f,\"ts\":%lld}";
    run("five fields", PLAIN, 5);
    run("one undeclared", RIDE, 5);
    run("three of five declared", PLAIN, 3);
    run("blanks, extra fields", WIDE, 5);
    run("an escape", ESCAPED, 5);
    return 0;
}
