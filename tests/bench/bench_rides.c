/* The benchmarks' ride events, and what must come out of them.
 *
 *     bench_rides make FILE COUNT [USERS]     events into FILE, answers into FILE.answers
 *     bench_rides check <ROWS                 rows of users.lua: how many, and their checksum
 *
 * Events are those of tests/kafka/java/Rides.java with its defaults, to the byte: 30 minutes of
 * event time, up to 20 s of disorder, event i depends on i alone. The answers are counted while the
 * events are made, amounts in whole cents: nothing of sluice is used. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t START_MS = 1700000000000, SPAN_MS = 30 * 60000, DELAY_MS = 10 * 60000;

enum { DISORDER_MS = 20000,
       PANE_MS = 30000,
       TYPES = 8,
       HEARTBEAT = 7,
       PANES = 64,
       LINE = 256 };

static const char *const type_names[TYPES] = {
    "ride_requested",
    "driver_assigned",
    "driver_arrived",
    "ride_started",
    "ride_completed",
    "ride_cancelled",
    "payment_failed",
    "heartbeat",
};

/* Of one event type in one pane. */
typedef struct type_pane {
    uint64_t count, cents;
    uint32_t lowest, highest;
} type_pane;

/* Of one user in one pane. */
typedef struct user_pane {
    uint32_t cents;
    uint16_t highest, count;
} user_pane;

typedef struct answers {
    uint64_t users;
    int64_t first_pane, high_ms;
    uint64_t bytes, heartbeats, cents, ts_sum; /* ts_sum wraps */
    type_pane types[PANES][TYPES];
    user_pane *panes[PANES]; /* of `users` items */
} answers;

typedef struct rows_check {
    uint64_t rows, sum;
} rows_check;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

/* The finalizer of splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t mix(uint64_t z) {
    z += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Rows are summed in any order. */
static void add_row(rows_check *c, uint64_t user, int64_t start_ms, uint64_t count, uint64_t cents,
                    uint64_t highest) {
    uint64_t h = mix(user);
    h = mix(h ^ (uint64_t)start_ms);
    h = mix(h ^ count);
    h = mix(h ^ cents);
    c->sum += mix(h ^ highest);
    c->rows++;
}

/* -- making events */

static char *put(char *to, const char *text) {
    size_t len = strlen(text);
    memcpy(to, text, len);
    return to + len;
}

static char *put_hex(char *to, uint64_t value) {
    for (int shift = 60; shift >= 0; shift -= 4) *to++ = "0123456789abcdef"[value >> shift & 15];
    return to;
}

/* Zero-padded to `width` at least. */
static char *put_padded(char *to, uint64_t value, int width) {
    int digits = 1;
    for (uint64_t rest = value / 10; rest; rest /= 10) digits++;
    char *end = to + (digits > width ? digits : width);
    for (char *at = end; at > to; value /= 10) *--at = (char)('0' + value % 10);
    return end;
}

static void note(answers *a, int64_t ts, uint64_t type, uint64_t user, uint32_t cents) {
    int64_t number = ts / PANE_MS - a->first_pane;
    if (number < 0 || number >= PANES) fail("event time");
    if (ts > a->high_ms) a->high_ms = ts;
    if (type == HEARTBEAT) a->heartbeats++;
    a->cents += cents;
    a->ts_sum += (uint64_t)ts;
    type_pane *t = &a->types[number][type];
    if (!t->count++) t->lowest = t->highest = cents;
    t->cents += cents;
    if (cents < t->lowest) t->lowest = cents;
    if (cents > t->highest) t->highest = cents;
    if (!a->panes[number]) a->panes[number] = calloc(a->users, sizeof(user_pane));
    if (!a->panes[number]) fail("memory");
    user_pane *u = &a->panes[number][user];
    u->count++;
    u->cents += cents;
    if (cents > u->highest) u->highest = (uint16_t)cents;
}

/* Event `i` of `count`, with its newline; returns its length. */
static size_t make_event(answers *a, uint64_t i, uint64_t count, char *line) {
    int64_t now = START_MS + (int64_t)((double)i * (double)SPAN_MS / (double)count);
    uint64_t x = mix(0x9e3779b97f4a7c15u + i), y = mix(x), z = mix(y);
    uint64_t behind = x % 10 == 0 ? y % DISORDER_MS : y % 2000;
    uint64_t user = mix(z) % a->users, type = z >> 61, cents = (z >> 7) % 10000;
    int64_t ts = now - (int64_t)behind;
    char *to = put(line, "{\"event_id\":\"ride-");
    to = put_hex(to, z);
    *to++ = '-';
    to = put_hex(to, x);
    to = put_padded(put(to, "\",\"user_id\":\"user-"), user, 12);
    to = put(put(to, "\",\"event_type\":\""), type_names[type]);
    to = put_padded(put(to, "\",\"amount\":"), cents / 100, 1);
    *to++ = '.';
    to = put_padded(to, cents % 100, 2);
    to = put_padded(put(to, ",\"ts\":"), (uint64_t)ts, 1);
    to = put(to, "}\n");
    note(a, ts, type, user, (uint32_t)cents);
    return (size_t)(to - line);
}

/* -- answers */

static void write_types(const answers *a, FILE *out) {
    const char *comma = "";
    for (int i = -1; i < PANES - 1; i++) { /* the window of panes i and i + 1 */
        for (int type = 0; type < TYPES; type++) {
            const type_pane empty = { 0 }, *p = i < 0 ? &empty : &a->types[i][type];
            const type_pane *q = &a->types[i + 1][type];
            if (type == HEARTBEAT || !(p->count + q->count)) continue;
            bool is_left = !q->count || (p->count && p->lowest < q->lowest);
            fprintf(out,
                    "%s\n  {\"event_type\": \"%s\", \"window_start\": %lld, \"count\": %llu, "
                    "\"cents\": %llu, \"lowest\": %u, \"highest\": %u}",
                    comma, type_names[type], (long long)(a->first_pane + i) * PANE_MS,
                    (unsigned long long)(p->count + q->count),
                    (unsigned long long)(p->cents + q->cents), is_left ? p->lowest : q->lowest,
                    p->highest > q->highest ? p->highest : q->highest);
            comma = ",";
        }
    }
}

/* All windows that end up to `until_ms`. */
static rows_check check_users(const answers *a, int64_t until_ms) {
    static const user_pane none = { 0 };
    rows_check c = { 0 };
    for (int i = -1; i < PANES - 1; i++) {
        int64_t start_ms = (a->first_pane + i) * PANE_MS;
        if (start_ms + 2 * PANE_MS > until_ms) break;
        const user_pane *left = i < 0 ? NULL : a->panes[i], *right = a->panes[i + 1];
        if (!left && !right) continue;
        for (uint64_t user = 0; user < a->users; user++) {
            const user_pane *p = left ? &left[user] : &none, *q = right ? &right[user] : &none;
            if (!(p->count + q->count)) continue;
            uint64_t count = (uint64_t)p->count + q->count, cents = (uint64_t)p->cents + q->cents;
            add_row(&c, user, start_ms, count, cents,
                    p->highest > q->highest ? p->highest : q->highest);
        }
    }
    return c;
}

static void write_rows(const char *name, rows_check c, FILE *out) {
    fprintf(out, " \"%s\": {\"rows\": %" PRIu64 ", ", name, c.rows);
    fprintf(out, "\"sum\": \"%016" PRIx64 "\"},\n", c.sum);
}

static void write_answers(const answers *a, uint64_t count, FILE *out) {
    fprintf(out, "{\"records\": %" PRIu64 ", \"bytes\": %" PRIu64 ",\n", count, a->bytes);
    fprintf(out, " \"heartbeats\": %" PRIu64 ",", a->heartbeats);
    fprintf(out, " \"cents\": %" PRIu64 ",\n", a->cents);
    fprintf(out, " \"high_ms\": %" PRId64 ",", a->high_ms);
    fprintf(out, " \"ts_sum\": %" PRId64 ",\n", (int64_t)a->ts_sum);
    write_rows("users", check_users(a, INT64_MAX), out);
    write_rows("users_closed", check_users(a, a->high_ms - DELAY_MS), out);
    fprintf(out, " \"types\": [");
    write_types(a, out);
    fprintf(out, "]}\n");
}

static FILE *open_for_writing(const char *path, const char *ending, char *name) {
    snprintf(name, 4096, "%s%s", path, ending);
    FILE *out = fopen(name, "w");
    if (!out) fail(name);
    return out;
}

static void make(const char *path, uint64_t count, uint64_t users) {
    static answers a;
    static char name[4096], buffer[1 << 20];
    a.users = users;
    a.first_pane = (START_MS - DISORDER_MS) / PANE_MS;
    FILE *out = open_for_writing(path, "", name);
    size_t used = 0;
    for (uint64_t i = 0; i < count; i++) {
        size_t len = make_event(&a, i, count, buffer + used);
        a.bytes += len - 1;
        used += len;
        if (used < sizeof buffer - LINE && i + 1 < count) continue;
        if (fwrite(buffer, 1, used, out) != used) fail(path);
        used = 0;
    }
    if (fclose(out)) fail(path);
    out = open_for_writing(path, ".answers", name);
    write_answers(&a, count, out);
    if (fclose(out)) fail(name);
}

/* -- checking rows */

/* What follows `"NAME":` at or behind `*at`; moves `*at` there. Rows have a fixed order. */
static const char *member(const char **at, const char *name) {
    char wanted[40];
    int len = snprintf(wanted, sizeof wanted, "\"%s\":", name);
    const char *found = strstr(*at, wanted);
    if (!found) {
        fprintf(stderr, "no %s in: %s\n", wanted, *at);
        exit(1);
    }
    *at = found + len;
    return *at;
}

static uint64_t cents_of(const char *number) {
    return (uint64_t)(strtod(number, NULL) * 100 + 0.5);
}

static void check(void) {
    rows_check c = { 0 };
    char line[1024];
    while (fgets(line, sizeof line, stdin)) {
        const char *at = line;
        uint64_t user = strtoull(member(&at, "user_id") + strlen("\"user-"), NULL, 10);
        int64_t start_ms = strtoll(member(&at, "window_start"), NULL, 10);
        uint64_t highest = cents_of(member(&at, "dearest"));
        uint64_t count = strtoull(member(&at, "rides"), NULL, 10);
        add_row(&c, user, start_ms, count, cents_of(member(&at, "spent")), highest);
    }
    printf("{\"rows\": %" PRIu64 ", \"sum\": \"%016" PRIx64 "\"}\n", c.rows, c.sum);
}

int main(int argc, char **argv) {
    uint64_t users = argc > 4 ? strtoull(argv[4], NULL, 10) : 1000000;
    if (argc >= 4 && !strcmp(argv[1], "make"))
        make(argv[2], strtoull(argv[3], NULL, 10), users);
    else if (argc == 2 && !strcmp(argv[1], "check"))
        check();
    else
        return fprintf(stderr, "bench_rides make FILE COUNT [USERS] | check\n"), 2;
    return 0;
}
