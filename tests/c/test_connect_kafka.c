/* Kafka at both ends, on the mock cluster. What it cannot do (transactions, admin calls, retention)
 * is tested against a real Kafka in tests/e2e. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "runtime/base/arena.h"
#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/connect/connectors.h"
#include "runtime/connect/kafka_ledger.h"
#include "runtime/connect/kafka_partitioner.h"
#include "runtime/connect/kafka_sink.h"
#include "runtime/connect/kafka_source.h"
#include "runtime/connect/mock.h"

enum { PRODUCE = 0,
       FETCH = 1,
       WAIT_MS = 10000,
       MAX_OPTIONS = 9 };
enum { NOT_LEADER = 6,
       TOO_LARGE = 10,
       NOT_ENOUGH_REPLICAS = 19,
       TOPIC_DENIED = 29 };

typedef struct world {
    mock *cluster;
    logger log;
    clock_source clock;
    volatile int stop;
    sl_system system;
    sl_value options[MAX_OPTIONS];
    uint32_t option_count;
    sl_value table;
    sl_source source_plan;
    sl_sink sink_plan;
    void *source, *sink;
    sl_records records;
    arena bytes;
    sl_range ranges[16];
    uint32_t range_count;
} world;

static sl_string string_of(const char *text) {
    return (sl_string){ .data = text, .len = text ? (uint32_t)strlen(text) : 0 };
}

static sl_value text_value(const char *name, const char *text) {
    return (sl_value){ .name = string_of(name), .kind = SL_TEXT, .text = string_of(text) };
}

static sl_value number_value(const char *name, double number) {
    return (sl_value){ .name = string_of(name), .kind = SL_NUMBER, .number = number };
}

static sl_value table_value(const char *name, const sl_value *items, uint32_t count) {
    return (
        sl_value){ .name = string_of(name), .kind = SL_TABLE, .items = items, .item_count = count };
}

static void put_option(world *w, sl_value value) {
    for (uint32_t i = 0; i < w->option_count; i++) {
        if (w->options[i].name.len != value.name.len ||
            memcmp(w->options[i].name.data, value.name.data, value.name.len) != 0)
            continue;
        w->options[i] = value;
        return;
    }
    assert_true(w->option_count < MAX_OPTIONS);
    w->options[w->option_count++] = value;
    w->table = table_value("", w->options, w->option_count);
}

static void ok(err *e) {
    if (e) print_error("%s\n", e->message);
    assert_null(e);
}

static void fails(err *e, err_code code, const char *part) {
    assert_non_null(e);
    if (e->code != code || !strstr(e->message, part)) print_error("%s\n", e->message);
    assert_int_equal(e->code, code);
    assert_non_null(strstr(e->message, part));
    err_free(e);
}

static int set_up(void **state) {
    world *w = mem_zalloc(1, sizeof *w);
    const char *addresses;
    ok(mock_new(1, &w->cluster, &addresses));
    ok(mock_create_topic(w->cluster, "in", 2));
    log_init(&w->log, 2, LOG_PLAIN, LOG_ERROR);
    w->system = (sl_system){ .pipeline = "test",
                             .brokers = addresses,
                             .log = &w->log,
                             .clock = &w->clock,
                             .stop = &w->stop };
    put_option(w, text_value("topics", "in"));
    put_option(w, text_value("topic", "in"));
    put_option(w, text_value("start", "earliest"));
    w->source_plan.options = w->sink_plan.options = &w->table;
    arena_init(&w->bytes, 1 << 16);
    *state = w;
    return 0;
}

static int set_up_librdkafka(void **state) {
    set_up(state);
    put_option(*state, text_value("fetch", "librdkafka"));
    put_option(*state, text_value("produce", "librdkafka"));
    return 0;
}

static int set_up_mixed(void **state) {
    set_up(state);
    put_option(*state, text_value("fetch", "librdkafka"));
    return 0;
}

static int tear_down(void **state) {
    world *w = *state;
    if (w->source) kafka_source_ops.close(w->source);
    if (w->sink) kafka_sink_ops.close(w->sink);
    mock_free(w->cluster);
    mem_free(w->records.items);
    arena_done(&w->bytes);
    log_done(&w->log);
    mem_free(w);
    return 0;
}

static void open_both(world *w) {
    ok(kafka_sink_ops.open(&w->sink_plan, &w->system, &w->sink));
    ok(kafka_source_ops.open(&w->source_plan, &w->system, &w->source));
}

static sl_message message(const char *key, const char *value, int32_t partition, uint32_t row) {
    return (sl_message){
        .key = string_of(key),
        .value = string_of(value),
        .partition = partition,
        .time_ms = 1700000000000,
        .row = row,
    };
}

/* Write and flush; the number of rejections. */
static uint32_t send(world *w, const sl_message *messages, uint32_t count) {
    const sl_rejection *rejections;
    uint32_t rejected;
    ok(kafka_sink_ops.begin(w->sink, 0, 1700000000000));
    ok(kafka_sink_ops.write(w->sink, messages, count));
    ok(kafka_sink_ops.flush(w->sink, &rejections, &rejected));
    return rejected;
}

/* `count` messages "0", "1", … into `partition`. */
static void send_numbers(world *w, int32_t partition, uint32_t count) {
    char(*texts)[16] = mem_zalloc(count, sizeof *texts);
    sl_message *messages = mem_zalloc(count, sizeof *messages);
    for (uint32_t i = 0; i < count; i++) {
        snprintf(texts[i], sizeof texts[i], "%u", i);
        messages[i] = message(NULL, texts[i], partition, i);
    }
    assert_int_equal(send(w, messages, count), 0);
    mem_free(messages);
    mem_free(texts);
}

/* Plan everything up to the ends as ranges. */
static int64_t plan_all(world *w) {
    const sl_partition *partitions;
    uint32_t count;
    int64_t total = 0;
    ok(kafka_source_ops.confirm(w->source, WAIT_MS));
    ok(kafka_source_ops.look(w->source, &partitions, &count));
    w->range_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (partitions[i].end <= partitions[i].position) continue;
        w->ranges[w->range_count++] = (sl_range){ i, 0, partitions[i].position, partitions[i].end };
        total += partitions[i].end - partitions[i].position;
    }
    return total;
}

static err *fetch(world *w, int64_t max_bytes, int64_t timeout_ms) {
    w->records.count = 0;
    arena_reset(&w->bytes, 1 << 20);
    return kafka_source_ops.fetch(w->source, w->ranges, w->range_count, max_bytes, timeout_ms,
                                  &w->records, &w->bytes);
}

/* -- tests */

static void murmur2_is_java_s(void **state) {
    static const struct {
        const char *key;
        int32_t hash;
    } known[] = {
        { "21", -973932308 },
        { "foobar", -790332482 },
        { "a-little-bit-long-string", -985981536 },
        { "a-little-bit-longer-string", -1486304829 },
        { "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971 },
        { "abc", 479470107 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_int_equal((int32_t)kafka_murmur2(known[i].key, strlen(known[i].key)), known[i].hash);
}

static void connectors_are_found_by_name(void **state) {
    sl_string kafka = string_of("kafka"), unknown = string_of("pigeon");
    (void)state;
    assert_ptr_equal(connector_source(&kafka), &kafka_source_ops);
    assert_ptr_equal(connector_sink(&kafka), &kafka_sink_ops);
    assert_null(connector_source(&unknown));
    assert_ptr_equal(connector_ledger(&kafka), &kafka_ledger_ops);
    assert_null(connector_ledger(&unknown));
}

static void what_is_written_is_read(void **state) {
    world *w = *state;
    open_both(w);
    sl_header headers[] = { { string_of("reason"), string_of("late") },
                            { string_of("empty"), { NULL, 0, 0 } } };
    sl_message sent[] = { message("k", "one", 0, 0), message(NULL, NULL, 0, 1),
                          message("", "", 0, 2) };
    sent[0].headers = headers;
    sent[0].header_count = 2;
    assert_int_equal(send(w, sent, 3), 0);
    assert_int_equal(plan_all(w), 3);
    ok(fetch(w, 1 << 20, WAIT_MS));
    assert_int_equal(w->records.count, 3);
    const sl_record *r = w->records.items;
    assert_int_equal(r[0].offset, 0);
    assert_int_equal(r[0].time_ms, 1700000000000);
    assert_int_equal(r[0].time_kind, 1);
    assert_memory_equal(r[0].key.data, "k", 1);
    assert_memory_equal(r[0].value.data, "one", 3);
    assert_int_equal(r[0].header_count, 2);
    assert_memory_equal(r[0].headers[0].name.data, "reason", 6);
    assert_memory_equal(r[0].headers[0].value.data, "late", 4);
    assert_null(r[0].headers[1].value.data);
    assert_null(r[1].key.data);
    assert_null(r[1].value.data);
    assert_non_null(r[2].key.data);
    assert_non_null(r[2].value.data);
    assert_int_equal(r[2].value.len, 0);
}

static void keys_go_where_java_puts_them(void **state) {
    world *w = *state;
    open_both(w);
    sl_message sent[] = { message("foobar", "a", -1, 0), message("21", "b", -1, 1),
                          message(NULL, "c", -1, 2), message(NULL, "d", -1, 3) };
    assert_int_equal(send(w, sent, 4), 0);
    plan_all(w);
    ok(fetch(w, 1 << 20, WAIT_MS));
    assert_int_equal(w->records.count, 4);
    for (uint32_t i = 0; i < 4; i++) {
        const sl_record *r = &w->records.items[i];
        uint32_t wanted = *r->value.data == 'c' ? 0 : 1;
        if (r->key.data) wanted = (uint32_t)kafka_partition_of(r->key.data, r->key.len, 2);
        assert_int_equal(r->partition, wanted);
    }
}

static void ranges_are_read_whole_and_in_order(void **state) {
    world *w = *state;
    open_both(w);
    send_numbers(w, 1, 3000);
    send_numbers(w, 0, 5000);
    assert_int_equal(plan_all(w), 8000);
    w->ranges[0].to = 1500; /* what lies behind stays for the next fetch */
    ok(fetch(w, 1 << 20, WAIT_MS));
    assert_int_equal(w->records.count, 4500);
    for (uint32_t i = 0; i < 4500; i++) {
        assert_int_equal(w->records.items[i].partition, i < 1500 ? 0 : 1);
        assert_int_equal(w->records.items[i].offset, i < 1500 ? i : i - 1500);
    }
    assert_int_equal(plan_all(w), 3500);
    ok(fetch(w, 1 << 20, WAIT_MS));
    assert_int_equal(w->records.count, 3500);
    assert_int_equal(w->records.items[0].offset, 1500);
    assert_memory_equal(w->records.items[0].value.data, "1500", 4);
}

static void bytes_are_cut_fairly(void **state) {
    world *w = *state;
    open_both(w);
    send_numbers(w, 0, 1000);
    send_numbers(w, 1, 1000);
    plan_all(w);
    ok(fetch(w, 1000 + 400 * (int64_t)sizeof(sl_record), WAIT_MS));
    assert_in_range(w->ranges[0].to, 190, 210); /* 10 * 1 + 90 * 2 + … = 500 bytes in 200 */
    assert_int_equal(w->ranges[0].to, w->ranges[1].to);
    assert_int_equal(w->records.count, 2 * w->ranges[0].to);
    plan_all(w);
    ok(fetch(w, 1, WAIT_MS));
    assert_int_equal(w->records.count, 1);
}

/* Fill partition 0 with `count` records of a kilobyte. */
static void send_kilobytes(world *w, uint32_t count) {
    static char text[1024];
    sl_message *messages = mem_zalloc(count, sizeof *messages);
    memset(text, 'x', sizeof text - 1);
    for (uint32_t i = 0; i < count; i++) messages[i] = message(NULL, text, 0, i);
    assert_int_equal(send(w, messages, count), 0);
    mem_free(messages);
}

/* How many records of partition 0 are at hand `ms` after the source was opened. */
static uint32_t read_ahead(world *w, int64_t ms) {
    const struct timespec rest = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
    kafka_source_ops.close(w->source);
    ok(kafka_source_ops.open(&w->source_plan, &w->system, &w->source));
    nanosleep(&rest, NULL);
    plan_all(w);
    ok(fetch(w, w->source_plan.max_bytes, 0));
    return w->records.count;
}

/* Else main would wait for the rest of each batch, and the reader for main. */
static void a_whole_batch_is_read_ahead(void **state) {
    world *w = *state;
    enum { COUNT = 6000,
           MOST_MS = 20000 };
    w->source_plan.max_bytes = 20 << 20;
    open_both(w);
    send_kilobytes(w, COUNT);
    int64_t ms = 50;
    while (read_ahead(w, ms) < COUNT && ms < MOST_MS) ms *= 2;
    assert_int_equal(w->records.count, COUNT);
}

static void a_slow_fetch_lowers_the_ranges(void **state) {
    world *w = *state;
    open_both(w);
    send_numbers(w, 0, 10);
    plan_all(w);
    w->ranges[0].to = 20;
    ok(fetch(w, 1 << 20, 300));
    assert_int_equal(w->records.count, 10);
    assert_int_equal(w->ranges[0].to, 10);
}

static void a_fetch_can_begin_anywhere(void **state) {
    world *w = *state;
    open_both(w);
    send_numbers(w, 0, 100);
    plan_all(w);
    ok(fetch(w, 1 << 20, WAIT_MS));
    w->ranges[0] = (sl_range){ 0, 0, 42, 50 };
    ok(fetch(w, 1 << 20, WAIT_MS));
    assert_int_equal(w->records.count, 8);
    assert_int_equal(w->records.items[0].offset, 42);
}

static void wait_ends_when_a_record_comes(void **state) {
    world *w = *state;
    const sl_partition *partitions;
    uint32_t count;
    open_both(w);
    ok(kafka_source_ops.look(w->source, &partitions, &count));
    send_numbers(w, 1, 1);
    ok(kafka_source_ops.wait(w->source, WAIT_MS));
    ok(kafka_source_ops.look(w->source, &partitions, &count));
    while (partitions[1].end == 0) { /* a changed partition ends it, too */
        ok(kafka_source_ops.wait(w->source, WAIT_MS));
        ok(kafka_source_ops.look(w->source, &partitions, &count));
    }
    assert_int_equal(partitions[1].end, 1);
}

/* As while a batch waits for its time: leaders are asked once a second then. */
static void what_came_is_known_at_the_next_look(void **state) {
    enum { TIMES = 6,
           COUNT = 10,
           LOOKS = 20,
           BETWEEN_NS = 10000000 };
    world *w = *state;
    const sl_partition *partitions;
    uint32_t count;
    open_both(w);
    for (int32_t i = 1; i <= TIMES; i++) {
        send_numbers(w, 0, COUNT);
        ok(kafka_source_ops.look(w->source, &partitions, &count));
        for (int k = 0; k < LOOKS && partitions[0].end < i * COUNT; k++) {
            nanosleep(&(struct timespec){ .tv_nsec = BETWEEN_NS }, NULL);
            ok(kafka_source_ops.look(w->source, &partitions, &count));
        }
        assert_int_equal(partitions[0].end, i * COUNT);
    }
}

static void start_places(void **state) {
    world *w = *state;
    const sl_partition *partitions;
    uint32_t count;
    ok(kafka_sink_ops.open(&w->sink_plan, &w->system, &w->sink));
    send_numbers(w, 0, 10);
    send_numbers(w, 1, 5);
    put_option(w, text_value("start", "latest"));
    ok(kafka_source_ops.open(&w->source_plan, &w->system, &w->source));
    ok(kafka_source_ops.look(w->source, &partitions, &count));
    assert_int_equal(count, 2);
    assert_int_equal(partitions[0].position, 10);
    assert_int_equal(partitions[1].position, 5);
    kafka_source_ops.close(w->source);
    w->source = NULL;

    sl_value numbers[] = { number_value("0", 7), text_value("1", "latest") };
    sl_value topics[] = { table_value("in", numbers, 2) };
    put_option(w, table_value("start", topics, 1));
    ok(kafka_source_ops.open(&w->source_plan, &w->system, &w->source));
    ok(kafka_source_ops.look(w->source, &partitions, &count));
    assert_int_equal(partitions[0].position, 7);
    assert_int_equal(partitions[1].position, 5);
    kafka_source_ops.close(w->source);
    w->source = NULL;

    topics[0].item_count = 1;
    fails(kafka_source_ops.open(&w->source_plan, &w->system, &w->source), ERR_PLAN,
          "topic in partition 1 is not named");
    topics[0].item_count = 2;
    numbers[1].name = string_of("2");
    fails(kafka_source_ops.open(&w->source_plan, &w->system, &w->source), ERR_PLAN,
          "topic in has no partition 2: it has 2");
    numbers[1].name = string_of("1");
    numbers[0].number = 11;
    fails(kafka_source_ops.open(&w->source_plan, &w->system, &w->source), ERR_BROKER,
          "offset 11 is not there, the log has 0 to 10");
    put_option(w, text_value("on_data_loss", "continue"));
    ok(kafka_source_ops.open(&w->source_plan, &w->system, &w->source));
    ok(kafka_source_ops.look(w->source, &partitions, &count));
    assert_int_equal(partitions[0].position, 0);
}

/* Partition 0 is known at the offset that `arg` points to, 1 is new. */
static int32_t resume(void *arg, const char *topic, int32_t number, int64_t *offset) {
    assert_string_equal(topic, "in");
    if (number == 1) return SL_APPEARED;
    *offset = *(int64_t *)arg;
    return SL_KNOWN;
}

static void a_source_goes_on_where_an_earlier_run_left_off(void **state) {
    world *w = *state;
    const sl_partition *partitions;
    uint32_t count;
    int64_t known = 42;
    open_both(w);
    send_numbers(w, 0, 100);
    send_numbers(w, 1, 100);
    kafka_source_ops.close(w->source);
    w->source = NULL;
    put_option(w, text_value("start", "latest"));
    w->system.resume = resume;
    w->system.resume_arg = &known;
    ok(kafka_source_ops.open(&w->source_plan, &w->system, &w->source));
    ok(kafka_source_ops.look(w->source, &partitions, &count));
    assert_int_equal(partitions[0].position, 42);
    assert_false(partitions[0].is_new);
    assert_int_equal(partitions[1].position, 0); /* not the latest: it would be lost */
    assert_true(partitions[1].is_new);
    plan_all(w);
    ok(fetch(w, 1 << 20, WAIT_MS));
    assert_int_equal(w->records.count, 158);
    assert_int_equal(w->records.items[0].offset, 42);
}

static void a_place_that_is_gone_is_data_loss(void **state) {
    world *w = *state;
    const sl_partition *partitions;
    uint32_t count;
    int64_t known = 142; /* behind the end: the topic was made anew */
    open_both(w);
    send_numbers(w, 0, 100);
    kafka_source_ops.close(w->source);
    w->source = NULL;
    w->system.resume = resume;
    w->system.resume_arg = &known;
    fails(kafka_source_ops.open(&w->source_plan, &w->system, &w->source), ERR_BROKER,
          "it is read up to offset 142, the log has 0 to 100");
    put_option(w, text_value("on_data_loss", "continue"));
    ok(kafka_source_ops.open(&w->source_plan, &w->system, &w->source));
    ok(kafka_source_ops.look(w->source, &partitions, &count));
    assert_int_equal(partitions[0].position, 0);
}

static void errors_that_pass_are_not_seen(void **state) {
    world *w = *state;
    static const int32_t fetch_errors[] = { NOT_LEADER, NOT_LEADER };
    static const int32_t produce_errors[] = { NOT_ENOUGH_REPLICAS, NOT_LEADER };
    open_both(w);
    mock_fail(w->cluster, PRODUCE, produce_errors, 2);
    send_numbers(w, 0, 1000);
    plan_all(w);
    mock_fail(w->cluster, FETCH, fetch_errors, 2);
    ok(fetch(w, 1 << 20, WAIT_MS));
    assert_int_equal(w->records.count, 1000);
}

static void a_refused_message_spares_its_neighbours(void **state) {
    world *w = *state;
    /* the request of three, then the first of them alone */
    static const int32_t codes[] = { TOO_LARGE, TOO_LARGE };
    const sl_rejection *rejections;
    uint32_t count;
    open_both(w);
    sl_message sent[] = { message("k", "a", 0, 70), message("k", "b", 0, 71),
                          message("k", "c", 0, 72) };
    mock_fail(w->cluster, PRODUCE, codes, 2);
    ok(kafka_sink_ops.begin(w->sink, 0, 0));
    ok(kafka_sink_ops.write(w->sink, sent, 3));
    ok(kafka_sink_ops.flush(w->sink, &rejections, &count));
    assert_int_equal(count, 1);
    assert_int_equal(rejections[0].row, 70);
    assert_int_equal(plan_all(w), 2);
    ok(fetch(w, 1 << 20, WAIT_MS));
    assert_memory_equal(w->records.items[0].value.data, "b", 1);
    assert_memory_equal(w->records.items[1].value.data, "c", 1);
}

static void a_row_above_what_is_sent_is_a_rejection(void **state) {
    world *w = *state;
    static char large[3000];
    sl_value most = number_value("message.max.bytes", 2000);
    memset(large, 'x', sizeof large - 1);
    put_option(w, table_value("config", &most, 1));
    open_both(w);
    sl_message sent[] = { message("k", "a", 0, 0), message("k", large, 0, 1),
                          message("k", "c", 0, 2) };
    assert_int_equal(send(w, sent, 3), 1);
    assert_int_equal(plan_all(w), 2);
}

static void gzip_takes_the_levels_of_others(void **state) {
    world *w = *state;
    sl_value level = number_value("compression.level", 12);
    put_option(w, text_value("compression", "gzip"));
    put_option(w, table_value("config", &level, 1));
    ok(kafka_sink_ops.open(&w->sink_plan, &w->system, &w->sink));
    sl_message sent[] = { message("k", "a", 0, 0) };
    assert_int_equal(send(w, sent, 1), 0);
}

static void an_unknown_partition_is_a_rejection(void **state) {
    world *w = *state;
    open_both(w);
    sl_message sent[] = { message(NULL, "a", 9, 5) };
    assert_int_equal(send(w, sent, 1), 1);
}

static void a_denied_topic_ends_the_sink(void **state) {
    world *w = *state;
    static const int32_t codes[] = { TOPIC_DENIED };
    const sl_rejection *rejections;
    uint32_t count;
    open_both(w);
    sl_message sent[] = { message(NULL, "a", 0, 0) };
    mock_fail(w->cluster, PRODUCE, codes, 1);
    ok(kafka_sink_ops.begin(w->sink, 0, 0));
    ok(kafka_sink_ops.write(w->sink, sent, 1));
    fails(kafka_sink_ops.flush(w->sink, &rejections, &count), ERR_AUTH, "topic in");
}

static void a_lost_broker_is_waited_for(void **state) {
    world *w = *state;
    open_both(w);
    send_numbers(w, 0, 10);
    plan_all(w);
    ok(mock_stop_broker(w->cluster, 1));
    w->ranges[0].to = 20;
    err *e = NULL;
    for (int i = 0; !e && i < 20; i++) {
        w->ranges[0].from = w->ranges[0].to;
        w->ranges[0].to = 20;
        if (i == 0) w->ranges[0].from = 0;
        e = fetch(w, 1 << 20, 500);
    }
    assert_non_null(e);
    assert_true(e->retriable);
    err_free(e);
    ok(mock_start_broker(w->cluster, 1));
    send_numbers(w, 0, 5);
    for (int i = 0; i < 20; i++) {
        if (plan_all(w) && w->ranges[0].to == 15) break; /* maybe all 15: the fetch failed */
        ok(kafka_source_ops.wait(w->source, 500));
    }
    ok(fetch(w, 1 << 20, WAIT_MS));
    assert_int_equal(w->records.items[w->records.count - 1].offset, 14);
}

static void stop_ends_a_fetch_at_once(void **state) {
    world *w = *state;
    open_both(w);
    send_numbers(w, 0, 10);
    plan_all(w);
    w->ranges[0].to = 20;
    w->stop = 1;
    fails(fetch(w, 1 << 20, WAIT_MS), ERR_STOPPED, "stop");
}

static void options_are_checked(void **state) {
    world *w = *state;
    sl_value unknown = text_value("fetch.max.byte", "1"), bad = text_value("linger.ms", "soon");
    sl_value owned = text_value("group.id", "g"), good = number_value("fetch.wait.max.ms", 20);
    put_option(w, table_value("config", &unknown, 1));
    fails(kafka_source_ops.open(&w->source_plan, &w->system, &w->source), ERR_PLAN,
          "config.fetch.max.byte");
    put_option(w, table_value("config", &bad, 1));
    fails(kafka_sink_ops.open(&w->sink_plan, &w->system, &w->sink), ERR_PLAN, "config.linger.ms");
    put_option(w, table_value("config", &owned, 1));
    fails(kafka_source_ops.open(&w->source_plan, &w->system, &w->source), ERR_PLAN,
          "config.group.id is not yours to set");
    put_option(w, table_value("config", &good, 1));
    ok(kafka_source_ops.open(&w->source_plan, &w->system, &w->source));
    sl_value tls = text_value("ca", "/nowhere/ca.pem");
    put_option(w, table_value("tls", &tls, 1));
    fails(kafka_sink_ops.open(&w->sink_plan, &w->system, &w->sink), ERR_PLAN,
          "option tls.ca: /nowhere/ca.pem");
}

/* Source and sink work in two ways, which nobody can tell apart. */
#define BY_BOTH(test)                                                                      \
    cmocka_unit_test_setup_teardown(test, set_up, tear_down), {                            \
        .name = #test " (librdkafka)", .test_func = test, .setup_func = set_up_librdkafka, \
        .teardown_func = tear_down                                                         \
    }

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(murmur2_is_java_s),
        cmocka_unit_test(connectors_are_found_by_name),
        BY_BOTH(what_is_written_is_read),
        cmocka_unit_test_setup_teardown(what_is_written_is_read, set_up_mixed, tear_down),
        BY_BOTH(keys_go_where_java_puts_them),
        BY_BOTH(ranges_are_read_whole_and_in_order),
        BY_BOTH(bytes_are_cut_fairly),
        cmocka_unit_test_setup_teardown(a_whole_batch_is_read_ahead, set_up, tear_down),
        BY_BOTH(a_slow_fetch_lowers_the_ranges),
        BY_BOTH(a_fetch_can_begin_anywhere),
        BY_BOTH(wait_ends_when_a_record_comes),
        BY_BOTH(what_came_is_known_at_the_next_look),
        BY_BOTH(start_places),
        BY_BOTH(a_source_goes_on_where_an_earlier_run_left_off),
        BY_BOTH(a_place_that_is_gone_is_data_loss),
        BY_BOTH(errors_that_pass_are_not_seen),
        BY_BOTH(a_refused_message_spares_its_neighbours),
        BY_BOTH(a_row_above_what_is_sent_is_a_rejection),
        BY_BOTH(gzip_takes_the_levels_of_others),
        BY_BOTH(an_unknown_partition_is_a_rejection),
        BY_BOTH(a_denied_topic_ends_the_sink),
        BY_BOTH(a_lost_broker_is_waited_for),
        BY_BOTH(stop_ends_a_fetch_at_once),
        cmocka_unit_test_setup_teardown(options_are_checked, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
