/* DESIGN: a line is read once, column by column, into the row. Which field a column goes to
 * is settled once for each header (each partition, so each file, has its own), not by record. Lines
 * have as many columns as there are names: a shorter one is half a record, in a longer one nobody
 * knows which column is the stray one. */
#include "runtime/codec/decode_csv.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "runtime/base/json_text.h"
#include "runtime/base/mem.h"
#include "runtime/base/nearest.h"
#include "runtime/codec/bad.h"
#include "runtime/codec/csv_line.h"
#include "runtime/codec/field.h"

enum { NO_DRIFT = UINT32_MAX };

typedef struct csv_column {
    const field *field; /* first of those it is read into (field.same: the next); NULL: none */
    uint32_t drift;     /* undeclared: number of the drift name; NO_DRIFT: it is not told of */
    bool is_beyond;     /* undeclared, and there are too many drift names */
} csv_column;

/* Where the columns of a file go. */
typedef struct csv_columns {
    const char *header; /* the line they are from, by its address; NULL: the plan's names */
    csv_column *items;  /* owned */
    uint32_t count;
    char problem[160]; /* why no line below this header can be read; empty: nothing */
} csv_columns;

typedef struct csv_state {
    csv_style style;
    sl_string null; /* borrowed from the plan */
    field *fields;  /* owned; of the value, one path each */
    uint32_t field_count;
    csv_columns *columns; /* owned; one a header */
    uint32_t columns_count;
    uint32_t last; /* number of those used last */
    uint32_t drift_count;
    uint64_t others;
    drift_name drift[DRIFT_MAX_NAMES]; /* paths owned */
} csv_state;

static bool is_same(sl_string a, sl_string b) {
    return a.len == b.len && (!a.len || !memcmp(a.data, b.data, a.len));
}

static const sl_value *option(const sl_value *options, const char *name) {
    const sl_string wanted = { .data = name, .len = (uint32_t)strlen(name) };
    for (uint32_t i = 0; options && i < options->item_count; i++)
        if (is_same(options->items[i].name, wanted)) return &options->items[i];
    return NULL;
}

static sl_string text_option(const sl_value *options, const char *name, const char *fallback) {
    const sl_value *given = option(options, name);
    if (given) return given->text;
    return (sl_string){ .data = fallback, .len = (uint32_t)strlen(fallback) };
}

static char byte_of(sl_string text) { return text.len ? *text.data : 0; }

static csv_style style_of(const sl_source *source) {
    return (csv_style){
        .delimiter = byte_of(text_option(source->format_options, "delimiter", ",")),
        .quote = byte_of(text_option(source->format_options, "quote", "\"")),
    };
}

/* The first field of a column; NULL: nobody declared it. */
static const field *find_field(const csv_state *s, sl_string name) {
    for (uint32_t i = 0; i < s->field_count; i++)
        if (is_same(s->fields[i].plan->path[0], name)) return &s->fields[i];
    return NULL;
}

static csv_column *add_column(csv_columns *columns) {
    if ((columns->count & (columns->count + 1)) == 0) /* 0, 1, 3, 7: full */
        columns->items = mem_realloc(columns->items,
                                     (2 * columns->count + 1) * sizeof *columns->items);
    csv_column *added = &columns->items[columns->count++];
    *added = (csv_column){ .drift = NO_DRIFT };
    return added;
}

static csv_columns *add_columns(csv_state *s, const char *header) {
    s->columns = mem_realloc(s->columns, (s->columns_count + 1) * sizeof *s->columns);
    s->last = s->columns_count++;
    s->columns[s->last] = (csv_columns){ .header = header };
    return &s->columns[s->last];
}

/* Remember a name that nobody declared. */
static void learn(csv_state *s, csv_column *column, sl_string name, const sl_record *record) {
    for (uint32_t i = 0; i < s->drift_count; i++) {
        const char *known = s->drift[i].path;
        if (strlen(known) != name.len || memcmp(known, name.data, name.len)) continue;
        column->drift = i;
        return;
    }
    column->is_beyond = s->drift_count == DRIFT_MAX_NAMES;
    if (column->is_beyond) return;
    column->drift = s->drift_count++;
    s->drift[column->drift] = (drift_name){
        .path = mem_copy_text(name.data, name.len),
        .offset = record->offset,
        .partition = record->partition,
    };
}

static bool stands_twice(const csv_columns *columns, const field *f) {
    for (uint32_t i = 0; f && i + 1 < columns->count; i++)
        if (columns->items[i].field == f) return true;
    return false;
}

/* Without the mark that some programs put in front of UTF-8. */
static sl_string without_mark(sl_string header) {
    bool has_mark = header.len >= 3 && !memcmp(header.data, "\xef\xbb\xbf", 3);
    return has_mark ? (sl_string){ .data = header.data + 3, .len = header.len - 3 } : header;
}

/* Make the columns that `record`'s header names. What is wrong with it is said of each record. */
static csv_columns *read_header(csv_state *s, const sl_record *record, sl_string header,
                                arena *strings) {
    csv_columns *columns = add_columns(s, header.data);
    bad_record bad = { .reason = "" };
    csv_line line;
    csv_cell cell;
    header = without_mark(header);
    csv_line_begin(&line, s->style, header);
    if (!json_text_is_utf8(header.data, header.len)) bad_because(&bad, "it is not valid UTF-8");
    while (!bad.reason[0] && csv_line_next(&line, &cell, strings, &bad)) {
        csv_column *column = add_column(columns);
        column->field = find_field(s, cell.text);
        if (!column->field) learn(s, column, cell.text, record);
        if (stands_twice(columns, column->field))
            bad_because(&bad, "column %u has a name that stands before", line.column);
    }
    if (bad.reason[0])
        snprintf(columns->problem, sizeof columns->problem, "the header line is wrong: %.120s",
                 bad.reason);
    return columns;
}

/* In small letters, without the blanks around it; owned. */
static char *plain_name(sl_string name) {
    while (name.len && isblank((unsigned char)name.data[0])) {
        name.data++;
        name.len--;
    }
    while (name.len && isblank((unsigned char)name.data[name.len - 1])) name.len--;
    char *plain = mem_copy_text(name.data, name.len);
    for (char *c = plain; *c; c++) *c = (char)tolower((unsigned char)*c);
    return plain;
}

/* Among the columns, the one that may have been meant, as it is written; NULL: none is near. */
static const sl_string *near_name(sl_string wanted, const sl_string *names, uint32_t count) {
    char **plain = mem_zalloc(count + 1, sizeof *plain);
    char *given = plain_name(wanted);
    for (uint32_t i = 0; i < count; i++) plain[i] = plain_name(names[i]);
    const char *near = nearest_word(given, (const char *const *)plain, count);
    const sl_string *found = NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (plain[i] == near) found = &names[i];
        mem_free(plain[i]);
    }
    mem_free(plain);
    mem_free(given);
    return found;
}

static err *refuse_header(const sl_field *missing, const sl_string *names, uint32_t count,
                          const char *place) {
    const sl_string *path = &missing->path[0], *name = &missing->column.name;
    const sl_string *near = near_name(*path, names, count);
    return err_new(ERR_DATA,
                   "%s: the header line has no column \"%.*s\" for the field `%.*s`%s%.*s%s"
                   "say how it is called there by :from \"…\", give the field a `:default`, or "
                   "take it out",
                   place, (int)path->len, path->data, (int)name->len, name->data,
                   near ? ": did you mean `" : ": ", near ? (int)near->len : 0,
                   near ? near->data : "", near ? "`? Else " : "");
}

static bool is_among(sl_string name, const sl_string *names, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (is_same(name, names[i])) return true;
    return false;
}

/* The names in a header, owned; a malformed one, which each record is told of, gives none. */
static sl_string *names_of(csv_style style, sl_string header, arena *strings, uint32_t *count) {
    sl_string *names = NULL;
    bad_record bad = { .reason = "" };
    csv_line line;
    csv_cell cell;
    *count = 0;
    csv_line_begin(&line, style, without_mark(header));
    while (csv_line_next(&line, &cell, strings, &bad)) {
        names = mem_realloc(names, (*count + 1) * sizeof *names);
        names[(*count)++] = cell.text;
    }
    if (bad.reason[0]) *count = 0;
    return names;
}

static err *csv_check_header(const sl_source *source, sl_string header, const char *place) {
    err *e = NULL;
    uint32_t count;
    arena strings;
    arena_init(&strings, 4096);
    sl_string *names = names_of(style_of(source), header, &strings, &count);
    for (uint32_t i = 0; !e && count && i < source->field_count; i++) {
        const sl_field *f = &source->fields[i];
        bool is_wanted = f->from == SL_FROM_VALUE && !f->has_default;
        if (is_wanted && !is_among(f->path[0], names, count))
            e = refuse_header(f, names, count, place);
    }
    mem_free(names);
    arena_done(&strings);
    return e;
}

static csv_columns *columns_of(csv_state *s, const sl_record *record, sl_string header,
                               arena *strings) {
    if (s->last < s->columns_count && s->columns[s->last].header == header.data)
        return &s->columns[s->last];
    for (s->last = 0; s->last < s->columns_count; s->last++)
        if (s->columns[s->last].header == header.data) return &s->columns[s->last];
    return read_header(s, record, header, strings);
}

static void csv_close(void *state) {
    csv_state *s = state;
    for (uint32_t i = 0; i < s->field_count; i++) field_done(&s->fields[i]);
    for (uint32_t i = 0; i < s->columns_count; i++) mem_free(s->columns[i].items);
    for (uint32_t i = 0; i < s->drift_count; i++) mem_free((char *)s->drift[i].path);
    mem_free(s->columns);
    mem_free(s->fields);
    mem_free(s);
}

static err *add_field(csv_state *s, const sl_field *plan) {
    field *added = &s->fields[s->field_count];
    err *e = field_init(added, plan);
    for (uint32_t i = 0; i < s->field_count; i++) {
        field *before = &s->fields[i];
        if (before->same || !is_same(before->plan->path[0], plan->path[0])) continue;
        before->same = added;
        break;
    }
    s->field_count++;
    return e;
}

/* The names that the plan gives. They are known to the user: those without a field are no drift. */
static void take_names(csv_state *s, const sl_value *names) {
    csv_columns *columns = add_columns(s, NULL);
    for (uint32_t i = 0; i < names->item_count; i++)
        add_column(columns)->field = find_field(s, names->items[i].text);
}

static err *csv_open(const sl_source *source, void **state) {
    const sl_value *options = source->format_options;
    csv_state *s = mem_zalloc(1, sizeof *s);
    s->style = style_of(source);
    s->null = text_option(options, "null", "");
    s->fields = mem_zalloc(source->field_count + 1, sizeof *s->fields);
    *state = s; /* decoder_free closes it, after an error too */
    err *e = NULL;
    for (uint32_t i = 0; !e && i < source->field_count; i++)
        if (source->fields[i].from == SL_FROM_VALUE) e = add_field(s, &source->fields[i]);
    const sl_value *names = option(options, "columns");
    if (!e && names && !source->has_header) take_names(s, names);
    return e;
}

/* What people write for true and false, in any case. */
static bool word_of(sl_string *text) {
    static const char *const WORDS[] = { "true", "false", "t", "f", "yes", "no",
                                         "y", "n", "1", "0" };
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
        if (strlen(WORDS[i]) != text->len || strncasecmp(WORDS[i], text->data, text->len)) continue;
        const char *meant = WORDS[i % 2];
        *text = (sl_string){ .data = meant, .len = (uint32_t)strlen(meant) };
        return true;
    }
    return false;
}

/* Read a column into the fields of its name. */
static bool put_cell(const csv_state *s, const field *f, sl_row *row, const csv_cell *cell,
                     bad_record *bad) {
    if (!cell->is_quoted && is_same(cell->text, s->null)) return true;
    for (; f; f = f->same) {
        sl_string text = cell->text;
        bool is_good = f->type == SL_BOOL && !word_of(&text)
                           ? bad_seen(bad, text.data, text.len, "true, yes, 1 or false, no, 0")
                           : field_put_plain(f, row, text, bad);
        if (!is_good) return false;
    }
    return true;
}

/* A field's value is wrong: say in which column, too. */
static bool refuse_cell(const field *f, uint32_t number, bad_record *bad) {
    char reason[sizeof bad->reason];
    memcpy(reason, bad->reason, sizeof reason);
    bad_because(bad, "column %u: %.180s", number, reason);
    return bad_under(bad, f->plan->path[0].data, f->plan->path[0].len);
}

static bool csv_decode(void *state, const sl_record *record, const record_origin *origin,
                       sl_row *row, arena *strings, bad_record *bad) {
    csv_state *s = state;
    csv_columns *columns = columns_of(s, record, origin->header, strings);
    sl_string text = record->value;
    csv_line line;
    csv_cell cell;
    if (columns->problem[0]) return bad_because(bad, "%s", columns->problem);
    if (!json_text_is_utf8(text.data, text.len))
        return bad_seen(bad, text.data, text.len, "valid UTF-8");
    csv_line_begin(&line, s->style, text);
    bad->reason[0] = 0;
    while (csv_line_next(&line, &cell, strings, bad)) {
        if (line.column > columns->count) continue;
        const csv_column *column = &columns->items[line.column - 1];
        if (column->drift != NO_DRIFT) s->drift[column->drift].count++;
        s->others += column->is_beyond;
        if (!put_cell(s, column->field, row, &cell, bad))
            return refuse_cell(column->field, line.column, bad);
    }
    if (bad->reason[0]) return false;
    if (line.column == columns->count) return true;
    return bad_because(bad, "seen %u column%s, wanted %u", line.column,
                       line.column == 1 ? "" : "s", columns->count);
}

static uint32_t csv_drift(const void *state, const drift_name **names, uint64_t *others) {
    const csv_state *s = state;
    *names = s->drift;
    *others = s->others;
    return s->drift_count;
}

const codec_ops codec_csv = {
    .name = "csv",
    .open = csv_open,
    .decode = csv_decode,
    .drift = csv_drift,
    .check_header = csv_check_header,
    .close = csv_close,
};
