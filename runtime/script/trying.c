#include "runtime/script/trying.h"

#include <string.h>
#include <time.h>

#include "runtime/script/host.h"
#include "runtime/script/result.h"

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

void script_set_beside(script *s, script_stuck *on_stuck, void *arg) {
    s->beside_arg = arg;
    s->beside = on_stuck;
}

void script_unwatch(script *s) { s->dog = NULL; }

void script_place(const script *s, char *text, size_t room) {
    const char *line;
    size_t len;
    *text = '\0';
    if (s->driver >= s->driver_count) return;
    if (!host_line(s->driver_names[s->driver], s->vector->node + 1, &line, &len)) return;
    if (len >= room) len = room - 1;
    memcpy(text, line, len);
    result_put_place(s->plan, s->driver, s->vector, text + len, room - len);
}
