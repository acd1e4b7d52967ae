/* DESIGN. Rows of a group that are folded only when its window closes, in the order of their event
 * times: packed one behind the other as they come, so that a row is appended without a look at the
 * others; put into their order when they are opened.
 *
 *   OFFSET  SIZE  WHAT
 *   0       8     event time
 *   8       8     offset
 *   16      8     place of its partition (vector.h)
 *   24      4     its partition
 *   28      4     bytes of the packed row, this head included, a multiple of 8
 *   32      ..    (columns + 7) / 8 bytes: bit i set = column i is null; then the values of the
 *                 others: numbers as in rows, text, bytes and blocks behind 4 bytes of length
 */
#include <stdlib.h>

#include "runtime/shared/row.h"
#include "runtime/sketch/value.h"

typedef struct packed {
    int64_t time;
    int64_t offset;
    double place;
    uint32_t partition;
    uint32_t len;
    char values[];
} packed;

/* Bytes of a value that lies in the row itself; 0: pointer and length do. */
static uint32_t size_of(const sl_column *column) {
    switch (column->type) {
    case SL_BOOL: return 1;
    case SL_INT32:
    case SL_DATE: return 4;
    case SL_INT64:
    case SL_TIMESTAMP:
    case SL_DOUBLE: return 8;
    case SL_DECIMAL: return 16;
    default: return 0;
    }
}

static bool is_null(const sl_row *row, const sl_column *column) {
    return row->nulls[column->null_bit / 64] >> (column->null_bit % 64) & 1;
}

static const void *value_in(const sl_row *row, const sl_column *column) {
    return (const char *)row + column->offset;
}

static size_t values_len(const sl_row *row, const sl_column *columns, uint32_t count) {
    size_t len = (count + 7) / 8;
    for (uint32_t i = 0; i < count; i++) {
        if (is_null(row, &columns[i])) continue;
        uint32_t size = size_of(&columns[i]);
        len += size ? size : 4 + ((const sl_string *)value_in(row, &columns[i]))->len;
    }
    return len;
}

static void pack(char *at, const sl_row *row, const sl_column *columns, uint32_t count) {
    char *nulls = at;
    memset(nulls, 0, (count + 7) / 8);
    at += (count + 7) / 8;
    for (uint32_t i = 0; i < count; i++) {
        const sl_column *column = &columns[i];
        if (is_null(row, column)) {
            nulls[i / 8] = (char)(nulls[i / 8] | 1 << i % 8);
            continue;
        }
        const void *data = value_in(row, column);
        uint32_t size = size_of(column);
        if (!size) {
            const sl_string *text = data;
            memcpy(at, &text->len, 4);
            at += 4;
            size = text->len;
            data = text->data;
        }
        if (size) memcpy(at, data, size);
        at += size;
    }
}

LEAF void sl_rows_append(void *table, sl_part *part, const void *of, double place,
                         const sl_column *columns, uint32_t count) {
    const sl_row *row = of;
    size_t len = (sizeof(packed) + values_len(row, columns, count) + 7) & ~(size_t)7;
    packed *p = (packed *)sl_part_append(table, part, (uint32_t)len);
    *p = (packed){ .time = row->time_ms,
                   .offset = row->offset,
                   .place = place,
                   .partition = row->partition,
                   .len = (uint32_t)len };
    pack(p->values, row, columns, count);
}

LEAF void sl_rows_merge(void *text, sl_part *a, const sl_part *b) {
    const memory m = { .arena = text };
    if (memory_borrow(a, b)) return;
    uint32_t before = a->len;
    char *data = memory_edit(&m, a, before + b->len);
    memcpy(data + before, b->data, b->len);
}

static int compare(const void *a, const void *b) {
    const packed *x = *(const packed *const *)a, *y = *(const packed *const *)b;
    if (x->time != y->time) return x->time < y->time ? -1 : 1;
    if (x->place != y->place) return x->place < y->place ? -1 : 1;
    return (x->offset > y->offset) - (x->offset < y->offset);
}

static void unpack(sl_row *row, const packed *p, const sl_column *columns, uint32_t count,
                   uint32_t null_words) {
    *row = (sl_row){ .time_ms = p->time, .offset = p->offset };
    row->partition = p->partition;
    memset(row->nulls, 0xff, null_words * sizeof *row->nulls);
    const char *at = p->values + (count + 7) / 8;
    for (uint32_t i = 0; i < count; i++) {
        const sl_column *column = &columns[i];
        if (p->values[i / 8] >> i % 8 & 1) continue;
        row->nulls[column->null_bit / 64] &= ~(UINT64_C(1) << (column->null_bit % 64));
        void *into = (char *)row + column->offset;
        uint32_t size = size_of(column);
        if (size) {
            memcpy(into, at, size);
        } else {
            memcpy(&size, at, 4);
            at += 4;
            *(sl_string *)into = (sl_string){ .data = at, .len = size };
        }
        at += size;
    }
}

LEAF void **sl_rows_open(void *text, const sl_part *part, const sl_column *columns, uint32_t count,
                         uint32_t row_size, uint32_t null_words, uint32_t *row_count) {
    uint32_t n = 0;
    for (uint32_t at = 0; at < part->len; at += ((const packed *)(part->data + at))->len) n++;
    void **rows = arena_take(text, (n + 1) * sizeof *rows, 8);
    n = 0;
    for (uint32_t at = 0; at < part->len; at += ((const packed *)(part->data + at))->len)
        rows[n++] = part->data + at;
    bool is_sorted = true;
    for (uint32_t i = 1; i < n && is_sorted; i++) is_sorted = compare(&rows[i - 1], &rows[i]) < 0;
    if (!is_sorted) qsort(rows, n, sizeof *rows, compare);
    for (uint32_t i = 0; i < n; i++) {
        double *place = arena_take(text, sizeof *place + row_size, 8);
        *place = ((const packed *)rows[i])->place;
        unpack((sl_row *)(place + 1), rows[i], columns, count, null_words);
        rows[i] = place + 1;
    }
    *row_count = n;
    return rows;
}
