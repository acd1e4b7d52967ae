/* DESIGN. One lock, taken twice a turn: a turn is a chunk's, a tenth of a millisecond and more.
 * Chunks lie in a ring by number; places are handed out last come first, since the one that was
 * given back last is in somebody's cache, mostly of the one that cuts next.
 *
 * Rejected: phases with everyone waiting at their ends. Twice a round someone is late, and a row
 * that was prepared by one was folded half the time by another, out of its cache. */
#include "runtime/flow/turns.h"

#include <pthread.h>

#include "runtime/base/mem.h"

enum { NONE = UINT32_MAX };

typedef enum slot_state {
    AT_FUNCTIONS, /* somebody works on them */
    AT_SHARES,    /* some have it still to come, or at work */
    AT_ADVANCE,   /* functions of the next level are to be done */
    AT_END,       /* to be collected */
    FAILED,
} slot_state;

typedef struct slot {
    slot_state state;
    uint32_t place, level;
    uint32_t left; /* shares that have not done the level */
    uint32_t by;   /* worker whose cache it is in */
} slot;

/* One share: what it comes to next. */
typedef struct share {
    bool is_busy;
    uint64_t *next; /* by level: number of a chunk; owned */
} share;

struct turns {
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t moved;
    uint32_t waiting;
    slot *slots; /* by number % places; owned */
    uint32_t *free_places, free_count;
    uint32_t places;
    share *shares;                /* owned */
    uint32_t share_count, active; /* all; those of the running walk */
    uint32_t depth, level_room;
    turns_cut *cut_chunk;
    void *arg;
    bool has_more; /* to be cut */
    bool is_collecting;
    uint64_t cut, collected; /* how many */
    uint64_t failed;         /* the first that failed; UINT64_MAX: none */
};

turns *turns_new(uint32_t places, uint32_t shares) {
    turns *t = mem_zalloc(1, sizeof *t);
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->moved, NULL);
    t->places = places;
    t->slots = mem_zalloc(places, sizeof *t->slots);
    t->free_places = mem_zalloc(places, sizeof *t->free_places);
    t->share_count = shares;
    t->shares = mem_zalloc(shares, sizeof *t->shares);
    return t;
}

void turns_free(turns *t) {
    if (!t) return;
    for (uint32_t s = 0; s < t->share_count; s++) mem_free(t->shares[s].next);
    mem_free(t->shares);
    mem_free(t->slots);
    mem_free(t->free_places);
    pthread_cond_destroy(&t->moved);
    pthread_mutex_destroy(&t->lock);
    mem_free(t);
}

static void begin_shares(turns *t) {
    for (uint32_t s = 0; s < t->share_count; s++) {
        share *one = &t->shares[s];
        if (t->depth >= t->level_room)
            one->next = mem_realloc(one->next, (t->depth + 1) * sizeof *one->next);
        for (uint32_t l = 0; l <= t->depth; l++) one->next[l] = 0;
        one->is_busy = false;
    }
    if (t->depth >= t->level_room) t->level_room = t->depth + 1;
}

void turns_begin(turns *t, uint32_t depth, bool has_state, turns_cut *cut, void *arg) {
    t->depth = depth;
    t->active = has_state ? t->share_count : 0;
    begin_shares(t);
    t->cut_chunk = cut;
    t->arg = arg;
    t->has_more = true;
    t->is_collecting = false;
    t->cut = t->collected = 0;
    t->failed = UINT64_MAX;
    t->free_count = t->places;
    for (uint32_t i = 0; i < t->places; i++) t->free_places[i] = t->places - 1 - i;
}

static slot *slot_of(const turns *t, uint64_t number) { return &t->slots[number % t->places]; }

static void fill(const turns *t, turn *out, turn_kind kind, uint64_t number) {
    const slot *s = slot_of(t, number);
    *out = (turn){ .kind = kind, .place = s->place, .level = s->level, .number = number };
}

static bool pick_collect(turns *t, turn *out) {
    if (t->is_collecting || t->collected == t->cut || t->collected >= t->failed) return false;
    if (slot_of(t, t->collected)->state != AT_END) return false;
    t->is_collecting = true;
    fill(t, out, TURN_COLLECT, t->collected);
    return true;
}

/* The next chunk of share `number` at a level, if its time has come. */
static bool pick_at(turns *t, uint32_t number, uint32_t level, uint32_t by, turn *out) {
    uint64_t next = t->shares[number].next[level];
    if (next >= t->cut || next > t->failed) return false;
    const slot *s = slot_of(t, next);
    if (s->state != AT_SHARES || s->level != level) return false;
    if (by != NONE && s->by != by) return false;
    t->shares[number].is_busy = true;
    fill(t, out, TURN_SHARE, next);
    out->share = number;
    return true;
}

/* `by`: only chunks in the cache of that worker. */
static bool pick_share(turns *t, uint32_t worker, uint32_t by, turn *out) {
    for (uint32_t k = 0; k < t->active; k++) {
        uint32_t number = (worker + k) % t->active;
        if (t->shares[number].is_busy) continue;
        for (uint32_t level = 0; level <= t->depth; level++)
            if (pick_at(t, number, level, by, out)) return true;
    }
    return false;
}

static bool pick_advance(turns *t, uint32_t worker, turn *out) {
    if (!t->depth) return false;
    for (uint64_t n = t->collected; n < t->cut && n < t->failed; n++) {
        slot *s = slot_of(t, n);
        if (s->state != AT_ADVANCE) continue;
        s->state = AT_FUNCTIONS;
        s->by = worker;
        fill(t, out, TURN_FUNCTIONS, n);
        return true;
    }
    return false;
}

static bool pick_cut(turns *t, uint32_t worker, turn *out) {
    if (!t->has_more || t->failed != UINT64_MAX || !t->free_count) return false;
    uint32_t place = t->free_places[t->free_count - 1];
    t->has_more = t->cut_chunk(t->arg, place);
    if (!t->has_more) return false;
    t->free_count--;
    *slot_of(t, t->cut) = (slot){ .state = AT_FUNCTIONS, .place = place, .by = worker };
    fill(t, out, TURN_FUNCTIONS, t->cut++);
    return true;
}

/* Nothing is to come; others may still be at work. */
static bool is_over(const turns *t) {
    if (t->has_more && t->failed == UINT64_MAX) return false;
    uint64_t end = t->cut < t->failed ? t->cut : t->failed;
    if (t->collected < end) return false;
    return t->failed >= t->cut || slot_of(t, t->failed)->state == FAILED;
}

bool turns_take(turns *t, uint32_t worker, turn *out) {
    bool has_turn = false;
    pthread_mutex_lock(&t->lock);
    for (;;) {
        has_turn = pick_collect(t, out) || pick_share(t, worker, worker, out) ||
                   pick_advance(t, worker, out) || pick_cut(t, worker, out) ||
                   pick_share(t, worker, NONE, out);
        if (has_turn || is_over(t)) break;
        t->waiting++;
        pthread_cond_wait(&t->moved, &t->lock);
        t->waiting--;
    }
    pthread_mutex_unlock(&t->lock);
    return has_turn;
}

/* A chunk has been through all of a level. */
static void leave_level(const turns *t, slot *s) {
    s->state = s->level < t->depth ? AT_ADVANCE : AT_END;
    if (s->level < t->depth) s->level++;
}

static void functions_done(turns *t, slot *s) {
    s->left = t->active;
    if (s->left)
        s->state = AT_SHARES;
    else
        leave_level(t, s);
}

static void share_done(turns *t, const turn *of, slot *s) {
    share *one = &t->shares[of->share];
    one->is_busy = false;
    one->next[of->level]++;
    if (--s->left) return;
    if (of->number < t->failed)
        leave_level(t, s);
    else
        s->state = FAILED;
}

static void collect_done(turns *t, const slot *s) {
    t->is_collecting = false;
    t->collected++;
    t->free_places[t->free_count++] = s->place;
}

void turns_done(turns *t, const turn *of, bool failed) {
    pthread_mutex_lock(&t->lock);
    slot *s = slot_of(t, of->number);
    if (failed && of->number < t->failed) t->failed = of->number;
    switch (of->kind) {
    case TURN_FUNCTIONS:
        if (failed)
            s->state = FAILED;
        else
            functions_done(t, s);
        break;
    case TURN_SHARE: share_done(t, of, s); break;
    case TURN_COLLECT: collect_done(t, s); break;
    }
    if (t->waiting) pthread_cond_broadcast(&t->moved);
    pthread_mutex_unlock(&t->lock);
}
