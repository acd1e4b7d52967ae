/* Time to write a result row of 6 columns, 3 of them doubles, as JSON. Prints best and median ns a
 * row. Build as bench_decode.c. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "runtime/codec/encode.h"

enum { ROWS = 10000,
       RUNS = 41 };

#define NAME(text) \
    { .data = (text), .len = sizeof(text) - 1 }

typedef struct result {
    sl_row head;
    sl_string event_type;
    int64_t window_start, event_count;
    double revenue, mean, spread;
} result;

static const sl_column COLUMNS[] = {
    { NAME("event_type"), offsetof(result, event_type), 0, SL_STRING, 0, NULL },
    { NAME("window_start"), offsetof(result, window_start), 1, SL_TIMESTAMP, 0, NULL },
    { NAME("event_count"), offsetof(result, event_count), 2, SL_INT64, 0, NULL },
    { NAME("revenue"), offsetof(result, revenue), 3, SL_DOUBLE, 0, NULL },
    { NAME("mean"), offsetof(result, mean), 4, SL_DOUBLE, 0, NULL },
    { NAME("spread"), offsetof(result, spread), 5, SL_DOUBLE, 0, NULL },
};

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void run(const char *title, const encoder *e, const result *rows) {
    double ns[RUNS];
    buf out;
    buf_init(&out);
    for (int r = 0; r < RUNS; r++) {
        uint64_t not_finite = 0;
        buf_reset(&out);
        int64_t start = now_ns();
        for (int i = 0; i < ROWS; i++) encode_value(e, &out, &rows[i].head, &not_finite);
        ns[r] = (double)(now_ns() - start) / ROWS;
    }
    qsort(ns, RUNS, sizeof *ns, ascending);
    printf("%-28s %5.1f bytes  min %6.1f  median %6.1f ns a row\n", title,
           (double)out.len / ROWS, ns[0], ns[RUNS / 2]);
    buf_done(&out);
}

int main(void) {
    result *rows = calloc(ROWS, sizeof *rows);
    for (int i = 0; i < ROWS; i++) {
        int64_t count = rand() % 5000 + 1;
        double revenue = (double)(rand() % 10000000) / 100;
        rows[i] = (result){ .event_type = NAME("ride_completed"),
                            .window_start = INT64_C(1700000000000) + i * 30000,
                            .event_count = count,
                            .revenue = revenue,
                            .mean = revenue / (double)count,
                            .spread = (double)(rand() % 100000) / 100 };
    }
    encoder *e = encoder_new(COLUMNS, 6, SL_TIMES_MS);
    run("two sums and a mean", e, rows);
    for (int i = 0; i < ROWS; i++) rows[i].revenue *= rows[i].spread = rows[i].mean * 1.1;
    run("three full doubles", e, rows);
    encoder_free(e);
    e = encoder_new(COLUMNS, 6, SL_TIMES_ISO);
    run("the same, iso times", e, rows);
    encoder_free(e);
    free(rows);
    return 0;
}
