#include "runtime/cli/profile.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/base/buf.h"
#include "runtime/cli/text.h"

typedef struct kind_time {
    lap_kind kind;
    int64_t ns; /* of all workers */
} kind_time;

typedef struct profile {
    kind_time kinds[LAP_KINDS]; /* the dearest first */
    int64_t ns;                 /* of all of them */
    uint64_t records;           /* read in this run */
} profile;

static int compare_times(const void *a, const void *b) {
    const kind_time *x = a, *y = b;
    return (y->ns > x->ns) - (y->ns < x->ns);
}

static profile profile_of(const pipeline *p) {
    profile all = { 0 };
    for (int k = 0; k < LAP_KINDS; k++) {
        all.kinds[k].kind = (lap_kind)k;
        for (uint32_t w = 0; w < crew_count(p->crew); w++)
            all.kinds[k].ns += crew_laps(p->crew, w)->ns[k];
        all.ns += all.kinds[k].ns;
    }
    for (uint32_t i = 0; i < p->input_count; i++) all.records += p->inputs[i].counters.read;
    qsort(all.kinds, LAP_KINDS, sizeof *all.kinds, compare_times);
    return all;
}

static double a_record(const profile *all, int64_t ns) {
    return all->records ? (double)ns / (double)all->records : 0;
}

static double share(const profile *all, int64_t ns) {
    return all->ns ? 100.0 * (double)ns / (double)all->ns : 0;
}

static void put_line(buf *out, const profile *all, const kind_time *k) {
    buf_printf(out, "  %-11s %9.1f %6.1f %%  %s\n", lap_names[k->kind], a_record(all, k->ns),
               share(all, k->ns), lap_notes[k->kind]);
}

static void put_table(const profile *all, uint32_t workers) {
    buf out;
    buf_init(&out);
    buf_put_text(&out, "\nwhere the time went, of ");
    text_put_count(&out, all->records);
    buf_printf(&out, " records on %" PRIu32 " %s\n  %-11s %9s %8s\n", workers,
               workers == 1 ? "thread" : "threads, added up", "work", "ns/record", "share");
    for (int k = 0; k < LAP_KINDS && all->kinds[k].ns; k++) put_line(&out, all, &all->kinds[k]);
    buf_printf(&out, "  %-11s %9.1f\n", "in all", a_record(all, all->ns));
    fwrite(out.data, 1, out.len, stderr);
    buf_done(&out);
}

void profile_say(const pipeline *p, logger *log, bool for_people) {
    profile all = profile_of(p);
    if (for_people) {
        put_table(&all, crew_count(p->crew));
        return;
    }
    for (int k = 0; k < LAP_KINDS && all.kinds[k].ns; k++)
        log_info(log, "profile", log_text("work", lap_names[all.kinds[k].kind]),
                 log_number("us", all.kinds[k].ns / 1000),
                 log_number("ns_a_record", (int64_t)(a_record(&all, all.kinds[k].ns) + 0.5)),
                 log_number("percent", (int64_t)(share(&all, all.kinds[k].ns) + 0.5)));
}
