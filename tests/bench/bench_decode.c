/* Time to decode ride events of 150 bytes into rows. Prints best and median ns a record. With an
 * argument: only the kind of that title. Build:
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
    sl_string texts[3];
    double numbers[2];
} ride;

// clang-format off
#define NAME(text) { .data = (text), .len = sizeof(text) - 1 }
#define FIELD(text, kind, member, bit, is_required)                                       \
    { .column = { .name = NAME(text), .offset = offsetof(ride, member), .null_bit = (bit), \
                  .type = (kind) },                                                       \
      .from = SL_FROM_VALUE, .path = &(const sl_string)NAME(text), .path_count = 1,       \
      .required = (is_required) }
#define INNER(text, kind) { .column = { .name = NAME(text), .type = (kind) } }
#define NESTED(text, kind, member, bit, of)                                               \
    { .column = { .name = NAME(text), .offset = offsetof(ride, member), .null_bit = (bit), \
                  .type = (kind), .shape = (of) },                                        \
      .from = SL_FROM_VALUE, .path = &(const sl_string)NAME(text), .path_count = 1 }
// clang-format on

static const char *only; /* the title of what is run; NULL: all */

/* `declared` of the fields are in the schema; `form` is what events look like. */
static void run(const char *title, const char *form, const sl_field *fields, uint32_t declared) {
    if (only && strcmp(only, title) != 0) return;
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
    printf("%-28s %5.1f bytes  min %6.1f  median %6.1f ns a record, %.3f a byte\n", title,
           (double)total / RECORDS, ns[0], ns[RUNS / 2], ns[0] * RECORDS / (double)total);
    decoder_free(d);
    free(records);
    free(rows);
    arena_done(&bytes);
    arena_done(&strings);
}

int main(int count, char **arguments) {
    if (count > 1) only = arguments[1];
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
    static const char NESTED_RIDE[] =
        "{\"event_id\":\"%08x-%08x-%08x-00000000\",\"user\":{\"user_id\":\"user_%06d\","
        "\"event_type\":\"ride_completed\",\"amount\":%.2f,\"ts\":%lld}}";
    static const char LISTS[] =
        "{\"event_id\":\"%08x-%08x-%08x\",\"tags\":[\"user_%06d\",\"night\",\"airport\"],"
        "\"stops\":[{\"city\":\"Rome\",\"lat\":41.9},{\"city\":\"Milan\",\"lat\":45.46}],"
        "\"amount\":%.2f,\"ts\":%lld}";
    static const char FLAT_LISTS[] =
        "{\"event_id\":\"%08x-%08x-%08x\",\"tag_1\":\"user_%06d\",\"tag_2\":\"night\","
        "\"tag_3\":\"airport\",\"city_1\":\"Rome\",\"lat_1\":41.9,\"city_2\":\"Milan\","
        "\"lat_2\":45.46,\"amount\":%.2f,\"ts\":%lld}";
    const sl_field flat[] = {
        FIELD("event_id", SL_STRING, event_id, 0, 1),
        FIELD("user_id", SL_STRING, user_id, 1, 1),
        FIELD("ts", SL_INT64, ts, 2, 1),
        FIELD("event_type", SL_STRING, event_type, 3, 0),
        FIELD("amount", SL_DOUBLE, amount, 4, 0),
    };
    const sl_field inner[] = { INNER("user_id", SL_STRING), INNER("event_type", SL_STRING),
                               INNER("amount", SL_DOUBLE), INNER("ts", SL_INT64) };
    const sl_shape user = { .item_count = 4, .items = inner };
    const sl_field nested[] = {
        FIELD("event_id", SL_STRING, event_id, 0, 1),
        NESTED("user", SL_STRUCT, user_id, 1, &user),
    };
    const sl_field of_stop[] = { INNER("city", SL_STRING), INNER("lat", SL_DOUBLE) };
    const sl_shape stop = { .item_count = 2, .items = of_stop };
    const sl_field of_stops = { .column = { .type = SL_STRUCT, .shape = &stop } };
    const sl_field of_tags = { .column = { .type = SL_STRING } };
    const sl_shape stops = { .item_count = 1, .items = &of_stops };
    const sl_shape tags = { .item_count = 1, .items = &of_tags };
    const sl_field lists[] = {
        FIELD("event_id", SL_STRING, event_id, 0, 1),
        NESTED("tags", SL_LIST, user_id, 1, &tags),
        NESTED("stops", SL_LIST, event_type, 2, &stops),
        FIELD("amount", SL_DOUBLE, amount, 3, 0),
        FIELD("ts", SL_INT64, ts, 4, 1),
    };
    const sl_field flat_lists[] = {
        FIELD("event_id", SL_STRING, event_id, 0, 1),
        FIELD("tag_1", SL_STRING, user_id, 1, 0),
        FIELD("tag_2", SL_STRING, event_type, 2, 0),
        FIELD("tag_3", SL_STRING, texts[0], 3, 0),
        FIELD("city_1", SL_STRING, texts[1], 4, 0),
        FIELD("lat_1", SL_DOUBLE, numbers[0], 5, 0),
        FIELD("city_2", SL_STRING, texts[2], 6, 0),
        FIELD("lat_2", SL_DOUBLE, numbers[1], 7, 0),
        FIELD("amount", SL_DOUBLE, amount, 8, 0),
        FIELD("ts", SL_INT64, ts, 9, 1),
    };
    run("five fields", PLAIN, flat, 5);
    run("one undeclared", RIDE, flat, 5);
    run("three of five declared", PLAIN, flat, 3);
    run("blanks, extra fields", WIDE, flat, 5);
    run("an escape", ESCAPED, flat, 5);
    run("a struct of four", NESTED_RIDE, nested, 2);
    run("ten fields", FLAT_LISTS, flat_lists, 10);
    run("lists of strings, structs", LISTS, lists, 5);
    return 0;
}
