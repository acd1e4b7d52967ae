/* DESIGN. Panes are cut into stretches as long as a window, so a window is the end of one stretch
 * and the beginning of the next. Within a stretch panes stand in a tree of eights, and of each
 * level the window needs one run (slide_run.h) on either side:
 *
 *   stretch      |                         |                         |
 *   level 1      | . . . |-----------------|---------------| . . . . |
 *   level 0      | . . . |-|               |               |----| .
 *   window              [                                        )
 *
 * On the left a run holds the nodes up to the end of their eight: each is the node merged with the
 * run behind it, all are made at once, from the end, and kept until windows have passed them. On
 * the right it is the beginning of an eight, which takes in a node when it is needed, and once full
 * is the node of the level above. So each state of a pane is merged three times in all, and a row
 * has a part a level and side.
 *
 * A group of one part only keeps that part's entry; else it gets one of its own, with the merged
 * state. So runs cost 16 bytes a group, and states where groups meet: of windows of 60 panes with
 * all groups in all panes a third of the panes' own bytes, with each group in few of them up to
 * twice as much.
 *
 * Windows of a few panes merge nothing before: their groups come out of the panes' own runs, sorted
 * once for all windows that have them, without a look-up in any of them.
 *
 * Two stacks without levels would have two parts a window, but copy a group that is in one pane
 * into as many runs as a stretch has panes. */
#include "runtime/operator/slide.h"

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/operator/slide_run.h"
#include "state/spill.h"
#include "state/table_inside.h"

enum {
    RADIX_BITS = 3,
    LEVELS = 8,
    FEW_PANES = 5, /* a window of so many takes the runs of its panes as they are */
};

typedef struct run_list {
    run **items; /* by start; owned */
    uint32_t count, room;
} run_list;

/* Of one aggregation. */
typedef struct slide {
    run_list nodes[LEVELS + 1]; /* by level: panes are 0. Maybe of the first of their panes only */
    run_list rests[LEVELS];     /* by level: nodes up to the end of their eight */
    run_list gone;              /* rows that go on may borrow from them */
    window_bounds last;         /* window served last, Unix ms */
} slide;

struct slides {
    slide *items; /* by aggregate; owned */
    uint32_t count;
    run_maker maker;
    slide touched;     /* of the aggregation being visited: runs of these groups alone: */
    group_list wanted; /* all that the batch touched, sorted; as long as it is known: */
    bool knows_wanted;
};

/* A window that is being served. */
typedef struct view {
    const emission *m;
    slide *s;
    const group_list *wanted;     /* the only groups looked for; NULL: all */
    int64_t first;                /* number of its first pane */
    int64_t stretch, stretch_end; /* the one being looked at: numbers of panes */
    uint32_t top;                 /* level whose eight is the whole stretch */
} view;

slides *slides_new(const sl_plan *plan) {
    slides *all = mem_zalloc(1, sizeof *all);
    all->count = plan->aggregate_count;
    all->items = mem_zalloc(all->count, sizeof *all->items);
    return all;
}

/* -- lists of runs */

static void list_insert(run_list *l, uint32_t at, run *r) {
    if (l->count == l->room) {
        l->room = l->room ? 2 * l->room : 16;
        l->items = mem_realloc(l->items, l->room * sizeof *l->items);
    }
    memmove(&l->items[at + 1], &l->items[at], (l->count - at) * sizeof *l->items);
    l->items[at] = r;
    l->count++;
}

/* Index of the first run that does not begin before pane `start`. */
static uint32_t list_place(const run_list *l, int64_t start) {
    uint32_t low = 0, high = l->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (l->items[middle]->start < start)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void list_clear(run_list *l) {
    for (uint32_t i = 0; i < l->count; i++) run_free(l->items[i]);
    l->count = 0;
}

static void list_free(run_list *l) {
    list_clear(l);
    mem_free(l->items);
}

static void forget(slide *s) {
    for (uint32_t i = 0; i <= LEVELS; i++) list_clear(&s->nodes[i]);
    for (uint32_t i = 0; i < LEVELS; i++) list_clear(&s->rests[i]);
    list_clear(&s->gone);
    s->last = (window_bounds){ INT64_MIN, INT64_MIN };
}

void slides_forget(slides *all) {
    for (uint32_t i = 0; i < all->count; i++) forget(&all->items[i]);
    slides_begin(all);
}

void slides_begin(slides *all) {
    forget(&all->touched);
    all->knows_wanted = false;
}

void slides_let_go(slides *all) {
    for (uint32_t i = 0; i < all->count; i++) list_clear(&all->items[i].gone);
}

static void slide_done(slide *s) {
    for (uint32_t i = 0; i <= LEVELS; i++) list_free(&s->nodes[i]);
    for (uint32_t i = 0; i < LEVELS; i++) list_free(&s->rests[i]);
    list_free(&s->gone);
}

void slides_free(slides *all) {
    if (!all) return;
    for (uint32_t i = 0; i < all->count; i++) slide_done(&all->items[i]);
    slide_done(&all->touched);
    groups_done(&all->wanted);
    mem_free(all->items);
    mem_free(all->maker.spare);
    mem_free(all);
}

static void drop_of(slide *s, run_list *l, int64_t start) {
    uint32_t end = list_place(l, start);
    if (!end) return;
    for (uint32_t i = 0; i < end; i++) list_insert(&s->gone, s->gone.count, l->items[i]);
    l->count -= end;
    memmove(l->items, l->items + end, l->count * sizeof *l->items);
}

/* Runs that begin before pane `start`: no window to come needs them. */
static void drop_before(slide *s, int64_t start) {
    for (uint32_t i = 0; i <= LEVELS; i++) drop_of(s, &s->nodes[i], start);
    for (uint32_t i = 0; i < LEVELS; i++) drop_of(s, &s->rests[i], start);
}

/* -- panes */

/* Panes are numbered in time; all begin at the same place of their number. */
static int64_t number_of(const sl_window *w, int64_t start_ms) {
    int64_t number = start_ms / w->pane_ms;
    return number - (start_ms % w->pane_ms < 0);
}

/* Index of the first of the window's panes whose number is not lower. */
static uint32_t pane_place(const view *of, int64_t number) {
    const emission *m = of->m;
    int64_t start_ms = m->window.start + (number - of->first) * m->plan->window.pane_ms;
    uint32_t low = 0, high = m->pane_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (pane_start(m->panes[middle]) < start_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Look at the panes [start, end) as they are. */
static void see_panes(const view *of, int64_t start, int64_t end, uint64_t *newest,
                      uint32_t *count) {
    uint32_t from = pane_place(of, start), to = pane_place(of, end);
    *newest = 0;
    *count = to - from;
    for (uint32_t i = from; i < to; i++) {
        uint64_t epoch = pane_epoch(of->m->panes[i]);
        if (epoch > *newest) *newest = epoch;
    }
}

static bool holds(const view *of, const run *r) {
    uint64_t newest;
    uint32_t panes;
    see_panes(of, r->start, r->end, &newest, &panes);
    return r->newest == newest && r->panes == panes;
}

/* The run says which panes it is made of, up to `end`. */
static void settle(const view *of, run *r, int64_t end) {
    r->end = end;
    see_panes(of, r->start, end, &r->newest, &r->panes);
}

/* -- runs of a window */

/* The run of a list that begins at pane `start`, as far as it holds; else an empty one in its
 * place. */
static run *find_run(const view *of, run_list *l, int64_t start, int64_t end) {
    uint32_t at = list_place(l, start);
    run *known = at < l->count && l->items[at]->start == start ? l->items[at] : NULL;
    if (known && known->end <= end && holds(of, known)) return known;
    run *made = run_new(start);
    if (known) {
        run_free(known);
        l->items[at] = made;
    } else {
        list_insert(l, at, made);
    }
    return made;
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* The node of a level that begins at pane `start`, with its panes up to `end`: those of whole nodes
 * below it. */
static run *node(const view *of, uint32_t level, int64_t start, int64_t end) {
    const emission *m = of->m;
    run_maker *maker = &m->w->slides->maker;
    run *r = find_run(of, &of->s->nodes[level], start, end);
    if (r->end == end) return r;
    if (!level) {
        uint32_t at = pane_place(of, start);
        bool is_there = at < pane_place(of, end);
        if (is_there && of->wanted)
            run_take_wanted(r, m->panes[at], of->wanted);
        else if (is_there)
            run_take_pane(r, maker, m->panes[at], m->b->plan->shards);
    }
    for (int64_t at = r->end, next; level && at < end; at = next) {
        next = least(at + (1ll << (level - 1) * RADIX_BITS), end);
        run_take(r, maker, m, node(of, level - 1, at, next));
    }
    settle(of, r, end);
    return r;
}

/* The nodes of a level from pane `start` on to the end of their eight. */
static run *rest(const view *of, uint32_t level, int64_t start, int64_t end) {
    run_maker *maker = &of->m->w->slides->maker;
    int64_t next = least(start + (1ll << level * RADIX_BITS), end);
    if (next == end) return node(of, level, start, end);
    run *r = find_run(of, &of->s->rests[level], start, end);
    if (r->end == end) return r;
    run *first = node(of, level, start, next);
    run *others = rest(of, level, next, end);
    run_take(r, maker, of->m, first);
    run_take(r, maker, of->m, others);
    settle(of, r, end);
    return r;
}

static void look_at(view *of, int64_t stretch, int64_t width) {
    of->stretch = stretch;
    of->stretch_end = stretch + width;
    of->top = 0;
    while (1ll << (of->top + 1) * RADIX_BITS < width) of->top++;
}

/* From pane `start` on to the end of the stretch. */
static uint32_t find_left(const view *of, int64_t start, run **runs) {
    uint32_t count = 0;
    for (uint32_t level = 0; start < of->stretch_end; level++) {
        int64_t into = start - of->stretch, eight = 1ll << (level + 1) * RADIX_BITS;
        if (level < of->top && into % eight == 0) continue;
        int64_t end = least(of->stretch + (into / eight + 1) * eight, of->stretch_end);
        runs[count++] = rest(of, level, start, end);
        start = end;
    }
    return count;
}

/* From the beginning of the stretch on to pane `end`. */
static uint32_t find_right(const view *of, int64_t end, run **runs) {
    uint32_t count = 0;
    int64_t start = of->stretch;
    for (uint32_t level = of->top + 1; level-- > 0;) {
        int64_t width = 1ll << level * RADIX_BITS, next = start + (end - start) / width * width;
        if (next > start) runs[count++] = node(of, level + 1, start, next);
        start = next;
    }
    return count;
}

static int64_t floor_to(int64_t number, int64_t width) {
    int64_t over = number % width;
    return number - (over < 0 ? over + width : over);
}

static bool has_few_panes(const sl_window *w) { return w->size_ms / w->pane_ms <= FEW_PANES; }

/* Stretches of windows that share a start begin with them, others at multiples of their length. */
static uint32_t find_runs(const emission *m, slide *s, const group_list *wanted, run **runs) {
    const sl_window *w = &m->plan->window;
    int64_t start = number_of(w, m->window.start), width = w->size_ms / w->pane_ms;
    view of = { .m = m, .s = s, .wanted = wanted, .first = start };
    int64_t end = start + (m->window.end - m->window.start) / w->pane_ms;
    bool shares_start = w->kind == SL_WINDOW_CUMULATE;
    uint32_t count = 0;
    if (has_few_panes(w)) {
        for (int64_t at = start; at < end; at++) runs[count++] = node(&of, 0, at, at + 1);
        return count;
    }
    look_at(&of, shares_start ? start : floor_to(start, width), width);
    if (start > of.stretch) {
        count = find_left(&of, start, runs);
        look_at(&of, of.stretch_end, width);
    }
    return count + find_right(&of, end, runs + count);
}

/* -- which windows */

/* So much must be left of `memory`: runs take up to twice what the tables do, those of a few panes
 * an item a group and pane, and as much while they are sorted. */
static uint64_t bytes_of_runs(const emission *m, uint64_t used) {
    uint64_t groups = 0;
    if (!has_few_panes(&m->plan->window)) return 2 * used;
    for (uint32_t i = 0; i < m->pane_count; i++) groups += pane_count(m->panes[i]);
    return 2 * groups * sizeof(run_item);
}

static bool has_memory(const emission *m) {
    const sl_plan *plan = m->b->plan;
    int64_t memory = plan->checkpoint.memory_bytes;
    uint64_t used = 0;
    for (uint32_t a = 0; a < plan->aggregate_count; a++) used += table_used_bytes(m->w->tables[a]);
    return memory <= 0 || (used + bytes_of_runs(m, used)) * m->w->count <= (uint64_t)memory;
}

static bool serves(const emission *m) {
    const sl_window *w = &m->plan->window;
    const window_bounds *bounds = &m->window;
    if (!m->plan->slides) return false;
    if (bounds->start < INT64_MIN / 2 || bounds->end > INT64_MAX / 2) return false;
    if (w->size_ms / w->pane_ms >= 1ll << LEVELS * RADIX_BITS) return false;
    if (emit_has_spilled(m)) return false;
    if (has_memory(m)) return true;
    forget(&m->w->slides->items[m->aggregate]);
    forget(&m->w->slides->touched);
    return false;
}

/* Windows come in order of time: what was merged of later panes is too much for an earlier one. */
static void turn_to(slide *s, const emission *m) {
    if (m->window.end < s->last.end || m->window.start < s->last.start) forget(s);
    s->last = m->window;
    drop_before(s, number_of(&m->plan->window, m->window.start));
    if (!m->step->going_on) list_clear(&s->gone);
}

/* Begin to walk the runs of the window; false: they could not be made. */
static bool begin_walk(const emission *m, slide *s, const group_list *wanted,
                       const order_range *range, run_walk *walk) {
    run *runs[RUN_MOST_PARTS];
    turn_to(s, m);
    uint32_t count = find_runs(m, s, wanted, runs);
    if (m->w->slides->maker.is_broken) {
        m->w->slides->maker.is_broken = false;
        forget(s);
        return false;
    }
    run_walk_begin(walk, runs, count, range);
    return true;
}

bool slide_list(const emission *m, const order_range *range, group_list *list) {
    run_walk walk;
    if (!serves(m)) return false;
    if (!begin_walk(m, &m->w->slides->items[m->aggregate], NULL, range, &walk)) return false;
    groups_begin(list);
    list->is_chained = true;
    for (uint32_t n; (n = run_walk_next(&walk, groups_next_chain(list, RUN_MOST_PARTS)));)
        groups_add_chain(list, walk.order, n);
    return true;
}

bool slide_list_touched(const emission *m, const group_list *touched, group_list *list) {
    slides *all = m->w->slides;
    run_walk walk;
    if (!serves(m) || has_few_panes(&m->plan->window)) return false;
    if (!all->knows_wanted) {
        uint32_t count;
        pane *const *panes = table_panes(m->w->tables[m->aggregate], &count);
        groups_list(&all->wanted, panes, count, true, m->b->plan->shards);
        all->knows_wanted = true;
    }
    if (!begin_walk(m, &all->touched, &all->wanted, &ORDER_ALL, &walk)) return false;
    groups_begin(list);
    list->is_chained = true;
    /* the walk has all of them, and those that only other windows tell of */
    uint32_t i = 0;
    while (i < touched->count) {
        entry **chain = groups_next_chain(list, RUN_MOST_PARTS);
        uint32_t n = run_walk_next(&walk, chain);
        const group_item *item = &touched->items[i];
        if (!n) break;
        if (walk.order != item->order || group_compare_keys(chain[0], item->entry)) continue;
        groups_add_chain(list, walk.order, n);
        i++;
    }
    return i == touched->count;
}
