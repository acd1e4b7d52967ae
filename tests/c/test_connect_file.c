/* Files of JSON lines as source and sink. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/connect/file.h"

enum { MANY = 1 << 30 };

/* A directory of its own for each test, a source and what it gave. */
typedef struct bench {
    char dir[64];
    char path[128];
    volatile int stop;
    clock_source clock;
    sl_system system;
    sl_value items[3];
    sl_value options;
    sl_source source_plan;
    sl_sink sink_plan;
    void *source, *sink;
    sl_records records;
    arena bytes;
    int saved; /* stdin or stdout, put back by the teardown */
    int saved_as;
} bench;

static sl_string string_of(const char *text) {
    return (sl_string){ .data = text, .len = (uint32_t)strlen(text) };
}

static int setup(void **state) {
    bench *b = mem_zalloc(1, sizeof *b);
    strcpy(b->dir, "/tmp/sluice-file-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    snprintf(b->path, sizeof b->path, "%s/lines.jsonl", b->dir);
    b->system = (sl_system){ .pipeline = "test", .clock = &b->clock, .stop = &b->stop };
    b->items[0] = (sl_value){ .name = string_of("append"), .kind = SL_FLAG };
    b->items[1] = (sl_value){ .name = string_of("path"), .kind = SL_TEXT };
    b->items[1].text = string_of(b->path);
    b->items[2] = (sl_value){ .name = string_of("follow"), .kind = SL_FLAG };
    b->options = (sl_value){ .kind = SL_TABLE, .item_count = 3, .items = b->items };
    b->source_plan = (sl_source){ .options = &b->options, .bounded = 1 };
    b->sink_plan = (sl_sink){ .options = &b->options };
    b->saved = -1;
    arena_init(&b->bytes, 1 << 16);
    *state = b;
    return 0;
}

static void restore(bench *b) {
    if (b->saved < 0) return;
    dup2(b->saved, b->saved_as);
    close(b->saved);
    b->saved = -1;
}

static int teardown(void **state) {
    bench *b = *state;
    restore(b);
    if (b->source) file_source_ops.close(b->source);
    if (b->sink) file_sink_ops.close(b->sink);
    arena_done(&b->bytes);
    mem_free(b->records.items);
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", b->dir);
    int rc = system(command);
    mem_free(b);
    return rc;
}

/* Put `fd` in the place of stdin or stdout. */
static void replace(bench *b, int fd, int as) {
    b->saved = dup(as);
    b->saved_as = as;
    dup2(fd, as);
    close(fd);
    b->items[1].text = string_of("-");
}

static void write_text(const char *path, const char *text, size_t len) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    fclose(file);
}

static void assert_file(const char *path, const char *wanted) {
    char text[4096];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(text, wanted);
}

static void assert_fails(err *e, err_code code, const char *part) {
    assert_non_null(e);
    assert_int_equal(e->code, code);
    assert_non_null(strstr(e->message, part));
    err_free(e);
}

static void open_source(bench *b, const char *text) {
    if (text) write_text(b->path, text, strlen(text));
    assert_null(file_source_ops.open(&b->source_plan, &b->system, &b->source));
}

static const sl_partition *look(bench *b) {
    const sl_partition *partitions;
    uint32_t count;
    assert_null(file_source_ops.look(b->source, &partitions, &count));
    assert_int_equal(count, 1);
    return partitions;
}

/* Fetch lines [from, to) anew and return where the range really ended. */
static int64_t fetch(bench *b, int64_t from, int64_t to, int64_t max_bytes) {
    sl_range range = { .from = from, .to = to };
    b->records.count = 0;
    assert_null(file_source_ops.fetch(b->source, &range, 1, max_bytes, 2000, &b->records,
                                      &b->bytes));
    return range.to;
}

static void assert_record(bench *b, uint32_t i, int64_t offset, const char *value) {
    assert_true(i < b->records.count);
    const sl_record *r = &b->records.items[i];
    assert_int_equal(r->offset, offset);
    assert_int_equal(r->value.len, strlen(value));
    assert_memory_equal(r->value.data, value, r->value.len);
    assert_null(r->key.data);
    assert_int_equal(r->time_ms, -1);
}

static void lines_are_records_and_their_numbers_offsets(void **state) {
    bench *b = *state;
    open_source(b, "{\"a\":1}\n{\"a\":2}\n");
    assert_int_equal(fetch(b, 0, INT64_MAX, MANY), 2);
    assert_int_equal(b->records.count, 2);
    assert_record(b, 0, 0, "{\"a\":1}");
    assert_record(b, 1, 1, "{\"a\":2}");
}

static void blank_lines_and_windows_line_ends_are_tolerated(void **state) {
    bench *b = *state;
    open_source(b, "one\r\n\r\n \t\ntwo\r\n\nlast");
    assert_int_equal(fetch(b, 0, INT64_MAX, MANY), 6);
    assert_int_equal(b->records.count, 3);
    assert_record(b, 0, 0, "one");
    assert_record(b, 1, 3, "two");
    assert_record(b, 2, 5, "last");
}

static void a_small_file_tells_its_end_at_once(void **state) {
    bench *b = *state;
    open_source(b, "1\n\n3");
    assert_int_equal(look(b)->end, 3);
    assert_true(look(b)->ended);
    assert_int_equal(look(b)->position, 0);
    assert_string_equal(look(b)->topic, b->path);
}

static void an_empty_file_has_no_record(void **state) {
    bench *b = *state;
    open_source(b, "");
    assert_int_equal(look(b)->end, 0);
    assert_true(look(b)->ended);
    assert_int_equal(fetch(b, 0, INT64_MAX, MANY), 0);
    assert_int_equal(b->records.count, 0);
}

static void the_end_is_known_after_the_last_record_was_fetched(void **state) {
    bench *b = *state;
    open_source(b, "1\n2\n3\n");
    assert_int_equal(fetch(b, 0, 2, MANY), 2);
    assert_int_equal(fetch(b, 2, 3, MANY), 3);
    assert_int_equal(look(b)->end, 3);
    assert_true(look(b)->ended);
}

static void a_fetch_takes_what_it_is_asked_for(void **state) {
    bench *b = *state;
    open_source(b, "1\n2\n3\n4\n");
    assert_int_equal(fetch(b, 0, 3, MANY), 3);
    assert_int_equal(look(b)->position, 3);
    assert_int_equal(fetch(b, 3, 9, MANY), 4);
    assert_record(b, 0, 3, "4");
}

static void a_byte_limit_stops_early_but_lets_one_record_through(void **state) {
    bench *b = *state;
    open_source(b, "aaaa\nbbbb\ncccc\n");
    assert_int_equal(fetch(b, 0, INT64_MAX, 1), 1);
    assert_int_equal(fetch(b, 1, INT64_MAX, 5 + (int64_t)sizeof(sl_record)), 3);
    assert_int_equal(b->records.count, 2);
}

static void a_fetch_can_begin_anywhere_and_go_back(void **state) {
    bench *b = *state;
    open_source(b, "1\n2\n3\n4\n");
    assert_int_equal(fetch(b, 2, 3, MANY), 3);
    assert_record(b, 0, 2, "3");
    assert_int_equal(fetch(b, 1, 2, MANY), 2);
    assert_record(b, 0, 1, "2");
    assert_int_equal(fetch(b, 7, 9, MANY), 7);
    assert_int_equal(b->records.count, 0);
    assert_int_equal(look(b)->end, 4);
}

static void a_line_of_ten_megabytes_is_a_record(void **state) {
    bench *b = *state;
    size_t len = 10 << 20;
    char *text = mem_alloc(len + 3);
    memset(text, 'x', len);
    memcpy(text + len, "\ny", 2);
    write_text(b->path, text, len + 2);
    mem_free(text);
    open_source(b, NULL);
    assert_int_equal(fetch(b, 0, INT64_MAX, MANY), 2);
    assert_int_equal(b->records.items[0].value.len, len);
    assert_record(b, 1, 1, "y");
}

static void many_lines_over_many_buffers_come_whole(void **state) {
    bench *b = *state;
    buf text;
    buf_init(&text);
    for (int i = 0; i < 200000; i++) buf_printf(&text, "{\"i\":%d,\"pad\":\"%.*s\"}\n", i, i % 40,
                                                "0123456789012345678901234567890123456789");
    write_text(b->path, text.data, text.len);
    buf_done(&text);
    open_source(b, NULL);
    int64_t at = 0;
    while (!look(b)->ended || at < look(b)->end) {
        int64_t next = fetch(b, at, at + 7001, 100000);
        assert_true(next > at);
        for (uint32_t i = 0; i < b->records.count; i++) {
            assert_int_equal(atoll(b->records.items[i].value.data + 5), at + i);
        }
        at = next;
        arena_reset(&b->bytes, 1 << 20);
    }
    assert_int_equal(at, 200000);
}

static void a_missing_file_is_named_with_where_it_was_looked_for(void **state) {
    bench *b = *state;
    char here[1024];
    assert_non_null(getcwd(here, sizeof here));
    b->items[1].text = string_of("no/such.jsonl");
    err *e = file_source_ops.open(&b->source_plan, &b->system, &b->source);
    assert_non_null(e);
    assert_non_null(strstr(e->message, "`no/such.jsonl`"));
    assert_non_null(strstr(e->message, here));
    assert_fails(e, ERR_IO, "No such file");
    b->items[1].text = string_of(b->dir);
    assert_fails(file_source_ops.open(&b->source_plan, &b->system, &b->source), ERR_IO,
                 "directory");
}

static void stdin_ends_when_its_writer_closes(void **state) {
    bench *b = *state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    replace(b, ends[0], STDIN_FILENO);
    open_source(b, NULL);
    assert_int_equal(look(b)->end, INT64_MAX);
    assert_int_equal(write(ends[1], "1\n2\n3", 5), 5);
    assert_null(file_source_ops.wait(b->source, 1000));
    assert_int_equal(fetch(b, 0, INT64_MAX, MANY), 2); /* the third is not whole */
    close(ends[1]);
    assert_int_equal(fetch(b, 2, INT64_MAX, MANY), 3);
    assert_record(b, 0, 2, "3");
    assert_true(look(b)->ended);
    sl_range back = { .from = 0, .to = 1 };
    assert_fails(file_source_ops.fetch(b->source, &back, 1, MANY, 0, &b->records, &b->bytes),
                 ERR_IO,
                 "once only");
}

static void *stop_soon(void *arg) {
    bench *b = arg;
    nanosleep(&(struct timespec){ .tv_nsec = 20 * 1000 * 1000 }, NULL);
    b->stop = 1;
    return NULL;
}

static void a_wait_for_stdin_ends_when_the_process_is_to_stop(void **state) {
    bench *b = *state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    replace(b, ends[0], STDIN_FILENO);
    open_source(b, NULL);
    pthread_t stopper;
    pthread_create(&stopper, NULL, stop_soon, b);
    int64_t before = clock_steady_ms(&b->clock);
    assert_fails(file_source_ops.wait(b->source, 60000), ERR_STOPPED, "stopped");
    assert_true(clock_steady_ms(&b->clock) - before < 1000);
    pthread_join(stopper, NULL);
    sl_range range = { .to = 5 };
    assert_fails(file_source_ops.fetch(b->source, &range, 1, MANY, 60000, &b->records, &b->bytes),
                 ERR_STOPPED, "stopped");
    close(ends[1]);
}

static void a_wait_ends_after_its_timeout_under_a_manual_clock_too(void **state) {
    bench *b = *state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    replace(b, ends[0], STDIN_FILENO);
    b->clock.manual = true;
    open_source(b, NULL);
    assert_null(file_source_ops.wait(b->source, 60));
    sl_range range = { .to = 5 };
    assert_null(file_source_ops.fetch(b->source, &range, 1, MANY, 60, &b->records, &b->bytes));
    assert_int_equal(range.to, 0);
    close(ends[1]);
}

static void append_text(bench *b, const char *text) {
    FILE *file = fopen(b->path, "ab");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void open_followed(bench *b, const char *text) {
    b->items[2].number = 1;
    open_source(b, text);
}

static void a_followed_file_gives_what_is_appended(void **state) {
    bench *b = *state;
    open_followed(b, "1\n2\nha");
    assert_int_equal(look(b)->end, 2);
    assert_false(look(b)->ended);
    assert_int_equal(fetch(b, 0, 2, MANY), 2);
    assert_int_equal(fetch(b, 2, INT64_MAX, MANY), 2); /* half a line waits for the rest */
    assert_null(file_source_ops.wait(b->source, 1));
    append_text(b, "lf");
    assert_int_equal(look(b)->end, 2);
    append_text(b, "\n4\n");
    assert_null(file_source_ops.wait(b->source, 60000));
    assert_int_equal(look(b)->end, 4);
    assert_int_equal(fetch(b, 2, 4, MANY), 4);
    assert_record(b, 0, 2, "half");
    assert_record(b, 1, 3, "4");
    assert_int_equal(fetch(b, 1, 3, MANY), 3);
    assert_record(b, 0, 1, "2");
    append_text(b, "5\n");
    assert_int_equal(look(b)->end, 5);
    assert_int_equal(fetch(b, 3, 5, MANY), 5);
    assert_record(b, 1, 4, "5");
    assert_false(look(b)->ended);
}

static void a_followed_file_may_be_empty_at_first(void **state) {
    bench *b = *state;
    open_followed(b, "");
    assert_int_equal(look(b)->end, 0);
    assert_false(look(b)->ended);
    append_text(b, "1\n");
    assert_int_equal(look(b)->end, 1);
    assert_int_equal(fetch(b, 0, 1, MANY), 1);
    assert_record(b, 0, 0, "1");
}

static void a_followed_file_may_be_stdin(void **state) {
    bench *b = *state;
    write_text(b->path, "1\n", 2);
    replace(b, open(b->path, O_RDONLY), STDIN_FILENO);
    open_followed(b, NULL);
    assert_int_equal(look(b)->end, 1);
    append_text(b, "2\n");
    assert_int_equal(look(b)->end, 2);
    assert_int_equal(fetch(b, 0, 2, MANY), 2);
    assert_record(b, 1, 1, "2");
}

static void a_followed_file_larger_than_the_buffer_comes_whole(void **state) {
    bench *b = *state;
    buf text;
    buf_init(&text);
    for (int i = 0; i < 300000; i++) buf_printf(&text, "%d\n", i);
    write_text(b->path, text.data, text.len);
    open_followed(b, NULL);
    int64_t at = 0;
    while (look(b)->end > at) at = fetch(b, at, at + 7000, MANY);
    assert_int_equal(at, 300000);
    append_text(b, buf_text(&text));
    buf_done(&text);
    while (look(b)->end > at) at = fetch(b, at, at + 7000, MANY);
    assert_int_equal(at, 600000);
    assert_record(b, b->records.count - 1, 599999, "299999");
}

static void a_wait_for_a_followed_file_ends_when_the_process_is_to_stop(void **state) {
    bench *b = *state;
    open_followed(b, "1\n");
    assert_int_equal(fetch(b, 0, 1, MANY), 1);
    b->stop = 1;
    assert_fails(file_source_ops.wait(b->source, 60000), ERR_STOPPED, "stopped");
}

static void open_sink(bench *b, bool is_appended) {
    b->items[0].number = is_appended;
    assert_null(file_sink_ops.open(&b->sink_plan, &b->system, &b->sink));
}

static err *put_batch(bench *b, uint64_t batch, const sl_message *messages, uint32_t count) {
    const sl_rejection *rejections;
    uint32_t rejected = 9;
    assert_null(file_sink_ops.begin(b->sink, batch, 0));
    assert_null(file_sink_ops.write(b->sink, messages, count));
    err *e = file_sink_ops.flush(b->sink, &rejections, &rejected);
    assert_int_equal(rejected, 0);
    return e;
}

static sl_message message(const char *key, const char *value) {
    sl_message m = { .partition = -1 };
    if (key) m.key = string_of(key);
    if (value) m.value = string_of(value);
    return m;
}

static void each_batch_with_rows_is_a_file_of_its_own(void **state) {
    bench *b = *state;
    char path[256];
    open_sink(b, false);
    sl_message two[] = { message("k", "{\"a\":1}"), message(NULL, "{\"a\":2}") };
    assert_null(put_batch(b, 42, two, 2));
    assert_null(put_batch(b, 43, two, 0));
    snprintf(path, sizeof path, "%s/batch-000000000042.jsonl", b->path);
    assert_file(path, "{\"a\":1}\n{\"a\":2}\n");
    assert_null(put_batch(b, 42, two, 1)); /* done again */
    assert_file(path, "{\"a\":1}\n");
    snprintf(path, sizeof path, "test \"$(ls -A %s)\" = batch-000000000042.jsonl", b->path);
    assert_int_equal(system(path), 0);
}

static void a_restart_puts_its_files_behind_those_that_are_there(void **state) {
    bench *b = *state;
    char path[256];
    sl_message one[] = { message(NULL, "1") }, two[] = { message(NULL, "2") };
    open_sink(b, false);
    assert_null(put_batch(b, 7, one, 1));
    file_sink_ops.close(b->sink);
    open_sink(b, false);
    assert_null(put_batch(b, 0, two, 1));
    snprintf(path, sizeof path, "%s/batch-000000000007.jsonl", b->path);
    assert_file(path, "1\n");
    snprintf(path, sizeof path, "%s/batch-000000000008.jsonl", b->path);
    assert_file(path, "2\n");
}

static void a_batch_begun_again_forgets_what_was_written(void **state) {
    bench *b = *state;
    open_sink(b, true);
    sl_message one[] = { message(NULL, "1") }, two[] = { message(NULL, "2") };
    assert_null(file_sink_ops.begin(b->sink, 0, 0));
    assert_null(file_sink_ops.write(b->sink, one, 1));
    assert_null(put_batch(b, 0, two, 1));
    assert_file(b->path, "2\n");
}

/* -- sinks whose place a checkpoint holds */

static void open_kept(bench *b, bool is_appended) {
    b->sink_plan.kind = SL_SINK_BY_BATCH;
    open_sink(b, is_appended);
}

/* The process dies, and another one is told what was committed. */
static void reopen(bench *b, bool is_appended, const buf *position) {
    file_sink_ops.close(b->sink);
    open_kept(b, is_appended);
    if (position) assert_null(file_sink_ops.resume(b->sink, position->data, position->len));
}

static buf position_of(const bench *b) {
    buf position;
    buf_init(&position);
    assert_null(file_sink_ops.position(b->sink, &position));
    return position;
}

static void what_is_behind_the_last_commit_is_cut_off(void **state) {
    bench *b = *state;
    sl_message one[] = { message(NULL, "1") }, two[] = { message(NULL, "22") };
    write_text(b->path, "old\nhalf", 8);
    open_kept(b, true);
    buf genesis = position_of(b);
    assert_null(put_batch(b, 0, one, 1));
    reopen(b, true, &genesis);
    assert_file(b->path, "old\nhalf");
    assert_null(put_batch(b, 0, one, 1));
    buf first = position_of(b);
    assert_null(put_batch(b, 1, two, 1));
    assert_file(b->path, "old\nhalf\n1\n22\n");
    reopen(b, true, &first);
    assert_file(b->path, "old\nhalf\n1\n");
    assert_null(put_batch(b, 1, two, 1));
    assert_file(b->path, "old\nhalf\n1\n22\n");
    buf_done(&genesis);
    buf_done(&first);
}

static void a_growing_file_takes_a_batch_back_that_begins_again(void **state) {
    bench *b = *state;
    sl_message one[] = { message(NULL, "1") }, two[] = { message(NULL, "22") };
    open_kept(b, true);
    assert_null(put_batch(b, 0, one, 1));
    assert_null(put_batch(b, 1, two, 1));
    assert_null(put_batch(b, 1, two, 1)); /* its commit failed */
    assert_file(b->path, "1\n22\n");
    assert_null(put_batch(b, 1, two, 0));
    assert_file(b->path, "1\n");
}

static void a_growing_file_that_was_cut_is_refused_and_one_that_is_gone_begins_anew(void **state) {
    bench *b = *state;
    sl_message one[] = { message(NULL, "1") };
    open_kept(b, true);
    assert_null(put_batch(b, 0, one, 1));
    buf position = position_of(b);
    write_text(b->path, "1", 1);
    file_sink_ops.close(b->sink);
    open_kept(b, true);
    assert_fails(file_sink_ops.resume(b->sink, position.data, position.len), ERR_REFUSED,
                 "holds 1 bytes, and 2 were committed");
    unlink(b->path);
    logger log;
    log_init(&log, open("/dev/null", O_WRONLY), LOG_LOGFMT, LOG_ERROR);
    b->system.log = &log;
    reopen(b, true, &position);
    assert_null(put_batch(b, 1, one, 1));
    assert_file(b->path, "1\n");
    log_done(&log);
    buf_done(&position);
}

static void assert_listing(const bench *b, const char *wanted) {
    char command[512];
    snprintf(command, sizeof command, "test \"$(ls -A %s | tr '\\n' ' ')\" = '%s'", b->path,
             wanted);
    assert_int_equal(system(command), 0);
}

static void files_of_batches_that_were_not_committed_go_or_are_replaced(void **state) {
    bench *b = *state;
    char path[256];
    sl_message one[] = { message(NULL, "1") }, two[] = { message(NULL, "2") };
    open_kept(b, false);
    buf genesis = position_of(b);
    assert_null(put_batch(b, 0, one, 1));
    reopen(b, false, &genesis);
    assert_null(put_batch(b, 0, two, 1));
    assert_listing(b, "batch-000000000000.jsonl ");
    snprintf(path, sizeof path, "%s/batch-000000000000.jsonl", b->path);
    assert_file(path, "2\n");
    buf first = position_of(b);
    assert_null(put_batch(b, 1, one, 1));
    assert_null(put_batch(b, 2, one, 1));
    snprintf(path, sizeof path, "%s/.batch-000000000003.jsonl.tmp", b->path);
    write_text(path, "half", 4);
    reopen(b, false, &first); /* somebody went back to an older commit */
    assert_listing(b, "batch-000000000000.jsonl batch-000000000001.jsonl ");
    buf again = position_of(b);
    assert_int_equal(again.len, first.len);
    assert_memory_equal(again.data, first.data, first.len);
    buf_done(&again);
    assert_null(put_batch(b, 1, one, 0)); /* and now it has no rows */
    assert_listing(b, "batch-000000000000.jsonl ");
    buf_done(&genesis);
    buf_done(&first);
}

static void files_of_an_earlier_checkpoint_stay(void **state) {
    bench *b = *state;
    sl_message one[] = { message(NULL, "1") };
    open_kept(b, false);
    assert_null(put_batch(b, 0, one, 1));
    reopen(b, false, NULL); /* a fresh start */
    buf genesis = position_of(b);
    assert_null(put_batch(b, 0, one, 1));
    assert_listing(b, "batch-000000000000.jsonl batch-000000000001.jsonl ");
    reopen(b, false, &genesis);
    assert_null(put_batch(b, 0, one, 1));
    assert_listing(b, "batch-000000000000.jsonl batch-000000000001.jsonl ");
    buf_done(&genesis);
}

static void a_sink_that_is_new_in_an_old_pipeline_replaces_its_first_batch(void **state) {
    bench *b = *state;
    sl_message one[] = { message(NULL, "1") };
    open_kept(b, false);
    assert_null(put_batch(b, 42, one, 1));
    reopen(b, false, NULL);
    assert_null(put_batch(b, 42, one, 1));
    assert_listing(b, "batch-000000000042.jsonl ");
    sl_message two[] = { message(NULL, "2") };
    assert_null(put_batch(b, 43, two, 1)); /* its commit was the last of this pipeline */
    reopen(b, false, NULL);                /* a copy of an older state: files stay */
    assert_null(put_batch(b, 42, two, 1));
    reopen(b, false, NULL);
    assert_null(put_batch(b, 42, one, 1)); /* its own is replaced */
    assert_listing(b, "batch-000000000042.jsonl batch-000000000043.jsonl "
                      "batch-000000000086.jsonl ");
}

static void a_growing_file_that_is_new_in_an_old_pipeline_begins_where_it_began(void **state) {
    bench *b = *state;
    sl_message one[] = { message(NULL, "1") }, two[] = { message(NULL, "2") };
    write_text(b->path, "old\n", 4);
    open_kept(b, true);
    assert_null(put_batch(b, 42, one, 1));
    reopen(b, true, NULL); /* it died before the commit */
    assert_null(put_batch(b, 42, two, 1));
    assert_file(b->path, "old\n2\n");
    buf position = position_of(b);
    reopen(b, true, &position); /* behind it */
    assert_null(put_batch(b, 43, one, 1));
    assert_file(b->path, "old\n2\n1\n");
    char command[128];
    snprintf(command, sizeof command, "test \"$(ls -A %s)\" = lines.jsonl", b->dir);
    assert_int_equal(system(command), 0);
    buf_done(&position);
}

static void another_process_is_kept_out(void **state) {
    bench *b = *state;
    sl_message one[] = { message(NULL, "1") };
    void *other;
    open_kept(b, true); /* no file yet: whoever makes it has it */
    assert_null(file_sink_ops.open(&b->sink_plan, &b->system, &other));
    assert_null(put_batch(b, 0, one, 1));
    void *first = b->sink;
    b->sink = other;
    assert_fails(put_batch(b, 0, one, 1), ERR_FENCED, "another process has made it");
    file_sink_ops.close(other);
    b->sink = first;
    assert_fails(file_sink_ops.open(&b->sink_plan, &b->system, &other), ERR_FENCED,
                 "another process writes to it");
    assert_file(b->path, "1\n");
    file_sink_ops.close(b->sink);
    unlink(b->path);
    open_kept(b, false);
    assert_fails(file_sink_ops.open(&b->sink_plan, &b->system, &other), ERR_FENCED,
                 "another process writes to it");
}

static void append_adds_to_what_is_there_and_ends_a_half_line(void **state) {
    bench *b = *state;
    write_text(b->path, "old\nhalf", 8);
    open_sink(b, true);
    sl_message one[] = { message(NULL, "1") };
    assert_null(put_batch(b, 0, one, 1));
    assert_null(put_batch(b, 1, one, 1));
    assert_file(b->path, "old\nhalf\n1\n1\n");
}

static void an_appended_file_is_made_by_its_first_row(void **state) {
    bench *b = *state;
    open_sink(b, true);
    sl_message one[] = { message(NULL, "1") };
    assert_null(put_batch(b, 0, one, 0));
    assert_int_equal(access(b->path, F_OK), -1);
    assert_null(put_batch(b, 1, one, 1));
    assert_file(b->path, "1\n");
}

static void an_appended_file_that_cannot_be_made_is_an_error_at_the_start(void **state) {
    bench *b = *state;
    b->items[0].number = 1;
    b->items[1].text = string_of(b->dir);
    assert_fails(file_sink_ops.open(&b->sink_plan, &b->system, &b->sink), ERR_IO, "directory");
    b->items[1].text = string_of("/no/such/place.jsonl");
    assert_fails(file_sink_ops.open(&b->sink_plan, &b->system, &b->sink), ERR_IO,
                 "making file sink `/no/such/place.jsonl`: No such file");
}

static void a_file_in_the_place_of_the_directory_is_an_error(void **state) {
    bench *b = *state;
    write_text(b->path, "", 0);
    assert_fails(file_sink_ops.open(&b->sink_plan, &b->system, &b->sink), ERR_IO, "append = true");
    b->items[1].text = string_of("/no/such/place");
    assert_fails(file_sink_ops.open(&b->sink_plan, &b->system, &b->sink), ERR_IO, "/no/such/place");
}

static void retractions_need_envelopes(void **state) {
    bench *b = *state;
    b->sink_plan.enveloped = 1;
    open_sink(b, true);
    sl_message rows[] = {
        message("{\"k\":\"a\",\"n\":[1,-2.5e3,null]}", "{\"c\":1}"),
        message("{\"k\":\"a\"}", NULL),
        message("plain \"text\"", "{\"c\":2}"),
        message("{\"k\":01}", "3"),
        message("{\"k\":\n1}", "4"),
        message(NULL, "5"),
    };
    assert_null(put_batch(b, 0, rows, 6));
    assert_file(b->path, "{\"key\":{\"k\":\"a\",\"n\":[1,-2.5e3,null]},\"value\":{\"c\":1}}\n"
                         "{\"key\":{\"k\":\"a\"},\"value\":null}\n"
                         "{\"key\":\"plain \\\"text\\\"\",\"value\":{\"c\":2}}\n"
                         "{\"key\":\"{\\\"k\\\":01}\",\"value\":3}\n"
                         "{\"key\":\"{\\\"k\\\":\\n1}\",\"value\":4}\n"
                         "{\"key\":null,\"value\":5}\n");
}

static void side_sinks_keep_raw_bytes_and_headers(void **state) {
    bench *b = *state;
    b->sink_plan.is_side = 1;
    open_sink(b, true);
    sl_header headers[] = {
        { .name = string_of("sluice.reason"), .value = string_of("no\tJSON") },
        { .name = string_of("raw"), .value = string_of("\xff") },
        { .name = string_of("none") },
    };
    sl_message m = message("\xc3\xa4", "{\"a\":\x01");
    m.headers = headers;
    m.header_count = 3;
    sl_message bad = message("\xed\xa0\x80", "\xfe\xfe");
    sl_message rows[] = { m, bad, message(NULL, NULL) };
    assert_null(put_batch(b, 0, rows, 3));
    assert_file(b->path,
                "{\"headers\":{\"sluice.reason\":\"no\\tJSON\",\"raw_base64\":\"/w==\","
                "\"none\":null},"
                "\"key\":\"\xc3\xa4\",\"value\":\"{\\\"a\\\":\\u0001\"}\n"
                "{\"headers\":{},\"key_base64\":\"7aCA\",\"value_base64\":\"/v4=\"}\n"
                "{\"headers\":{},\"key\":null,\"value\":null}\n");
}

static void stdout_gets_lines_and_a_reader_that_has_gone_is_an_error(void **state) {
    bench *b = *state;
    int ends[2];
    char text[16] = "";
    assert_int_equal(pipe(ends), 0);
    fflush(stdout);
    replace(b, ends[1], STDOUT_FILENO);
    open_sink(b, false);
    sl_message one[] = { message(NULL, "1") };
    err *first = put_batch(b, 0, one, 1);
    ssize_t got = read(ends[0], text, sizeof text);
    close(ends[0]);
    signal(SIGPIPE, SIG_IGN);
    err *second = put_batch(b, 1, one, 1);
    restore(b);
    assert_null(first);
    assert_int_equal(got, 2);
    assert_string_equal(text, "1\n");
    assert_fails(second, ERR_IO, "reader of the pipe has gone");
}

static void a_full_pipe_is_left_when_the_process_is_to_stop(void **state) {
    bench *b = *state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(stdout);
    replace(b, ends[1], STDOUT_FILENO);
    open_sink(b, false);
    char *large = mem_zalloc(1, 1 << 20);
    memset(large, 'x', (1 << 20) - 1);
    sl_message one[] = { message(NULL, large) };
    pthread_t stopper;
    pthread_create(&stopper, NULL, stop_soon, b);
    err *e = put_batch(b, 0, one, 1);
    restore(b);
    pthread_join(stopper, NULL);
    mem_free(large);
    close(ends[0]);
    assert_fails(e, ERR_STOPPED, "stopped");
}

#define on_bench(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        on_bench(lines_are_records_and_their_numbers_offsets),
        on_bench(blank_lines_and_windows_line_ends_are_tolerated),
        on_bench(a_small_file_tells_its_end_at_once),
        on_bench(an_empty_file_has_no_record),
        on_bench(the_end_is_known_after_the_last_record_was_fetched),
        on_bench(a_fetch_takes_what_it_is_asked_for),
        on_bench(a_byte_limit_stops_early_but_lets_one_record_through),
        on_bench(a_fetch_can_begin_anywhere_and_go_back),
        on_bench(a_line_of_ten_megabytes_is_a_record),
        on_bench(many_lines_over_many_buffers_come_whole),
        on_bench(a_missing_file_is_named_with_where_it_was_looked_for),
        on_bench(stdin_ends_when_its_writer_closes),
        on_bench(a_wait_for_stdin_ends_when_the_process_is_to_stop),
        on_bench(a_wait_ends_after_its_timeout_under_a_manual_clock_too),
        on_bench(a_followed_file_gives_what_is_appended),
        on_bench(a_followed_file_may_be_empty_at_first),
        on_bench(a_followed_file_may_be_stdin),
        on_bench(a_followed_file_larger_than_the_buffer_comes_whole),
        on_bench(a_wait_for_a_followed_file_ends_when_the_process_is_to_stop),
        on_bench(each_batch_with_rows_is_a_file_of_its_own),
        on_bench(a_batch_begun_again_forgets_what_was_written),
        on_bench(append_adds_to_what_is_there_and_ends_a_half_line),
        on_bench(an_appended_file_is_made_by_its_first_row),
        on_bench(an_appended_file_that_cannot_be_made_is_an_error_at_the_start),
        on_bench(a_restart_puts_its_files_behind_those_that_are_there),
        on_bench(a_file_in_the_place_of_the_directory_is_an_error),
        on_bench(retractions_need_envelopes),
        on_bench(what_is_behind_the_last_commit_is_cut_off),
        on_bench(a_growing_file_takes_a_batch_back_that_begins_again),
        on_bench(a_growing_file_that_was_cut_is_refused_and_one_that_is_gone_begins_anew),
        on_bench(files_of_batches_that_were_not_committed_go_or_are_replaced),
        on_bench(files_of_an_earlier_checkpoint_stay),
        on_bench(a_growing_file_that_is_new_in_an_old_pipeline_begins_where_it_began),
        on_bench(a_sink_that_is_new_in_an_old_pipeline_replaces_its_first_batch),
        on_bench(another_process_is_kept_out),
        on_bench(side_sinks_keep_raw_bytes_and_headers),
        on_bench(stdout_gets_lines_and_a_reader_that_has_gone_is_an_error),
        on_bench(a_full_pipe_is_left_when_the_process_is_to_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
