/* `sluice` that counts how often --profile reads the clock, which every run does, and reads it as
 * often again behind its end: what that takes is too little to be seen beside what two runs differ
 * by. Its last line on stderr is JSON: reads, and the ns of CPU that they took. */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "runtime/operator/laps.h"

void __real_laps_mark(laps *l);
void __real_laps_add(laps *l, lap_kind kind);
void __wrap_laps_mark(laps *l);
void __wrap_laps_add(laps *l, lap_kind kind);

static atomic_uint_fast64_t reads;

void __wrap_laps_mark(laps *l) {
    atomic_fetch_add_explicit(&reads, 1, memory_order_relaxed);
    __real_laps_mark(l);
}

void __wrap_laps_add(laps *l, lap_kind kind) {
    atomic_fetch_add_explicit(&reads, 1, memory_order_relaxed);
    __real_laps_add(l, kind);
}

static int64_t cpu_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

__attribute__((destructor)) static void read_again(void) {
    laps l = { 0 };
    uint64_t count = reads;
    int64_t began_ns = cpu_ns();
    __real_laps_mark(&l);
    for (uint64_t i = 1; i < count; i++) __real_laps_add(&l, (lap_kind)(i % LAP_KINDS));
    fprintf(stderr, "{\"reads\": %" PRIu64 ", \"ns\": %" PRId64 "}\n", count, cpu_ns() - began_ns);
}
