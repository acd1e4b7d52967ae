#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/script/host.h"
#include "runtime/script/tidy.h"

/* Lua drivers look it up by name; here it is never called. */
void sl_part_set(void *table, sl_part *part, const char *data, uint32_t len) {
    (void)table, (void)part, (void)data, (void)len;
}

#define HEAD                                                                 \
    "local sluice = require 'sluice'\n"                                      \
    "local source = sluice.kafka { topics = 'rides', start = 'earliest' }\n" \
    "   :json { sluice.string 'id' :required(), sluice.double 'amount',\n"   \
    "           sluice.int64 'ts' :required() }\n"                           \
    "   :event_time('ts', { unit = 'ms', delay = '1 minute' })\n"
#define TAIL                                   \
    "   :to(sluice.kafka { topic = 'out' })\n" \
    "return sluice.pipeline { name = 'test', checkpoint = 'none', out }\n"
/* `LINE` of the text below begins on line 6 of the script. */
#define FILTER(body) HEAD "local out = source:filter(function(row)\n" body "\nend)\n" TAIL

static err *open_with(script_options options, const char *text, script **s) {
    options.path = options.path ? options.path : "rides.lua";
    options.text = text;
    options.text_len = strlen(text);
    *s = NULL;
    return script_open(&options, s);
}

/* The script is refused as a plan, with a message that begins with `start` and holds `part`. */
static void refused_with(script_options options, const char *text, const char *start,
                         const char *part) {
    script *s;
    err *e = open_with(options, text, &s);
    assert_non_null(e);
    assert_null(s);
    if (strncmp(e->message, start, strlen(start)) != 0 || !strstr(e->message, part))
        fail_msg("got: %s\nwanted: %s … %s", e->message, start, part);
    assert_int_equal(e->code, ERR_PLAN);
    err_free(e);
}

static void refused(const char *text, const char *start, const char *part) {
    refused_with((script_options){ 0 }, text, start, part);
}

static script *opened_with(script_options options, const char *text) {
    script *s;
    err *e = open_with(options, text, &s);
    if (e) fail_msg("%s", e->message);
    return s;
}

static script *opened(const char *text) {
    return opened_with((script_options){ 0 }, text);
}

/* ---- rows, by hand: header, null words, values */

typedef struct rows {
    char *memory;
    void **pointers;
    uint32_t *outputs;
    uint32_t *dead;
} rows;

static rows make_rows(script *s, uint32_t count) {
    const sl_source *source = &script_plan(s)->sources[0];
    rows r = {
        .memory = calloc(count, source->row_size),
        .pointers = calloc(count, sizeof(void *)),
        .outputs = calloc(count, sizeof(uint32_t)),
        .dead = calloc(count, sizeof(uint32_t)),
    };
    for (uint32_t i = 0; i < count; i++) {
        char *row = r.memory + (size_t)i * source->row_size;
        r.pointers[i] = row;
        *(sl_string *)(void *)(row + source->fields[0].column.offset) =
            (sl_string){ .data = "a", .len = 1 };
        *(double *)(void *)(row + source->fields[1].column.offset) = i;
    }
    sl_vector *v = script_vector(s);
    v->count = count;
    v->first = 0;
    v->rows = r.pointers;
    v->outputs = r.outputs;
    v->dead = r.dead;
    return r;
}

static void free_rows(rows r) {
    free(r.memory);
    free(r.pointers);
    free(r.outputs);
    free(r.dead);
}

static uint32_t filter_driver(script *s) {
    return script_plan(s)->steps[script_plan(s)->sources[0].step].driver;
}

/* ---- loading */

static void test_good_script_gives_a_plan(void **state) {
    (void)state;
    script *s = opened(FILTER("return row.amount and row.amount > 3"));
    const sl_plan *plan = script_plan(s);
    assert_int_equal(plan->source_count, 1);
    assert_int_equal(plan->sink_count, 2); /* and the default one for quarantined records */
    assert_memory_equal(plan->name.data, "test", 4);
    assert_memory_equal(plan->script.data, "rides.lua", 9);
    assert_int_not_equal(plan->script_hash, 0);
    script_close(s);
}

static void test_shipped_script_opens(void **state) {
    (void)state;
    char path[1024]; /* beside this file, wherever the test runs */
    snprintf(path, sizeof path, "%.*s/../../scripts/ride_counts.lua",
             (int)(strrchr(__FILE__, '/') - __FILE__), __FILE__);
    if (access(path, R_OK) != 0) skip();
    script *s;
    err *e = script_open(&(script_options){ .path = path }, &s);
    if (e) fail_msg("%s", e->message);
    const char *text;
    assert_null(script_explain(s, &(script_explanation){ 0 }, &text));
    assert_null(script_explain(s, &(script_explanation){ .json = true }, &text));
    script_close(s);
}

static void test_workers_agree(void **state) {
    (void)state;
    script *a = opened(FILTER("return true"));
    script *b = opened_with((script_options){ .worker = 1 }, FILTER("return true"));
    script *c = opened(FILTER("return false"));
    assert_null(script_agree(a, b));
    err *e = script_agree(a, c);
    assert_non_null(e);
    err_free(e);
    script_close(a);
    script_close(b);
    script_close(c);
}

static void test_missing_file_is_bad_usage(void **state) {
    (void)state;
    script *s;
    err *e = script_open(&(script_options){ .path = "no/such/script.lua" }, &s);
    assert_non_null(e);
    assert_int_equal(e->code, ERR_USAGE);
    assert_non_null(strstr(e->message, "no/such/script.lua"));
    err_free(e);
}

static void test_bad_scripts_name_their_line(void **state) {
    (void)state;
    refused("local x =\n= 3", "rides.lua:2: ", "unexpected symbol");
    refused("local x\nlocal y = x.z", "rides.lua:2: ", "attempt to index local 'x'");
    refused("local sluice = require 'sluice'", "rides.lua: ", "returns nothing");
    refused("return 3", "rides.lua: ", "returns a number");
    refused("return maths.floor(3)", "rides.lua:1: ", "did you mean `math`?");
    refused("local x = os.time()", "rides.lua:1: ", "os is not available in scripts");
    refused("\33LJ\2\n", "rides.lua: ", "bytecode");
    refused("local sluice = require 'sluice'\nlocal s = sluice.kafak { topics = 'a' }",
            "rides.lua:2: ", "kafka");
}

static void test_error_objects_are_told(void **state) {
    (void)state;
    refused("\nerror(nil)", "rides.lua:2: ", "error(nil)");
    refused("\nerror({})", "rides.lua:2: ", "an error object (a table)");
    refused("\nerror({ reason = 'no', code = 7, of = {}, [2] = true })",
            "rides.lua:2: ", "an error object (a table) { 2 = true, code = 7, reason = \"no\" }");
    refused("\nerror({ message = 'boom' })", "rides.lua:2: ", "boom");
    refused("\nerror(setmetatable({}, { __tostring = function() return 'own' end }))",
            "rides.lua:2: ", "own");
    refused("\nerror(setmetatable({}, { __tostring = function() error('x') end }))",
            "rides.lua:2: ", "an error object");
    refused("\nerror(print)", "rides.lua:2: ", "an error object (a function)");
    refused("\nerror(true)", "rides.lua:2: ", "an error object (a boolean)");
    refused("\nlocal function f() return 1 + f() end\nf()", "rides.lua", "stack overflow");
}

/* Time enough to get as far as the script's own code on this machine, with this build, as busy as
 * it is: what a good script took, several times over. */
static int64_t ample_load_ms(void) {
    int64_t start_ms = clock_steady_ms(&(clock_source){ 0 });
    script_close(opened(FILTER("return true")));
    return 300 + 5 * (clock_steady_ms(&(clock_source){ 0 }) - start_ms);
}

static void test_endless_loop_at_load_is_an_error(void **state) {
    (void)state;
    script_options options = { .load_timeout_ms = ample_load_ms() };
    refused_with(options, "local i = 0\nwhile true do i = i + 1 end", "rides.lua:2: ",
                 "does not finish loading");
    refused_with(options, "while true do pcall(function() while true do end end) end",
                 "rides.lua:1: ", "does not finish loading");
    refused_with(options, "coroutine.wrap(function() while true do end end)()", "rides.lua:1: ",
                 "does not finish loading");
    refused_with(options, FILTER("while row do end return true"), "rides.lua:7: ",
                 "filter at rides.lua:6 does not return in time when it is tried");
}

static void test_huge_allocation_at_load_is_an_error(void **state) {
    (void)state;
    script_options patient = { .load_timeout_ms = 120000 }; /* it is the memory that must run out */
    refused_with(patient, "\nlocal x = string.rep('x', 1e9)", "rides.lua:2: ",
                 "more than 256 MiB");
    refused_with(patient, "local t = {}\nfor i = 1, 1e9 do t[i] = {} end",
                 "rides.lua:2: ", "more than 256 MiB");
    refused_with(patient, "local s = 'x'\nwhile true do s = s .. s end", "rides.lua:2: ", "MiB");
}

static void test_stop_flag_ends_loading(void **state) {
    (void)state;
    volatile int stop = 1;
    script *s;
    err *e = open_with((script_options){ .stop = &stop }, "while true do end", &s);
    assert_non_null(e);
    assert_int_equal(e->code, ERR_STOPPED);
    err_free(e);
}

static void test_functions_are_inspected_and_probed(void **state) {
    (void)state;
    refused(FILTER("return maths.floor(row.amount)"), "rides.lua:7: filter: ", "`math`");
    refused(FILTER("return row.amuont == 3"), "rides.lua:7: filter: ", "`amount`");
    refused(FILTER("return row.amount > 3"), "rides.lua:7: filter: ", "`amount` can be nil");
    refused(FILTER("source = nil"), "rides.lua:7: filter: ", "`source` is assigned");
    refused(FILTER("seen = row.id"), "rides.lua:7: filter: ", "the global `seen` is assigned");
}

static void test_overrides_reach_the_plan(void **state) {
    (void)state;
    const char *overrides[] = { "trigger=once" };
    script *s = opened_with((script_options){ .overrides = overrides, .override_count = 1 },
                            FILTER("return true"));
    assert_int_equal(script_plan(s)->trigger, SL_ONCE);
    script_close(s);
    overrides[0] = "triger=once";
    refused_with((script_options){ .overrides = overrides, .override_count = 1 },
                 FILTER("return true"), "--set triger=once: ", "trigger");
}

/* ---- running */

/* A batch that was begun with one value is not done again with another. */
static void test_parameters_are_part_of_the_hash(void **state) {
    static const char *const names[] = { "limit=7" };
    const char *text = "local sluice = require 'sluice'\n"
                       "local limit = sluice.param('limit', 5, 'most')\n"
                       "local rows = sluice.file { path = 'in.jsonl' }\n"
                       "   :json { sluice.int64 'a' :required() }\n"
                       "   :filter(function(row) return row.a < limit end)\n"
                       "return sluice.pipeline { name = 'p', checkpoint = 'none',\n"
                       "   rows:to(sluice.file { path = '-' }) }\n";
    (void)state;
    script *plain = opened(text);
    script *set = opened_with((script_options){ .params = names, .param_count = 1 }, text);
    script *again = opened_with((script_options){ .params = names, .param_count = 1 }, text);
    assert_int_not_equal(script_plan(plain)->script_hash, script_plan(set)->script_hash);
    assert_int_equal(script_plan(again)->script_hash, script_plan(set)->script_hash);
    script_close(plain);
    script_close(set);
    script_close(again);
}

static void test_driver_runs_over_a_vector(void **state) {
    (void)state;
    script *s = opened(FILTER("return row.amount and row.amount >= 3"));
    rows r = make_rows(s, 10);
    if (!script_run(s, filter_driver(s))) fail_msg("%s", script_error(s));
    for (uint32_t i = 0; i < 10; i++) assert_int_equal(r.outputs[i], i >= 3 ? 1 : 0);
    free_rows(r);
    script_close(s);
}

static void throws(const char *body, const char *message) {
    char text[2048];
    snprintf(text, sizeof text, FILTER("%s"), body);
    script *s = opened(text);
    rows r = make_rows(s, 10);
    assert_false(script_run(s, filter_driver(s)));
    if (!strstr(script_error(s), message)) fail_msg("%s", script_error(s));
    assert_int_equal(script_vector(s)->pos, 5);
    if (!strstr(script_traceback(s), "rides.lua:7: in")) fail_msg("%s", script_traceback(s));
    assert_null(strstr(script_traceback(s), "sluice"));
    script_vector(s)->first = 6;
    assert_true(script_run(s, filter_driver(s)));
    free_rows(r);
    script_close(s);
}

static void test_thrown_errors_have_row_and_place(void **state) {
    (void)state;
    throws("if row.amount == 5 then error('bad ride') end return true", "rides.lua:7: bad ride");
    throws("if row.amount == 5 then error(nil) end return true", "rides.lua:7: error(nil)");
    throws("if row.amount == 5 then error({}) end return true", "rides.lua:7: an error object");
    throws("if row.amount == 5 then local x = row.id .. nil end return true",
           "rides.lua:7: attempt to concatenate a nil value");
    throws("local function f() return 1 + f() end if row.amount == 5 then f() end return true",
           "stack overflow");
}

static void add_line(void *arg, const char *text) {
    buf_put_text(arg, text);
    buf_put_char(arg, '\n');
}

static void test_closure_per_row_is_reported_with_its_line(void **state) {
    (void)state;
    script *s = opened(FILTER("local function big(x)\nreturn x and x > row.amount end\n"
                              "return big(row.amount)"));
    rows r = make_rows(s, 1000);
    buf text;
    buf_init(&text);
    for (int round = 0; round < 100; round++) {
        assert_true(script_run(s, filter_driver(s)));
        script_fallbacks(s, add_line, &text);
    }
    const char *told = buf_text(&text);
    const char *wanted = "the loop over filter (rides.lua:6) fell back to the interpreter: "
                         "a function is made for each row (make it once, outside), at "
                         "rides.lua:7\n";
    assert_string_equal(told, wanted);
    buf_done(&text);
    free_rows(r);
    script_close(s);
}

static void test_compiled_loop_is_not_reported(void **state) {
    (void)state;
    script *s = opened(FILTER("local sum = 0\nfor i = 1, 3 do sum = sum + i end\n"
                              "return row.amount and row.amount > sum or row.id == 'b'"));
    rows r = make_rows(s, 1000);
    buf text;
    buf_init(&text);
    for (int round = 0; round < 100; round++) assert_true(script_run(s, filter_driver(s)));
    script_fallbacks(s, add_line, &text);
    assert_string_equal(buf_text(&text), "");
    buf_done(&text);
    free_rows(r);
    script_close(s);
}

/* Runs until there is so much garbage that a collection is near. */
static uint32_t runs_until_untidy(script *s) {
    uint32_t count = 0;
    while (!script_wants_tidy(s) && count < 100000) {
        assert_true(script_run(s, filter_driver(s)));
        count++;
    }
    return count;
}

static void tidy_up(script *s) {
    uint32_t times = 0;
    for (; script_wants_tidy(s); times++) script_tidy(s);
    assert_in_range(times, 0, 1000);
}

/* Of a script whose memory no longer changes but for garbage: it goes, again and again. */
static void is_tidied(script_options options, const char *text) {
    script *s = opened_with(options, text);
    rows r = make_rows(s, 1000);
    tidy_up(s); /* what loading left behind */
    size_t held = s->used_bytes;
    for (int round = 0; round < 4; round++) {
        assert_in_range(runs_until_untidy(s), 2, 99999);
        assert_true(s->used_bytes > held + (512 << 10)); /* not yet collected */
        tidy_up(s);
        if (!round) held = s->used_bytes; /* with what was compiled */
        assert_in_range(s->used_bytes, 1, held + (256 << 10));
        assert_int_equal(r.outputs[999], 1);
    }
    free_rows(r);
    script_close(s);
}

static void test_garbage_is_collected_between_batches(void **state) {
    (void)state;
    static const char *const LESS[] = { "script_memory=24 MiB" };
    script_options little = { .overrides = LESS, .override_count = 1 };
    is_tidied((script_options){ 0 },
              FILTER("local seen = { [row.id .. tostring(row.amount)] = { row.id } }\n"
                     "return next(seen) ~= nil"));
    is_tidied(little, HEAD "local big = {}\n"
                           "for i = 1, 1e5 do big[i] = tostring(i) end\n"
                           "local out = source:filter(function(row)\n"
                           "   local seen = { [row.id .. tostring(row.amount)] = { row.id } }\n"
                           "   return next(seen) ~= nil and big[1] == '1'\n"
                           "end)\n" TAIL);
}

typedef struct stuck {
    char message[512];
    int count;
} stuck;

static void note_stuck(void *arg, const char *message, bool last) {
    stuck *seen = arg;
    seen->count++;
    snprintf(seen->message, sizeof seen->message, "%s", message);
    if (last) _exit(strstr(message, "cannot be interrupted") ? 7 : 8);
}

static script_options watched(stuck *seen, int64_t grace_ms) {
    return (script_options){
        .call_timeout_ms = 50,
        .grace_ms = grace_ms,
        .on_stuck = note_stuck,
        .on_stuck_arg = seen,
    };
}

static void test_endless_interpreted_loop_is_broken(void **state) {
    (void)state;
    stuck seen = { .count = 0 };
    /* a closure in the loop keeps it in the interpreter */
    script *s = opened_with(
        watched(&seen, 60000),
        FILTER("if row.amount == 5 then while true do local f = function() return row end end end\n"
               "return true"));
    rows r = make_rows(s, 10);
    assert_false(script_run(s, filter_driver(s)));
    if (!strstr(script_error(s), "rides.lua:7: interrupted")) fail_msg("%s", script_error(s));
    assert_int_equal(seen.count, 1);
    if (!strstr(seen.message, "filter rides.lua:6 has not returned for ") ||
        !strstr(seen.message, ", in prepare of rides at row 5 of 10, offset "))
        fail_msg("%s", seen.message);
    script_vector(s)->first = 6;
    assert_true(script_run(s, filter_driver(s)));
    free_rows(r);
    script_close(s);
}

/* Rows with an amount of 5 end in `body`, which stands in line 8; made-up rows do not. */
#define AT_FIVE(body) FILTER("if (row.amount or 0) * 2 == 10 then\n" body "\nend return true")

/* A call that is broken: the message names the line, and the state goes on. */
static void is_broken(const char *text, int64_t timeout_ms, const char *wanted) {
    stuck seen = { .count = 0 };
    script_options options = watched(&seen, 60000);
    options.call_timeout_ms = timeout_ms;
    script *s = opened_with(options, text);
    rows r = make_rows(s, 10);
    for (int round = 0; round < 2; round++) { /* the second time it is compiled anew */
        script_vector(s)->first = 0;
        assert_false(script_run(s, filter_driver(s)));
        if (!strstr(script_error(s), wanted)) fail_msg("%s\n%s", text, script_error(s));
        assert_int_equal(script_vector(s)->pos, 5);
        script_vector(s)->first = 6;
        assert_true(script_run(s, filter_driver(s)));
    }
    free_rows(r);
    script_close(s);
}

static void test_endless_compiled_loops_are_broken(void **state) {
    (void)state;
    static const char *const LOOPS[] = {
        AT_FIVE("while true do end"),
        AT_FIVE("local i = 0 while i < 1e300 do i = i + 1 end"),
        AT_FIVE("local x = 0 for i = 1, 1e15 do x = x + i end return x > 0"),
        AT_FIVE("local x = 1 repeat x = -x until x > 1"),
        AT_FIVE("local a, b = 1, 0 "
                "while true do if a > 0 then a = -a b = b + 1 else a = -a end end"),
        AT_FIVE("local n = 0 while row.amount >= 0 do n = n + row.amount end"),
        AT_FIVE("local t while true do t = { t and 1 } end"),
        AT_FIVE("local s = 'a' while true do s = s:sub(1, 1) .. 'b' end"),
        AT_FIVE("local function f(n) return f(n + 1) end return f(1)"),
        AT_FIVE("local function f() while true do end end while true do pcall(f) end"),
        AT_FIVE("while true do for i = 1, 10 do for j = 1, 10 do local x = i * j end end end"),
    };
    for (size_t i = 0; i < sizeof LOOPS / sizeof *LOOPS; i++)
        is_broken(LOOPS[i], 50, "rides.lua:8: interrupted: it does not return");
    is_broken(AT_FIVE("return coroutine.wrap(function() while true do end end)()"), 50,
              "interrupted: it does not return");
}

static void test_memory_of_calls_is_limited(void **state) {
    (void)state;
    is_broken(AT_FIVE("return #('x'):rep(2e9) > 0"), 60000,
              "filter rides.lua:6: it asks for more memory than script_memory = 256 MiB allows");
    is_broken(AT_FIVE("local s = 'x' while true do s = s .. s end"), 60000,
              "asks for more memory than script_memory = 256 MiB allows");
    /* hidden from the script's own code as well */
    is_broken(AT_FIVE("pcall(string.rep, 'x', 2e9)"), 60000,
              "rides.lua:9: interrupted: it asks for more than script_memory = 256 MiB");
    is_broken(AT_FIVE("while true do pcall(string.rep, 'x', 2e9) end"), 60000,
              "rides.lua:8: interrupted: it asks for more than script_memory = 256 MiB");
}

static void test_a_script_that_fills_its_memory_is_refused(void **state) {
    (void)state;
    static const char *const LESS[] = { "script_memory=16 MiB" };
    script_options options = { .overrides = LESS, .override_count = 1 };
    refused_with(options,
                 HEAD "local t = {}\nfor i = 1, 1e6 do t[i] = { i } end\n"
                      "local out = source:filter(function(row) return t[1] ~= row.id end)\n" TAIL,
                 "rides.lua: ", "MiB are held once it is loaded, of script_memory = 16 MiB");
}

/* Run in a process of its own, which is expected to end in note_stuck: with 7, or 8. */
static void ends_with(int code, int64_t timeout_ms, int64_t grace_ms, const char *text) {
    pid_t child = fork();
    if (child == 0) {
        stuck seen = { .count = 0 };
        script_options options = watched(&seen, grace_ms);
        options.call_timeout_ms = timeout_ms;
        script *s = opened_with(options, text);
        make_rows(s, 10);
        alarm(60);
        for (int i = 0; i < 100; i++) script_run(s, filter_driver(s));
        _exit(9);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), code);
}

static void test_what_cannot_go_on_is_reported_for_the_last_time(void **state) {
    (void)state;
    /* C cannot be interrupted */
    ends_with(7, 50, 50, AT_FIVE("return (('a'):rep(100000)):find('.-.-.-b') ~= nil"));
    ends_with(8, 50, 60000, AT_FIVE("while true do end")); /* again and again */
}

static void on_hung_load(void *arg, const char *message, bool last) {
    (void)arg;
    if (last) _exit(strstr(message, "loading the script has not returned") ? 5 : 6);
}

static void test_a_load_that_hangs_is_not_taken_for_a_call(void **state) {
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        stuck seen = { .count = 0 };
        script_options options = watched(&seen, 50);
        options.load_timeout_ms = ample_load_ms();
        options.on_hung_load = on_hung_load;
        alarm(60);
        opened_with(options, "return ('a'):rep(100000):find('.-.-.-b')");
        _exit(9);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 5);
}

static void test_events_are_the_same_again(void **state) {
    (void)state;
    script *s = opened(FILTER("return true"));
    const char *text;
    size_t len;
    char first[256];
    assert_null(script_event(s, 0, 17, 42, 1700000000000, &text, &len));
    snprintf(first, sizeof first, "%s", text);
    assert_memory_equal(text, "{\"id\":\"id-17\",", 14);
    assert_null(script_event(s, 0, 18, 42, 1700000000000, &text, &len));
    assert_string_not_equal(text, first);
    assert_null(script_event(s, 0, 17, 42, 1700000000000, &text, &len));
    assert_string_equal(text, first);
    script_close(s);
}

/* One aggregation, with `items` as its aggregates; `text` is the script's until it is closed. */
static script *totals(char text[2048], const char *items) {
    snprintf(text, 2048, HEAD "local out = source:group_by 'id':window(sluice.tumbling {"
                              " size = '1 minute' }):aggregate { %s }\n"
                              "   :to(sluice.kafka { topic = 'out', mode = 'update' })\n"
                              "return sluice.pipeline { name = 'test', checkpoint = "
                              "'memory:x', out }\n",
             items);
    return opened(text);
}

static char *shape_of(const char *items) {
    char text[2048];
    script *s = totals(text, items);
    const sl_string *shape = &script_plan(s)->checkpoint.shape;
    char *copy = strndup(shape->data, shape->len);
    script_close(s);
    return copy;
}

static void test_stored_state_is_compared(void **state) {
    (void)state;
    char text[2048];
    script *s = totals(text, "n = sluice.count(), q = sluice.quantile('amount', 0.5)");
    const sl_compat *found;
    char *shape = shape_of("n = sluice.count(), q = sluice.quantile('amount', 0.5)");
    assert_null(script_compat(s, shape, &found));
    assert_int_equal(found->verdict, SL_COMPAT_SAME);
    free(shape);

    shape = shape_of("a = sluice.count_distinct('id'), q = sluice.quantile('amount', 0.5), "
                     "n = sluice.count()");
    assert_null(script_compat(s, shape, &found));
    assert_int_equal(found->verdict, SL_COMPAT_ACCEPTED);
    assert_int_equal(found->change_count, 1);
    const sl_table_change *change = &found->changes[0];
    assert_memory_equal(change->section.data, "aggregate aggregate", change->section.len);
    assert_int_equal(change->fate, SL_FATE_MAPPED);
    assert_int_equal(change->run_count, 1); /* the count's */
    assert_int_equal(change->sizes[0], 8);
    assert_int_equal(change->part_count, 2);
    assert_int_equal(change->parts[0], -1);
    assert_int_equal(change->parts[1], 0);
    free(shape);

    shape = shape_of("n = sluice.sum('ts')");
    assert_null(script_compat(s, shape, &found));
    assert_int_equal(found->verdict, SL_COMPAT_REFUSED);
    assert_non_null(strstr(found->message.data, "`n` of aggregate aggregate was sum(int64)"));
    assert_true(found->ways_out.len > 0);
    free(shape);
    assert_null(script_compat(s, "", &found));
    assert_int_equal(found->verdict, SL_COMPAT_REFUSED);
    script_close(s);
}

static void test_text_is_copied_into_the_arena(void **state) {
    (void)state;
    arena a;
    arena_init(&a, 1024);
    const char *copy = sl_text_copy(&a, "window", 6);
    assert_memory_equal(copy, "window", 6);
    arena_done(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_script_gives_a_plan),
        cmocka_unit_test(test_shipped_script_opens),
        cmocka_unit_test(test_workers_agree),
        cmocka_unit_test(test_missing_file_is_bad_usage),
        cmocka_unit_test(test_bad_scripts_name_their_line),
        cmocka_unit_test(test_error_objects_are_told),
        cmocka_unit_test(test_endless_loop_at_load_is_an_error),
        cmocka_unit_test(test_huge_allocation_at_load_is_an_error),
        cmocka_unit_test(test_stop_flag_ends_loading),
        cmocka_unit_test(test_functions_are_inspected_and_probed),
        cmocka_unit_test(test_overrides_reach_the_plan),
        cmocka_unit_test(test_parameters_are_part_of_the_hash),
        cmocka_unit_test(test_driver_runs_over_a_vector),
        cmocka_unit_test(test_thrown_errors_have_row_and_place),
        cmocka_unit_test(test_closure_per_row_is_reported_with_its_line),
        cmocka_unit_test(test_compiled_loop_is_not_reported),
        cmocka_unit_test(test_garbage_is_collected_between_batches),
        cmocka_unit_test(test_endless_interpreted_loop_is_broken),
        cmocka_unit_test(test_endless_compiled_loops_are_broken),
        cmocka_unit_test(test_memory_of_calls_is_limited),
        cmocka_unit_test(test_a_script_that_fills_its_memory_is_refused),
        cmocka_unit_test(test_what_cannot_go_on_is_reported_for_the_last_time),
        cmocka_unit_test(test_a_load_that_hangs_is_not_taken_for_a_call),
        cmocka_unit_test(test_events_are_the_same_again),
        cmocka_unit_test(test_stored_state_is_compared),
        cmocka_unit_test(test_text_is_copied_into_the_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
