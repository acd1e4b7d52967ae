/* Lines of CSV: what their columns are, and what is no line (RFC 4180, taken strictly). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "runtime/codec/csv_line.h"
#include "tests/c/codec_kit.h"

enum { MOST = 8 };

typedef struct line_case {
    const char *line;
    const char *cells[MOST]; /* NULL behind the last; none: malformed. "q" in front: quoted */
} line_case;

// clang-format off
static const line_case LINES[] = {
    { "a,b", { "a", "b" } }, { "", { "" } }, { ",", { "", "" } }, { ",,", { "", "", "" } },
    { "a", { "a" } }, { " a , b ", { " a ", " b " } },
    { "a,", { "a", "" } }, { ",a", { "", "a" } },
    { "\"a\"", { "qa" } }, { "\"\"", { "q" } }, { "\"\",\"\"", { "q", "q" } },
    { "\"a,b\",c", { "qa,b", "c" } }, { "\"a\"\"b\"", { "qa\"b" } }, { "\"\"\"\"", { "q\"" } },
    { "\"\"\"\"\"\"", { "q\"\"" } },
    { "\"\"\"a\"", { "q\"a" } }, { "\"a\"\"\",b", { "qa\"", "b" } },
    { "\"a\nb\"", { "qa\nb" } },
    { "\"a\r\nb\",c", { "qa\r\nb", "c" } }, { "a,b\r\n", { "a", "b" } },
    { "a,b\n", { "a", "b" } }, { "a,b\r", { "a", "b" } },
    { "\"a\"\r\n", { "qa" } }, { "\n", { "" } },
    { "a;b\tc", { "a;b\tc" } }, { "'a,b'", { "'a", "b'" } }, { "a\\,b", { "a\\", "b" } },
    { "#a,b", { "#a", "b" } },
    { "\xc3\xa9,\xf0\x9f\x98\xb9", { "\xc3\xa9", "\xf0\x9f\x98\xb9" } },
    { "1,2,3,4,5,6,7", { "1", "2", "3", "4", "5", "6", "7" } }, { "=1+1,@x", { "=1+1", "@x" } },
    { "\"", { 0 } }, { "\"a", { 0 } },
    { "a,\"b", { 0 } }, { "\"a\"b", { 0 } }, { "\"a\" ,b", { 0 } },
    { " \"a\"", { 0 } }, { "a\"", { 0 } },
    { "a\"b\"", { 0 } }, { "\"\"a", { 0 } }, { "\"a\"\"", { 0 } },
    { "\"\"\"", { 0 } }, { "\"\"\"\"\"", { 0 } },
    { "a\nb", { 0 } }, { "a\rb", { 0 } }, { "a\n,b", { 0 } },
    { "\na", { 0 } }, { "a,b\n\n", { 0 } }, { "a,\"b\"\"", { 0 } }, { "\"a\"\"b", { 0 } },
    { "\"a\"\n\"b\"", { 0 } }, { "\"a\\\"b\"", { 0 } }, { "a,b\"", { 0 } }, { ",\"", { 0 } },
};
// clang-format on

static const csv_style STYLE = { ',', '"' };

/* The columns of a line, each with "q" in front if it is quoted; -1: malformed. */
static int read_line(const char *text, size_t len, csv_style style, char cells[][64],
                     arena *strings, bad_record *bad) {
    csv_line line;
    csv_cell cell;
    *bad = (bad_record){ .reason = "" };
    csv_line_begin(&line, style, (sl_string){ .data = text, .len = (uint32_t)len });
    int count = 0;
    while (csv_line_next(&line, &cell, strings, bad)) {
        if (count < MOST)
            snprintf(cells[count], 64, "%s%.*s", cell.is_quoted ? "q" : "", (int)cell.text.len,
                     cell.text.data);
        count++;
    }
    assert_int_equal(line.column, count + (bad->reason[0] != 0));
    return bad->reason[0] ? -1 : count;
}

static void lines_by_hand(void **state) {
    (void)state;
    arena strings;
    arena_init(&strings, 4096);
    for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++) {
        const line_case *c = &LINES[i];
        char cells[MOST][64];
        bad_record bad;
        int want = 0, got = read_line(c->line, strlen(c->line), STYLE, cells, &strings, &bad);
        while (want < MOST && c->cells[want]) want++;
        if (got != (want ? want : -1)) fail_msg("`%s`: %d columns: %s", c->line, got, bad.reason);
        for (int k = 0; k < want; k++) assert_string_equal(cells[k], c->cells[k]);
    }
    arena_done(&strings);
}

/* Append a cell as a careful writer would. */
static void put_cell(buf *out, const char *text, size_t len, bool is_quoted) {
    if (is_quoted) buf_put_char(out, '"');
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"') buf_put_char(out, '"');
        buf_put_char(out, text[i]);
    }
    if (is_quoted) buf_put_char(out, '"');
}

static void what_is_written_is_read(void **state) {
    (void)state;
    static const char ALPHABET[] = "ab\",\n\r ;\t'\\";
    arena strings;
    arena_init(&strings, 4096);
    srand(7);
    for (int round = 0; round < 20000; round++) {
        char want[MOST][64], got[MOST][64];
        int count = 1 + rand() % MOST;
        buf line;
        buf_init(&line);
        for (int k = 0; k < count; k++) {
            char text[16];
            int len = rand() % 6;
            for (int i = 0; i < len; i++) text[i] = ALPHABET[rand() % (int)(sizeof ALPHABET - 1)];
            text[len] = 0;
            bool is_quoted = strpbrk(text, "\",\n\r") || rand() % 3 == 0;
            snprintf(want[k], sizeof want[k], "%s%s", is_quoted ? "q" : "", text);
            if (k) buf_put_char(&line, ',');
            put_cell(&line, text, (size_t)len, is_quoted);
        }
        buf_put_text(&line, round % 2 ? "\r\n" : "");
        bad_record bad;
        const char *text = line.data ? line.data : "";
        assert_int_equal(read_line(text, line.len, STYLE, got, &strings, &bad), count);
        for (int k = 0; k < count; k++) assert_string_equal(got[k], want[k]);
        buf_done(&line);
        arena_reset(&strings, 4096);
    }
    arena_done(&strings);
}

static void other_delimiters_and_no_quotes(void **state) {
    (void)state;
    char cells[MOST][64];
    bad_record bad;
    arena strings;
    arena_init(&strings, 4096);
    assert_int_equal(read_line("a,b\t\"c", 6, (csv_style){ '\t', 0 }, cells, &strings, &bad), 2);
    assert_string_equal(cells[0], "a,b");
    assert_string_equal(cells[1], "\"c");
    assert_int_equal(read_line("|a;b|;c\"", 8, (csv_style){ ';', '|' }, cells, &strings, &bad), 2);
    assert_string_equal(cells[0], "qa;b");
    assert_string_equal(cells[1], "c\"");
    arena_done(&strings);
}

/* The kit's fields as columns `s` to `b` of a source of CSV. */
static void open_csv(kit *k, sl_value *options, sl_value *names) {
    for (int i = 0; i < FIELD_COUNT; i++) {
        k->fields[i].path = &k->fields[i].column.name;
        k->fields[i].path_count = 1;
        names[i] = (sl_value){ .kind = SL_TEXT, .text = k->fields[i].column.name };
    }
    *options = (sl_value){ .kind = SL_TABLE, .item_count = 1, .items = options + 1 };
    options[1] = (sl_value){ .name = TEXT("columns"), .kind = SL_TABLE };
    options[1].items = names;
    options[1].item_count = FIELD_COUNT;
    k->source.format = (sl_string)TEXT("csv");
    k->source.format_options = options;
    kit_open(k);
}

static void columns_become_fields(void **state) {
    (void)state;
    kit k;
    sl_value options[2], names[FIELD_COUNT];
    kit_init(&k);
    open_csv(&k, options, names);
    assert_true(kit_decode(&k, "text,\"x,y\",-1.25,-9,9223372036854775807,17,"
                               "1970-01-01T00:00:01.5Z,-2147483648,Yes"));
    assert_memory_equal(k.row.id.data, "x,y", 3);
    assert_true(k.row.s.data == k.record.value.data); /* not copied */
    assert_true(k.row.d == -1.25 && k.row.exact == INT64_MAX && k.row.iso == 1500);
    assert_int_equal(k.row.b, 1);
    assert_true(kit_decode(&k, ",,,,,,,,"));
    assert_true(k.row.head.nulls[0] == UINT64_MAX);
    assert_false(kit_decode(&k, ",,x,,,,,,"));
    assert_string_equal(k.bad.path, "d");
    assert_string_equal(k.bad.reason, "column 3: seen x, wanted a number");
    assert_false(kit_decode(&k, ",,,,,,,"));
    assert_string_equal(k.bad.reason, "seen 8 columns, wanted 9");
    assert_false(kit_decode(&k, ""));
    assert_false(kit_decode(&k, ",,,,,,,,\xff"));
    assert_false(kit_decode(&k, ",,1 ,,,,,,"));
    assert_false(kit_decode(&k, ",,\"\",,,,,,")); /* quoted: not null, and no number */
    kit_done(&k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_by_hand),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(other_delimiters_and_no_quotes),
        cmocka_unit_test(columns_become_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
