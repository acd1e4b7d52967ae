#include "runtime/flow/verdict.h"

#include "runtime/base/mem.h"

typedef enum verdict {
    PASSED,
    FILTERED,
    DUPLICATE,
    LATE,
    QUARANTINED,
} verdict;

/* A walk over the rows of a chunk, record by record. Rows of a step lie in the order of the rows
 * they stem from: one pass over each set will do. */
typedef struct tally {
    const sl_plan *plan;
    const chunk *c;
    uint32_t *at; /* by step: the next row that no parent has asked for; owned */
    bool threw;   /* user code threw a row of the record out somewhere */
} tally;

static uint32_t lost_to_code(const row_set *set, uint32_t i) {
    return set->threw_at[i] | atomic_load_explicit(&set->folded_out[i], memory_order_relaxed);
}

/* Why a row did not get through output `k`. */
static verdict reason_at(const row_set *set, uint32_t i, uint32_t k, int32_t kind) {
    if (set->late[i] >> k & 1) return LATE;
    if (lost_to_code(set, i) >> k & 1) return QUARANTINED;
    return kind == SL_TO_DISTINCT && set->outputs[i] >> k & 1 ? DUPLICATE : FILTERED;
}

static verdict row_verdict(tally *t, uint32_t s, uint32_t i);

/* Of the rows of step `s` that stem from row `parent`. */
static verdict rows_behind(tally *t, uint32_t s, uint32_t parent) {
    const row_set *set = chunk_rows(t->c, s);
    verdict first = FILTERED;
    bool any = false, has_passed = false;
    for (uint32_t *at = &t->at[s]; *at < set->count && set->parents[*at] == parent; any = true) {
        verdict v = row_verdict(t, s, (*at)++);
        if (!any) first = v;
        has_passed |= v == PASSED;
    }
    return has_passed ? PASSED : first;
}

static verdict at_output(tally *t, uint32_t s, uint32_t i, uint32_t k) {
    const row_set *set = chunk_rows(t->c, s);
    const sl_output *output = &t->plan->steps[s].outputs[k];
    uint32_t passed = atomic_load_explicit(&set->passed[i], memory_order_relaxed);
    if (!(passed >> k & 1)) return reason_at(set, i, k, output->kind);
    return output->next == SL_NO_STEP ? PASSED : rows_behind(t, output->next, i);
}

static verdict row_verdict(tally *t, uint32_t s, uint32_t i) {
    uint32_t count = t->plan->steps[s].output_count;
    verdict first = FILTERED;
    bool has_passed = false;
    t->threw |= lost_to_code(chunk_rows(t->c, s), i) != 0;
    for (uint32_t k = 0; k < count; k++) {
        verdict v = at_output(t, s, i, k);
        if (!k) first = v;
        has_passed |= v == PASSED;
    }
    return has_passed ? PASSED : first;
}

static void add(source_counters *counters, verdict v, bool threw) {
    switch (v) {
    case PASSED:
        counters->passed++;
        counters->partly_quarantined += threw;
        return;
    case FILTERED: counters->filtered++; return;
    case DUPLICATE: counters->duplicate++; return;
    case LATE: counters->late++; return;
    case QUARANTINED: counters->quarantined++; return;
    }
}

/* A tree of one step: no row leads to another. As a rule all that did not pass were filtered. */
static void count_plain(source_counters *counters, const row_set *set) {
    uint64_t passed = 0;
    uint32_t odd = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        passed += atomic_load_explicit(&set->passed[i], memory_order_relaxed) != 0;
        odd |= lost_to_code(set, i) | set->late[i];
    }
    if (!odd) {
        counters->passed += passed;
        counters->filtered += set->count - passed;
        return;
    }
    passed = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        bool threw = lost_to_code(set, i) != 0;
        if (!atomic_load_explicit(&set->passed[i], memory_order_relaxed)) {
            add(counters, reason_at(set, i, 0, SL_TO_SINK), threw);
            continue;
        }
        passed++;
        counters->partly_quarantined += threw;
    }
    counters->passed += passed;
}

static bool has_children(const sl_step *step) {
    for (uint32_t k = 0; k < step->output_count; k++)
        if (step->outputs[k].next != SL_NO_STEP) return true;
    return false;
}

void verdict_count(source_counters *counters, const sl_plan *plan, const chunk *c) {
    const row_set *set = chunk_rows(c, c->root);
    if (!has_children(&plan->steps[c->root])) {
        count_plain(counters, set);
    } else {
        tally t = { .plan = plan, .c = c, .at = mem_zalloc(plan->step_count, sizeof *t.at) };
        for (uint32_t i = 0; i < set->count; i++) {
            t.threw = false;
            verdict v = row_verdict(&t, c->root, i);
            add(counters, v, t.threw);
        }
        mem_free(t.at);
    }
    counters->quarantined += c->bad;
    counters->skipped += c->skipped;
    counters->late_windows += c->late_pairs;
}
