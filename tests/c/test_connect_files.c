/* Sources of several files: patterns, compressed ones, those that rotate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <cmocka.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/connect/file.h"

enum { MANY = 1 << 30,
       WAIT_MS = 10000 };

/* A directory of its own for each test, a source, and all that it gave: "path:partition:offset
 * line" each, the directory left out. */
typedef struct bench {
    char dir[64], path[160];
    volatile int stop;
    clock_source clock;
    sl_system system;
    sl_value items[2];
    sl_value options;
    sl_source plan;
    void *source;
    sl_records records;
    arena bytes;
    buf got;
} bench;

static sl_string string_of(const char *text) {
    return (sl_string){ .data = text, .len = (uint32_t)strlen(text) };
}

static int setup(void **state) {
    bench *b = mem_zalloc(1, sizeof *b);
    strcpy(b->dir, "/tmp/sluice-files-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    b->system = (sl_system){ .pipeline = "test", .clock = &b->clock, .stop = &b->stop };
    b->items[0] = (sl_value){ .name = string_of("follow"), .kind = SL_FLAG };
    b->items[1] = (sl_value){ .name = string_of("path"), .kind = SL_TEXT };
    b->options = (sl_value){ .kind = SL_TABLE, .item_count = 2, .items = b->items };
    b->plan = (sl_source){ .options = &b->options };
    arena_init(&b->bytes, 1 << 20);
    buf_init(&b->got);
    *state = b;
    return 0;
}

static int teardown(void **state) {
    bench *b = *state;
    char command[128];
    if (b->source) file_source_ops.close(b->source);
    snprintf(command, sizeof command, "rm -rf %s", b->dir);
    assert_int_equal(system(command), 0);
    mem_free(b->records.items);
    arena_done(&b->bytes);
    buf_done(&b->got);
    mem_free(b);
    return 0;
}

static const char *in_dir(bench *b, const char *name) {
    snprintf(b->path, sizeof b->path, "%s/%s", b->dir, name);
    return b->path;
}

static void write_bytes(bench *b, const char *name, const void *data, size_t len,
                        const char *mode) {
    FILE *file = fopen(in_dir(b, name), mode);
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    fclose(file);
}

static void write_text(bench *b, const char *name, const char *text) {
    write_bytes(b, name, text, strlen(text), "wb");
}

static void append_text(bench *b, const char *name, const char *text) {
    write_bytes(b, name, text, strlen(text), "ab");
}

static err *try_open(bench *b, const char *pattern, bool is_followed) {
    static char path[160];
    snprintf(path, sizeof path, "%s/%s", b->dir, pattern);
    b->items[0].number = is_followed;
    b->items[1].text = string_of(path);
    b->plan.bounded = !is_followed;
    return file_source_ops.open(&b->plan, &b->system, &b->source);
}

static void open_source(bench *b, const char *pattern, bool is_followed) {
    err *e = try_open(b, pattern, is_followed);
    if (e) print_error("%s\n", e->message);
    assert_null(e);
}

/* Take all that is there now, as a batch would. */
static err *take(bench *b, bool *is_done) {
    const sl_partition *partitions;
    uint32_t count, ranges = 0;
    err *e = file_source_ops.look(b->source, &partitions, &count);
    if (e) return e;
    sl_range *list = mem_zalloc(count + 1, sizeof *list);
    *is_done = true;
    for (uint32_t i = 0; i < count; i++) {
        const sl_partition *p = &partitions[i];
        if (!p->ended || p->position < p->end) *is_done = false;
        if (p->position < p->end)
            list[ranges++] = (sl_range){ .partition = i, .from = p->position, .to = p->end };
    }
    b->records.count = 0;
    e = file_source_ops.fetch(b->source, list, ranges, MANY, 1000, &b->records, &b->bytes);
    for (uint32_t i = 0; !e && i < b->records.count; i++) {
        const sl_record *r = &b->records.items[i];
        const sl_partition *p = &partitions[r->partition];
        buf_printf(&b->got, "%s:%d:%d %.*s\n", p->topic + strlen(b->dir) + 1, p->number,
                   (int)r->offset, (int)r->value.len, r->value.data);
    }
    mem_free(list);
    return e;
}

static void assert_all(bench *b, const char *wanted) {
    bool is_done = false;
    buf_reset(&b->got);
    for (int i = 0; i < 1000 && !is_done; i++) assert_null(take(b, &is_done));
    assert_true(is_done);
    assert_string_equal(buf_text(&b->got), wanted);
}

/* Wait until what a followed source gives is `wanted`. */
static void await_all(bench *b, const char *wanted) {
    bool is_done;
    for (int waited_ms = 0; waited_ms < WAIT_MS; waited_ms += 50) {
        assert_null(take(b, &is_done));
        if (!strcmp(buf_text(&b->got), wanted)) return;
        assert_null(file_source_ops.wait(b->source, 50));
    }
    assert_string_equal(buf_text(&b->got), wanted);
}

static void assert_fails(err *e, err_code code, const char *part) {
    assert_non_null(e);
    if (!strstr(e->message, part)) print_error("%s\n", e->message);
    assert_int_equal(e->code, code);
    assert_non_null(strstr(e->message, part));
    err_free(e);
}

/* -- packing */

static size_t gzip(const char *text, char *to, size_t room) {
    z_stream z = { .next_in = (Bytef *)(uintptr_t)text, .avail_in = (uInt)strlen(text) };
    z.next_out = (Bytef *)to;
    z.avail_out = (uInt)room;
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return room - z.avail_out;
}

static size_t pack(const char *text, char *to, size_t room, bool is_zstd) {
    if (!is_zstd) return gzip(text, to, room);
    size_t len = ZSTD_compress(to, room, text, strlen(text), 3);
    assert_false(ZSTD_isError(len));
    return len;
}

static void write_packed(bench *b, const char *name, const char *text, const char *mode) {
    char packed[4096];
    size_t len = pack(text, packed, sizeof packed, strstr(name, ".zst") != NULL);
    write_bytes(b, name, packed, len, mode);
}

/* -- tests */

static void files_of_a_pattern_are_partitions_by_name(void **state) {
    bench *b = *state;
    write_text(b, "b.jsonl", "1\n2\n");
    write_text(b, "a.jsonl", "3");
    write_text(b, "c.txt", "4\n");
    assert_int_equal(mkdir(in_dir(b, "d.jsonl"), 0700), 0);
    open_source(b, "*.jsonl", false);
    assert_all(b, "a.jsonl:0:0 3\nb.jsonl:0:0 1\nb.jsonl:0:1 2\n");
}

static void more_files_than_are_open_at_once_all_come(void **state) {
    bench *b = *state;
    char name[32];
    buf wanted;
    buf_init(&wanted);
    for (int i = 100; i < 200; i++) {
        snprintf(name, sizeof name, "%d.jsonl", i);
        write_text(b, name, "x\n");
        buf_printf(&wanted, "%s:0:0 x\n", name);
    }
    open_source(b, "1??.jsonl", false);
    assert_all(b, buf_text(&wanted));
    buf_done(&wanted);
}

static void a_fetch_moves_the_positions_that_a_look_showed(void **state) {
    bench *b = *state;
    const sl_partition *partitions;
    uint32_t count;
    sl_range range = { .from = 0, .to = 2 };
    write_text(b, "a.jsonl", "1\n2\n3\n");
    open_source(b, "*.jsonl", false);
    assert_null(file_source_ops.look(b->source, &partitions, &count));
    assert_null(
        file_source_ops.fetch(b->source, &range, 1, MANY, WAIT_MS, &b->records, &b->bytes));
    assert_int_equal(partitions[0].position, 2);
    assert_int_equal(partitions[0].end, 3);
}

static void a_pattern_without_a_match_is_an_error(void **state) {
    assert_fails(try_open(*state, "no*", false), ERR_IO, "no file matches `");
}

static void a_path_of_a_list_that_is_missing_is_an_error(void **state) {
    bench *b = *state;
    write_text(b, "a", "1\n");
    char first[160], second[160];
    strcpy(first, in_dir(b, "a"));
    strcpy(second, in_dir(b, "b"));
    sl_value paths[] = { { .kind = SL_TEXT, .text = string_of(first) },
                         { .kind = SL_TEXT, .text = string_of(second) } };
    b->items[1] = (sl_value){
        .name = string_of("paths"),
        .kind = SL_TABLE,
        .item_count = 2,
        .items = paths,
    };
    assert_fails(file_source_ops.open(&b->plan, &b->system, &b->source), ERR_IO,
                 "No such file or directory");
    write_text(b, "b", "2\n");
    assert_null(file_source_ops.open(&b->plan, &b->system, &b->source));
    assert_all(b, "a:0:0 1\nb:0:0 2\n");
}

static void packed_files_are_read_member_by_member(void **state) {
    bench *b = *state;
    write_packed(b, "a.gz", "1\n2\nha", "wb");
    write_packed(b, "a.gz", "lf\n4\n", "ab");
    write_bytes(b, "a.gz", "\0\0\0\0", 4, "ab"); /* padding */
    write_packed(b, "b.zst", "5\nsi", "wb");
    write_packed(b, "b.zst", "x", "ab");
    open_source(b, "*", false);
    assert_all(b, "a.gz:0:0 1\na.gz:0:1 2\na.gz:0:2 half\na.gz:0:3 4\n"
                  "b.zst:0:0 5\nb.zst:0:1 six\n");
}

static void a_packed_file_can_be_fetched_again_from_any_line(void **state) {
    bench *b = *state;
    write_packed(b, "a.gz", "1\n2\n3\n", "wb");
    open_source(b, "a.gz", false);
    assert_all(b, "a.gz:0:0 1\na.gz:0:1 2\na.gz:0:2 3\n");
    sl_range range = { .from = 1, .to = 3 };
    b->records.count = 0;
    assert_null(file_source_ops.fetch(b->source, &range, 1, MANY, 1000, &b->records, &b->bytes));
    assert_int_equal(b->records.count, 2);
    assert_memory_equal(b->records.items[0].value.data, "2", 1);
}

static void a_packed_file_that_was_cut_off_is_an_error(void **state) {
    bench *b = *state;
    static const char *const NAMES[] = { "a.gz", "a.zst" };
    for (int i = 0; i < 2; i++) {
        write_packed(b, NAMES[i], "1\n2\n3\n", "wb");
        struct stat about;
        assert_int_equal(stat(in_dir(b, NAMES[i]), &about), 0);
        assert_int_equal(truncate(b->path, about.st_size - 6), 0);
        assert_fails(try_open(b, NAMES[i], false), ERR_DATA, "in the middle of its");
    }
}

static void a_packed_file_that_is_damaged_is_an_error(void **state) {
    bench *b = *state;
    write_packed(b, "a.gz", "1\n2\n3\n", "wb");
    write_text(b, "b.gz", "plain\n");
    append_text(b, "a.gz", "rubbish");
    assert_fails(try_open(b, "a.gz", false), ERR_DATA, "data is damaged near byte");
    assert_fails(try_open(b, "b.gz", false), ERR_DATA, "gzip data is damaged near byte");
    write_text(b, "c.zst", "plain\n");
    assert_fails(try_open(b, "c.zst", false), ERR_DATA, "zstd data is damaged near byte");
}

static void a_followed_pattern_takes_in_new_files(void **state) {
    bench *b = *state;
    open_source(b, "*.log", true);
    await_all(b, "");
    write_text(b, "b.log", "1\n");
    await_all(b, "b.log:0:0 1\n");
    write_text(b, "a.log", "2\n");
    append_text(b, "b.log", "3\n");
    await_all(b, "b.log:0:0 1\nb.log:0:1 3\na.log:0:0 2\n");
}

static void a_followed_file_that_rotates_goes_on_under_its_name(void **state) {
    bench *b = *state;
    char name[160], aside[160];
    write_text(b, "a.log", "1\n");
    open_source(b, "a.log*", true);
    await_all(b, "a.log:0:0 1\n");
    strcpy(name, in_dir(b, "a.log"));
    strcpy(aside, in_dir(b, "a.log.1"));
    assert_int_equal(rename(name, aside), 0);
    append_text(b, "a.log.1", "2\n"); /* its writer has it open yet */
    write_text(b, "a.log", "3\n");
    await_all(b, "a.log:0:0 1\na.log:0:1 2\na.log:1:0 3\n");
    append_text(b, "a.log", "4\n");
    await_all(b, "a.log:0:0 1\na.log:0:1 2\na.log:1:0 3\na.log:1:1 4\n");
}

static void a_followed_file_that_was_cut_short_begins_anew(void **state) {
    bench *b = *state;
    write_text(b, "a.log", "1\n2");
    open_source(b, "a.log", true);
    await_all(b, "a.log:0:0 1\n");
    write_text(b, "a.log", "3\n");
    await_all(b, "a.log:0:0 1\na.log:0:1 2\na.log:1:0 3\n");
}

static void a_followed_packed_file_waits_for_the_rest_of_a_member(void **state) {
    bench *b = *state;
    char packed[256];
    size_t len = gzip("1\n2\n", packed, sizeof packed);
    write_bytes(b, "a.gz", packed, 12, "wb");
    open_source(b, "*.gz", true);
    await_all(b, "");
    write_bytes(b, "a.gz", packed + 12, len - 12, "ab");
    await_all(b, "a.gz:0:0 1\na.gz:0:1 2\n");
}

#define on_bench(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        on_bench(files_of_a_pattern_are_partitions_by_name),
        on_bench(more_files_than_are_open_at_once_all_come),
        on_bench(a_fetch_moves_the_positions_that_a_look_showed),
        on_bench(a_pattern_without_a_match_is_an_error),
        on_bench(a_path_of_a_list_that_is_missing_is_an_error),
        on_bench(packed_files_are_read_member_by_member),
        on_bench(a_packed_file_can_be_fetched_again_from_any_line),
        on_bench(a_packed_file_that_was_cut_off_is_an_error),
        on_bench(a_packed_file_that_is_damaged_is_an_error),
        on_bench(a_followed_pattern_takes_in_new_files),
        on_bench(a_followed_file_that_rotates_goes_on_under_its_name),
        on_bench(a_followed_file_that_was_cut_short_begins_anew),
        on_bench(a_followed_packed_file_waits_for_the_rest_of_a_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
