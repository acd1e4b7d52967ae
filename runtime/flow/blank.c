#include "runtime/flow/blank.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "runtime/codec/nulls.h"
#include "runtime/shared/row.h"

static void tell(const blank_field *f, const sl_field *plan, const sl_partition *partitions,
                 logger *log) {
    char message[512];
    const sl_partition *at = &partitions[f->partition];
    snprintf(message, sizeof message, "field `%.*s` is null in every record since %s/%d @ %" PRId64,
             (int)plan->column.name.len, plan->column.name.data, at->topic, at->number, f->offset);
    log_warn(log, message, log_number("records", f->run));
}

/* A run of nulls that was told of is over. */
static void tell_end(const blank_field *f, const sl_field *plan, logger *log) {
    char message[512];
    snprintf(message, sizeof message, "field `%.*s` has values again", (int)plan->column.name.len,
             plan->column.name.data);
    log_info(log, message, log_number("records", f->run));
}

/* The chunk's last rows in which the field is null: a run of nulls may begin with them. */
static void begin_run(blank_field *f, uint32_t bit, const sl_record *records, const chunk *c) {
    const row_set *set = chunk_rows(c, c->root);
    uint32_t from = set->count;
    while (from > 0 && nulls_has(((const sl_row *)set->rows[from - 1])->nulls, bit)) from--;
    f->run = set->count - from;
    if (!f->run) return;
    const sl_record *first = &records[((const sl_row *)set->rows[from])->record];
    f->partition = first->partition;
    f->offset = first->offset;
}

void blank_look(blank_field *fields, const sl_source *source, const sl_partition *partitions,
                const sl_record *records, const chunk *c, logger *log) {
    uint32_t count = chunk_rows(c, c->root)->count;
    for (uint32_t i = 0; i < source->field_count && count; i++) {
        blank_field *f = &fields[i];
        uint32_t bit = source->fields[i].column.null_bit;
        bool is_blank = nulls_has(c->nulls, bit);
        if (!is_blank && f->told) tell_end(f, &source->fields[i], log);
        if (!is_blank) *f = (blank_field){ .had_value = true };
        if (!f->had_value) continue;
        if (f->run)
            f->run += count;
        else
            begin_run(f, bit, records, c);
        if (f->run < BLANK_RECORDS || (f->told && f->run / 10 < f->told)) continue;
        f->told = f->run;
        tell(f, &source->fields[i], partitions, log);
    }
}
