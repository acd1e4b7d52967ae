/* OFFSET  SIZE  WHAT
 * 0       8     "SLSAMP01"
 * 8       8     FNV-1a of all that follows
 * 16      8     when it was taken, Unix ms
 * 24      ..    identity, text; partitions: count, then of each: topic, number, count of records
 *
 * A record: offset, time, time kind, key, value, count of headers, name and value of each. Numbers
 * are 64-bit ones of this machine, texts a number and so many bytes, -1 for null. */
#include "runtime/cli/sample_cache.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/mem.h"

enum { HEAD_BYTES = 16,
       MOST_BYTES = 512 << 20,
       OLD_MS = 24 * 3600 * 1000,
       READ_BYTES = 1 << 20 };

static const char MAGIC[] = "SLSAMP01";

static uint64_t hash_of(const char *data, size_t len) {
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    for (size_t i = 0; i < len; i++) hash = (hash ^ (unsigned char)data[i]) * 0x100000001b3u;
    return hash;
}

/* -- where */

/* The folder; it is made. False: there is none that nobody else can read. */
static bool open_folder(char *path, size_t room) {
    const char *own = getenv("SLUICE_CACHE_DIR"), *shared = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    struct stat is;
    if (own && *own)
        snprintf(path, room, "%s", own);
    else if (shared && *shared)
        snprintf(path, room, "%s/sluice", shared);
    else if (home && *home)
        snprintf(path, room, "%s/.cache/sluice", home);
    else
        return false;
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    mkdir(path, 0700);
    return !lstat(path, &is) && S_ISDIR(is.st_mode) && is.st_uid == getuid() &&
           !(is.st_mode & (S_IRWXG | S_IRWXO));
}

static bool path_of(const sample_source *s, int64_t last, char *path, size_t room) {
    char folder[512];
    if (!open_folder(folder, sizeof folder)) return false;
    uint64_t hash = hash_of(s->identity, strlen(s->identity));
    return snprintf(path, room, "%s/%016" PRIx64 "-%" PRId64 ".sample", folder, hash, last) <
           (int)room;
}

/* -- writing */

static void put_number(buf *out, int64_t number) { buf_put(out, &number, sizeof number); }

static void put_text(buf *out, const sl_string *text) {
    put_number(out, text->data ? (int64_t)text->len : -1);
    if (text->data) buf_put(out, text->data, text->len);
}

static void put_name(buf *out, const char *name) {
    put_text(out, &(sl_string){ .data = name, .len = (uint32_t)strlen(name) });
}

static void put_record(buf *out, const sl_record *r) {
    put_number(out, r->offset);
    put_number(out, r->time_ms);
    put_number(out, r->time_kind);
    put_text(out, &r->key);
    put_text(out, &r->value);
    put_number(out, r->header_count);
    for (uint32_t h = 0; h < r->header_count; h++) {
        put_text(out, &r->headers[h].name);
        put_text(out, &r->headers[h].value);
    }
}

/* Beside it first: another process may read. */
static void write_file(const char *path, const buf *out) {
    char made[640];
    snprintf(made, sizeof made, "%s.%d", path, (int)getpid());
    int fd = open(made, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    size_t at = 0;
    ssize_t put = fd < 0 ? -1 : 1;
    while (put > 0 && at < out->len) {
        put = write(fd, out->data + at, out->len - at);
        if (put > 0) at += (size_t)put;
    }
    if (fd >= 0 && close(fd)) put = -1;
    if (put > 0 && !rename(made, path)) return;
    unlink(made);
}

void sample_cache_write(const sample_source *s, int64_t last) {
    char path[600];
    buf out;
    if (!path_of(s, last, path, sizeof path)) return;
    buf_init(&out);
    buf_put(&out, MAGIC, 8);
    put_number(&out, 0);
    put_number(&out, s->taken_ms);
    put_name(&out, s->identity);
    put_number(&out, s->count);
    for (uint32_t p = 0; p < s->count; p++) {
        const sample_partition *of = &s->partitions[p];
        put_name(&out, of->topic);
        put_number(&out, of->number);
        put_number(&out, of->count);
        for (uint32_t i = 0; i < of->count && out.len < MOST_BYTES; i++)
            put_record(&out, &of->records[i]);
    }
    uint64_t sum = hash_of(out.data + HEAD_BYTES, out.len - HEAD_BYTES);
    memcpy(out.data + 8, &sum, sizeof sum);
    if (out.len < MOST_BYTES) write_file(path, &out);
    buf_done(&out);
}

/* -- reading; the sum says that all is as it was written */

typedef struct reading {
    const char *at, *end;
    arena *bytes; /* texts are copied there */
} reading;

static int64_t take_number(reading *r) {
    int64_t number = 0;
    if (r->end - r->at < (ptrdiff_t)sizeof number) {
        r->at = r->end;
        return 0;
    }
    memcpy(&number, r->at, sizeof number);
    r->at += sizeof number;
    return number;
}

static sl_string take_text(reading *r) {
    int64_t len = take_number(r);
    if (len < 0 || len > r->end - r->at) return (sl_string){ 0 };
    const char *copy = arena_copy(r->bytes, r->at, (size_t)len);
    r->at += len;
    return (sl_string){ .data = copy, .len = (uint32_t)len };
}

static sl_record take_record(reading *r) {
    sl_record made = { .offset = take_number(r) };
    made.time_ms = take_number(r);
    made.time_kind = (int32_t)take_number(r);
    made.key = take_text(r);
    made.value = take_text(r);
    made.header_count = (uint32_t)take_number(r);
    sl_header *headers = arena_take(r->bytes, (made.header_count + 1u) * sizeof *headers, 8);
    for (uint32_t h = 0; h < made.header_count; h++) {
        headers[h].name = take_text(r);
        headers[h].value = take_text(r);
    }
    made.headers = headers;
    return made;
}

static void take_partitions(reading *r, sample_source *s) {
    for (int64_t left = take_number(r); left > 0; left--) {
        sl_string topic = take_text(r);
        char *name = mem_copy_text(topic.data, topic.len);
        sample_partition_of(s, name, (int32_t)take_number(r));
        mem_free(name);
        for (int64_t count = take_number(r); count > 0; count--) {
            sl_record record = take_record(r);
            sample_keep(s, &s->partitions[s->count - 1], &record);
        }
    }
}

static bool read_file(const char *path, buf *in) {
    struct stat is;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    bool is_own = fd >= 0 && !fstat(fd, &is) && is.st_uid == getuid() && is.st_size < MOST_BYTES;
    ssize_t got = is_own ? 1 : -1;
    while (got > 0) {
        got = read(fd, buf_need(in, READ_BYTES), READ_BYTES);
        if (got > 0) in->len += (size_t)got;
    }
    if (fd >= 0) close(fd);
    return got == 0;
}

static bool is_whole(const buf *in) {
    uint64_t sum;
    if (in->len < HEAD_BYTES + 8 || memcmp(in->data, MAGIC, 8) != 0) return false;
    memcpy(&sum, in->data + 8, sizeof sum);
    return sum == hash_of(in->data + HEAD_BYTES, in->len - HEAD_BYTES);
}

static bool take_all(sample_source *s, const buf *in, int64_t now_ms) {
    reading r = { in->data + HEAD_BYTES, in->data + in->len, &s->bytes };
    int64_t taken_ms = take_number(&r);
    sl_string identity = take_text(&r);
    bool is_it = identity.data && identity.len == strlen(s->identity) &&
                 !memcmp(identity.data, s->identity, identity.len);
    if (!is_it || taken_ms > now_ms || now_ms - taken_ms > OLD_MS) return false;
    s->taken_ms = taken_ms;
    s->is_kept = true;
    take_partitions(&r, s);
    return true;
}

bool sample_cache_read(sample_source *s, int64_t last, int64_t now_ms) {
    char path[600];
    buf in;
    if (!path_of(s, last, path, sizeof path)) return false;
    buf_init(&in);
    bool is = read_file(path, &in) && is_whole(&in) && take_all(s, &in, now_ms);
    buf_done(&in);
    return is;
}
