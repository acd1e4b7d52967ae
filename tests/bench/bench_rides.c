/* The benchmarks' ride events, and what must come out of them.
 *
 *     bench_rides make FILE COUNT [USERS [SHAPE]]
 *                                  events into FILE, answers into FILE.answers
 *     bench_rides check <ROWS      rows of users.lua: how many, and their checksum
 *     bench_rides keys COUNT       what keys.lua gives of so many new keys, likewise
 *     bench_rides check-keys <ROWS
 *     bench_rides stateless COUNT  what stateless.lua gives of so many events, likewise
 *     bench_rides check-stateless <ROWS
 *
 * Events are those of tests/kafka/java/Rides.java with its defaults, to the byte: 30 minutes of
 * event time, up to 20 s of disorder, event i depends on i alone. Of SHAPE `skewed` 90 % of them
 * are of one user and one type; `sparse` has users whose numbers lie anywhere in 64 bits, not one
 * behind the other; `dense` has 10 s of event time, `steady` 90 s, for windows of many panes. The
 * answers are counted in whole cents, by user in slices of a million: nothing of sluice is used. */
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
    bool is_sparse;         /* users are numbered by 64 bits of chance */
} shape;

static const shape shapes[] = {
    { "even", 1700000000000, 30 * 60000, 10 * 60000, 30000, 20000, 0, false },
    { "sparse", 1700000000000, 30 * 60000, 10 * 60000, 30000, 20000, 0, true },
    { "skewed", 1700000000000, 30 * 60000, 10 * 60000, 30000, 20000, 90, false },
    { "dense", 1700000035000, 10000, 2000, 1000, 2000, 0, false }, /* 5 s before a minute is full */
    { "steady", 1700000035000, 90000, 2000, 1000, 2000, 0, false },
};

enum { TYPES = 8,
       CENTS = 10000,
       BINS = 100,
       SIZE_MS = 60000,
       HEARTBEAT = 7,
       DEAR = 8000, /* cents */
       PANES = 128,
       USERS = 1000000, /* of a slice */
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

typedef struct event {
    uint64_t x, z; /* its name is made of */
    uint64_t user, type, cents;
    int64_t ts;
} event;

typedef struct answers {
    const shape *of;
    uint64_t users;
    int64_t first_pane, high_ms;
    uint64_t bytes, heartbeats, cents, ts_sum; /* ts_sum wraps */
    type_pane types[PANES][TYPES];
    uint64_t first_user, slice; /* users that are counted now: from, how many */
    user_pane *panes[PANES];    /* of USERS items */
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

/* Event `i` of `count`. */
static event event_of(const answers *a, uint64_t i, uint64_t count) {
    const shape *of = a->of;
    int64_t now = of->start + (int64_t)((double)i * (double)of->span / (double)count);
    uint64_t x = mix(0x9e3779b97f4a7c15u + i), y = mix(x), z = mix(y);
    uint64_t behind = x % 10 == 0 ? y % of->disorder : y % (of->disorder / 10);
    event e = {
        .x = x,
        .z = z,
        .user = mix(z) % a->users,
        .type = z >> 61,
        .cents = (z >> 7) % CENTS,
        .ts = now - (int64_t)behind,
    };
    if (y / 32 % 100 < of->hot) e.user = e.type = 0;
    return e;
}

/* How a user is numbered in events and rows. */
static uint64_t number_of(const answers *a, uint64_t user) {
    return a->of->is_sparse ? mix(user) : user;
}

/* With its newline; returns its length. */
static size_t put_event(const answers *a, const event *e, char *line) {
    char *to = put(line, "{\"event_id\":\"ride-");
    to = put_hex(to, e->z);
    *to++ = '-';
    to = put_hex(to, e->x);
    to = put_padded(put(to, "\",\"user_id\":\"user-"), number_of(a, e->user), 12);
    to = put(put(to, "\",\"event_type\":\""), type_names[e->type]);
    to = put_padded(put(to, "\",\"amount\":"), e->cents / 100, 1);
    *to++ = '.';
    to = put_padded(to, e->cents % 100, 2);
    to = put_padded(put(to, ",\"ts\":"), (uint64_t)e->ts, 1);
    to = put(to, "}\n");
    return (size_t)(to - line);
}

/* -- counting them */

static int64_t pane_of(const answers *a, const event *e) {
    int64_t number = e->ts / a->of->pane - a->first_pane;
    if (number < 0 || number >= PANES) fail("event time");
    return number;
}

static void note_type(answers *a, const event *e) {
    uint32_t cents = (uint32_t)e->cents;
    if (e->ts > a->high_ms) a->high_ms = e->ts;
    if (e->type == HEARTBEAT) a->heartbeats++;
    a->cents += cents;
    a->ts_sum += (uint64_t)e->ts;
    type_pane *t = &a->types[pane_of(a, e)][e->type];
    if (!t->count++) t->lowest = t->highest = cents;
    t->cents += cents;
    t->squares += (uint64_t)cents * cents;
    t->bins[cents / (CENTS / BINS)]++;
    if (cents < t->lowest) t->lowest = cents;
    if (cents > t->highest) t->highest = cents;
}

static void note_user(answers *a, const event *e) {
    uint64_t user = e->user - a->first_user;
    if (user >= a->slice) return; /* also those before it */
    user_pane **pane = &a->panes[pane_of(a, e)];
    if (!*pane) *pane = calloc(USERS, sizeof **pane);
    if (!*pane) fail("memory");
    user_pane *u = &(*pane)[user];
    u->count++;
    u->cents += (uint32_t)e->cents;
    if (e->cents > u->highest) u->highest = (uint16_t)e->cents;
}

/* Count the events of the users from `first` on. */
static void note_slice(answers *a, uint64_t first, uint64_t count) {
    a->first_user = first;
    a->slice = a->users - first < USERS ? a->users - first : USERS;
    for (int i = 0; i < PANES; i++)
        if (a->panes[i]) memset(a->panes[i], 0, USERS * sizeof *a->panes[i]);
    for (uint64_t i = 0; i < count; i++) {
        event e = event_of(a, i, count);
        note_user(a, &e);
    }
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

/* The window of a user of the slice that starts with pane `first` and has `panes` of them. */
static void check_window(const answers *a, rows_check *c, uint64_t user, int64_t first,
                         int64_t panes) {
    uint64_t count = 0, cents = 0, highest = 0;
    for (int64_t i = first < 0 ? 0 : first; i < first + panes && i < PANES; i++) {
        if (!a->panes[i]) continue;
        const user_pane *p = &a->panes[i][user];
        count += p->count, cents += p->cents;
        if (p->count && p->highest > highest) highest = p->highest;
    }
    int64_t start_ms = (a->first_pane + first) * a->of->pane;
    if (count) add_row(c, number_of(a, a->first_user + user), start_ms, count, cents, highest);
}

/* Of the slice all windows of a minute, one every `every_ms`, that end up to `until_ms`. */
static void check_slice(const answers *a, rows_check *c, int64_t every_ms, int64_t until_ms) {
    int64_t panes = SIZE_MS / a->of->pane, last_ms = (a->first_pane + PANES) * a->of->pane;
    int64_t start_ms = (a->first_pane - panes) * a->of->pane / every_ms * every_ms;
    for (; start_ms < last_ms && start_ms + SIZE_MS <= until_ms; start_ms += every_ms)
        for (uint64_t user = 0; user < a->slice; user++)
            check_window(a, c, user, start_ms / a->of->pane - a->first_pane, panes);
}

static void write_rows(rows_check c, FILE *out) {
    fprintf(out, "{\"rows\": %" PRIu64 ", \"sum\": \"%016" PRIx64 "\"}", c.rows, c.sum);
}

/* What windows by user give. */
static void write_users(answers *a, uint64_t count, FILE *out) {
    static const struct {
        const char *name;
        int64_t pane, every;
        bool is_all; /* also windows that are open at the end */
    } queries[] = {
        { "every_1", 1000, 1000, false },
        { "every_5", 1000, 5000, false },
        { "every_60", 1000, 60000, false },
        { "every_30", 1000, 30000, false },
        { "users", 30000, 30000, true },
        { "users_closed", 30000, 30000, false },
    };
    enum { QUERIES = sizeof queries / sizeof *queries };
    rows_check found[QUERIES] = { 0 };
    int64_t closed_ms = a->high_ms - a->of->delay;
    for (uint64_t first = 0; first < a->users; first += USERS) {
        note_slice(a, first, count);
        for (int q = 0; q < QUERIES; q++)
            if (queries[q].pane == a->of->pane)
                check_slice(a, &found[q], queries[q].every,
                            queries[q].is_all ? INT64_MAX : closed_ms);
    }
    for (int q = 0; q < QUERIES; q++) {
        if (queries[q].pane != a->of->pane) continue;
        fprintf(out, " \"%s\": ", queries[q].name);
        write_rows(found[q], out);
        fprintf(out, ",\n");
    }
}

static void write_answers(answers *a, uint64_t count, FILE *out) {
    fprintf(out, "{\"records\": %" PRIu64 ", \"bytes\": %" PRIu64 ",\n", count, a->bytes);
    fprintf(out, " \"heartbeats\": %" PRIu64 ",", a->heartbeats);
    fprintf(out, " \"cents\": %" PRIu64 ",\n", a->cents);
    fprintf(out, " \"high_ms\": %" PRId64 ",", a->high_ms);
    fprintf(out, " \"ts_sum\": %" PRId64 ",\n", (int64_t)a->ts_sum);
    write_users(a, count, out);
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
        event e = event_of(&a, i, count);
        size_t len = put_event(&a, &e, buffer + used);
        note_type(&a, &e);
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
    write_rows(c, stdout);
}

/* -- keys.lua: `running`, as many keys as rows */

static void want_keys(uint64_t count) {
    rows_check c = { 0 };
    for (uint64_t i = 0; i < count; i++) add_row(&c, i * 7919 % count, 0, 1, 0, i % 100);
    write_rows(c, stdout);
}

static void check_keys(void) {
    rows_check c = { 0 };
    char line[1024];
    while (fgets(line, sizeof line, stdin)) {
        const char *at = line;
        uint64_t key = strtoull(member(&at, "key") + strlen("\"user-"), NULL, 10);
        uint64_t dearest = strtoull(member(&at, "dearest"), NULL, 10);
        add_row(&c, key, 0, strtoull(member(&at, "rides"), NULL, 10), 0, dearest);
    }
    write_rows(c, stdout);
}

/* -- stateless.lua: `even`, every event but the heartbeats */

static void add_ride(rows_check *c, const event *e, uint64_t derived, bool is_dear) {
    uint64_t name = mix(e->z ^ mix(e->x ^ mix(derived)));
    add_row(c, e->user, e->ts, e->type << 1 | is_dear, e->cents, name);
}

static void want_stateless(uint64_t count) {
    const answers a = { .of = shapes, .users = USERS };
    rows_check c = { 0 };
    for (uint64_t i = 0; i < count; i++) {
        event e = event_of(&a, i, count);
        if (e.type != HEARTBEAT) add_ride(&c, &e, e.cents, e.cents >= DEAR);
    }
    write_rows(c, stdout);
}

static uint64_t type_of(const char *text) {
    uint64_t type = 0;
    while (type < TYPES && strncmp(text, type_names[type], strlen(type_names[type])) != 0) type++;
    return type;
}

static void check_stateless(void) {
    rows_check c = { 0 };
    char line[1024], *end;
    while (fgets(line, sizeof line, stdin)) {
        event e;
        const char *at = line;
        e.z = strtoull(member(&at, "event_id") + strlen("\"ride-"), &end, 16);
        e.x = strtoull(end + 1, NULL, 16);
        e.user = strtoull(member(&at, "user_id") + strlen("\"user-"), NULL, 10);
        e.type = type_of(member(&at, "event_type") + 1);
        e.cents = cents_of(member(&at, "amount"));
        e.ts = strtoll(member(&at, "ts"), NULL, 10);
        uint64_t derived = strtoull(member(&at, "cents"), NULL, 10);
        add_ride(&c, &e, derived, *member(&at, "is_dear") == 't');
    }
    write_rows(c, stdout);
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
    else if (argc == 3 && !strcmp(argv[1], "keys"))
        want_keys(strtoull(argv[2], NULL, 10));
    else if (argc == 2 && !strcmp(argv[1], "check-keys"))
        check_keys();
    else if (argc == 3 && !strcmp(argv[1], "stateless"))
        want_stateless(strtoull(argv[2], NULL, 10));
    else if (argc == 2 && !strcmp(argv[1], "check-stateless"))
        check_stateless();
    else
        return fprintf(stderr, "bench_rides make FILE COUNT [USERS [SHAPE]] | check | "
                               "keys COUNT | check-keys | stateless COUNT | check-stateless\n"),
               2;
    return 0;
}
