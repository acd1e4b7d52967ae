#include "runtime/script/trying.h"

#include <time.h>

#include "runtime/script/host.h"

err *script_timings(script *s, const char **text) {
    size_t len;
    err *e = host_text(s, "timings", 0, &len);
    *text = s->text.data;
    return e;
}

void script_files(const script *s, void (*report)(void *arg, const char *path), void *arg) {
    for (uint32_t i = 0; i < s->file_count; i++) report(arg, s->files[i]);
}

double sl_steady_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

bool script_was_interrupted(const script *s) { return s->was_interrupted; }
