/* The benchmarks' ride events, and what must come out of them.
 *
 *     bench_rides make FILE COUNT [USERS [SHAPE]]
 *                                  events into FILE, answers into FILE.answers
 *     bench_rides check <ROWS      rows of users.lua: how many, and their checksum
 *
 * Events are those of tests/kafka/java/Rides.java with its defaults, to the byte: 30 minutes of
 * event time, up to 20 s of disorder, event i depends on i alone. Of SHAPE `skewed` 90 % of them
 * are of one user and one type; `dense` has 10 s of event time, `steady` 90 s, for windows of many
 * panes. The answers are counted while the events are made, amounts in whole cents: nothing of
 * sluice is used. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Times in ms. */
typedef struct shape {
    const char *name;
    int64_t start, span, delay, pane;
    uint64_t disorder, hot; /* hot: percent of the events */
} shape;

static const shape shapes[] = {
    { "even", 1700000000000, 30 * 60000, 10 * 60000, 30000, 20000, 0 },
    { "skewed", 1700000000000, 30 * 60000, 10 * 60000, 30000, 20000, 90 },
    { "dense", 1700000035000, 10000, 2000, 1000, 2000, 0 }, /* 5 s before a minute is full */
    { "steady", 1700000035000, 90000, 2000, 1000, 2000, 0 },
};

enum { TYPES = 8,
       CENTS = 10000,
       BINS = 100,
       SIZE_MS = 60000,
       HEARTBEAT = 7,
       PANES = 128,
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
    uint64_t count, cents, squares;
    uint32_t lowest, highest;
    uint32_t bins[BINS]; /* by whole units of the amount */
} type_pane;

/* Of one user in one pane. */
typedef struct user_pane {
    uint32_t cents, count;
    uint16_t highest;
} user_pane;

typedef struct answers {
    const shape *of;
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
    int64_t number = ts / a->of->pane - a->first_pane;
    if (number < 0 || number >= PANES) fail("event time");
    if (ts > a->high_ms) a->high_ms = ts;
    if (type == HEARTBEAT) a->heartbeats++;
    a->cents += cents;
    a->ts_sum += (uint64_t)ts;
    type_pane *t = &a->types[number][type];
    if (!t->count++) t->lowest = t->highest = cents;
    t->cents += cents;
    t->squares += (uint64_t)cents * cents;
    t->bins[cents / (CENTS / BINS)]++;
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
    const shape *of = a->of;
    int64_t now = of->start + (int64_t)((double)i * (double)of->span / (double)count);
    uint64_t x = mix(0x9e3779b97f4a7c15u + i), y = mix(x), z = mix(y);
    uint64_t behind = x % 10 == 0 ? y % of->disorder : y % (of->disorder / 10);
    uint64_t user = mix(z) % a->users, type = z >> 61, cents = (z >> 7) % CENTS;
    if (y / 32 % 100 < of->hot) user = type = 0;
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
                    comma, type_names[type], (long long)(a->first_pane + i) * a->of->pane,
                    (unsigned long long)(p->count + q->count),
                    (unsigned long long)(p->cents + q->cents), is_left ? p->lowest : q->lowest,
                    p->highest > q->highest ? p->highest : q->highest);
            comma = ",";
        }
    }
}

/* What own.lua folds, by type and pane, heartbeats too. */
static void write_panes(const answers *a, FILE *out) {
    const char *comma = "";
    for (int i = 0; i < PANES; i++) {
        for (int type = 0; type < TYPES; type++) {
            const type_pane *p = &a->types[i][type];
            if (!p->count) continue;
            fprintf(out, "%s\n  {\"event_type\": \"%s\", \"start\": %" PRId64 ", ", comma,
                    type_names[type], (a->first_pane + i) * a->of->pane);
            fprintf(out, "\"count\": %" PRIu64 ", \"cents\": %" PRIu64 ", \"squares\": %" PRIu64,
                    p->count, p->cents, p->squares);
            for (int bin = 0; bin < BINS; bin++)
                fprintf(out, "%s%u", bin ? ", " : ", \"bins\": [", p->bins[bin]);
            fprintf(out, "]}");
            comma = ",";
        }
    }
}

/* The window of a user that starts with pane `first` and has `panes` of them. */
static void check_window(const answers *a, rows_check *c, uint64_t user, int64_t first,
                         int64_t panes) {
    uint64_t count = 0, cents = 0, highest = 0;
    for (int64_t i = first < 0 ? 0 : first; i < first + panes && i < PANES; i++) {
        if (!a->panes[i]) continue;
        const user_pane *p = &a->panes[i][user];
        count += p->count, cents += p->cents;
        if (p->count && p->highest > highest) highest = p->highest;
    }
    if (count) add_row(c, user, (a->first_pane + first) * a->of->pane, count, cents, highest);
}

/* All windows of a minute, one every `every_ms`, that end up to `until_ms`. */
static rows_check check_users(const answers *a, int64_t every_ms, int64_t until_ms) {
    rows_check c = { 0 };
    int64_t panes = SIZE_MS / a->of->pane, last_ms = (a->first_pane + PANES) * a->of->pane;
    int64_t start_ms = (a->first_pane - panes) * a->of->pane / every_ms * every_ms;
    for (; start_ms < last_ms && start_ms + SIZE_MS <= until_ms; start_ms += every_ms)
        for (uint64_t user = 0; user < a->users; user++)
            check_window(a, &c, user, start_ms / a->of->pane - a->first_pane, panes);
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
    int64_t until_ms = a->high_ms - a->of->delay;
    if (a->of->pane == 1000) {
        write_rows("every_1", check_users(a, 1000, until_ms), out);
        write_rows("every_5", check_users(a, 5000, until_ms), out);
        write_rows("every_60", check_users(a, 60000, until_ms), out);
        write_rows("every_30", check_users(a, 30000, until_ms), out);
    } else {
        write_rows("users", check_users(a, 30000, INT64_MAX), out);
        write_rows("users_closed", check_users(a, 30000, until_ms), out);
    }
    fprintf(out, " \"panes\": [");
    write_panes(a, out);
    fprintf(out, "],\n \"types\": [");
    if (a->of->pane != 1000) write_types(a, out);
    fprintf(out, "]}\n");
}

static FILE *open_for_writing(const char *path, const char *ending, char *name) {
    snprintf(name, 4096, "%s%s", path, ending);
    FILE *out = fopen(name, "w");
    if (!out) fail(name);
    return out;
}

static void make(const char *path, uint64_t count, uint64_t users, const shape *of) {
    static answers a;
    static char name[4096], buffer[1 << 20];
    a.users = users;
    a.of = of;
    a.first_pane = (of->start - (int64_t)of->disorder) / of->pane;
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

static const shape *shape_of(const char *name) {
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (!strcmp(shapes[i].name, name)) return &shapes[i];
    errno = EINVAL;
    fail(name);
    return NULL;
}

int main(int argc, char **argv) {
    uint64_t users = argc > 4 ? strtoull(argv[4], NULL, 10) : 1000000;
    if (argc >= 4 && !strcmp(argv[1], "make"))
        make(argv[2], strtoull(argv[3], NULL, 10), users, shape_of(argc > 5 ? argv[5] : "even"));
    else if (argc == 2 && !strcmp(argv[1], "check"))
        check();
    else
        return fprintf(stderr, "bench_rides make FILE COUNT [USERS [SHAPE]] | check\n"), 2;
    return 0;
}
