#include "runtime/script/traces.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "runtime/base/mem.h"

/* DESIGN. On x86-64 LuaJIT writes a guard as `jcc rel32` (0F 8x) to an exit stub; a guard from
 * which a side trace goes on has its target replaced later, so the stub's distance is kept here
 * from the start. `90 E9 rel32` (nop, jmp) takes the same six bytes and always exits. The last
 * guard of a loop may be turned round: `jcc` to the loop's start, then `jmp` to the stub; that jcc
 * becomes nops. (lj_asm_x86.h: asm_guardcc, asm_loop_fixup, lj_asm_patchexit.)
 *
 * An exit that the program did not ask for may lead to the wrong side of a branch. That is why
 * guards are broken only while a hook stands that throws before the first instruction behind it.
 * The code is written by the thread that runs it, in a signal handler, and only when that thread
 * is in it: then LuaJIT is not compiling, and its pages are executable and nothing else. */

enum { GROUP = 32, /* exits a stub address stands for, 4 bytes each */
       STUB_BYTES = 4,
       GUARD_BYTES = 6, /* of jcc rel32 */
       SHORT_BYTES = 2, /* of jcc rel8 */
       JUMP_BYTES = 5,  /* of jmp rel32 */
       SIGNAL_OFFSET = 4 };

typedef enum patch_kind { PATCH_GUARD, /* always exit, over `distance` */
                          PATCH_JUMP,  /* the jmp behind a loop: back to its stub */
                          PATCH_NEAR,  /* six bytes of nothing */
                          PATCH_SHORT /* two */ } patch_kind;

typedef struct patch {
    uint32_t at; /* in the code */
    int32_t distance;
    patch_kind kind;
} patch;

typedef struct trace {
    uintptr_t code;
    size_t len;
    char *place;    /* owned */
    patch *patches; /* owned */
    uint32_t patch_count;
} trace;

struct traces {
    const atomic_int *is_over;        /* borrowed */
    volatile sig_atomic_t was_broken; /* 1 + the trace that was found running; 0: none was */
    trace *items;                     /* owned */
    uint32_t count, room;
};

#if defined __x86_64__ && !defined __SANITIZE_THREAD__

static int signal_number(void) { return SIGRTMIN + SIGNAL_OFFSET; }

/* 1 + the trace that holds an address; 0: none does. */
static uint32_t find_trace(const traces *t, uintptr_t at) {
    for (uint32_t i = 0; i < t->count; i++)
        if (at >= t->items[i].code && at - t->items[i].code < t->items[i].len) return i + 1;
    return 0;
}

static void apply(unsigned char *at, const patch *p) {
    static const unsigned char NEAR[] = { 0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00 };
    static const unsigned char SHORT[] = { 0x66, 0x90 };
    switch (p->kind) {
    case PATCH_GUARD:
        at[0] = 0x90;
        at[1] = 0xe9;
        memcpy(at + 2, &p->distance, sizeof p->distance);
        return;
    case PATCH_JUMP: memcpy(at + 1, &p->distance, sizeof p->distance); return;
    case PATCH_NEAR: memcpy(at, NEAR, sizeof NEAR); return;
    case PATCH_SHORT: memcpy(at, SHORT, sizeof SHORT); return;
    }
}

static void break_trace(const trace *x) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = x->code / page * page, to = (x->code + x->len + page - 1) / page * page;
    if (mprotect((void *)from, to - from, PROT_READ | PROT_WRITE)) return;
    for (uint32_t i = 0; i < x->patch_count; i++)
        apply((unsigned char *)x->code + x->patches[i].at, &x->patches[i]);
    mprotect((void *)from, to - from, PROT_READ | PROT_EXEC);
}

/* Async-signal-safe: reads what traces_add wrote on this same thread, which is in the code now. */
static void on_signal(int number, siginfo_t *info, void *context) {
    (void)number;
    traces *t = info->si_value.sival_ptr;
    const ucontext_t *at = context;
    if (info->si_code != SI_QUEUE || !*t->is_over || t->was_broken) return;
    uint32_t found = find_trace(t, (uintptr_t)at->uc_mcontext.gregs[REG_RIP]);
    if (!found) return;
    t->was_broken = (sig_atomic_t)found;
    for (uint32_t i = 0; i < t->count; i++) break_trace(&t->items[i]);
}

static void install(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    sigaction(signal_number(), &action, NULL);
}

void traces_interrupt(traces *t, pthread_t thread) {
    pthread_sigqueue(thread, signal_number(), (union sigval){ .sival_ptr = t });
}

#else

static void install(void) {}

void traces_interrupt(traces *t, pthread_t thread) {
    (void)t;
    (void)thread;
}

#endif

traces *traces_new(const atomic_int *is_over) {
    traces *t = mem_zalloc(1, sizeof *t);
    t->is_over = is_over;
    install();
    return t;
}

void traces_clear(traces *t) {
    for (uint32_t i = 0; i < t->count; i++) {
        mem_free(t->items[i].patches);
        mem_free(t->items[i].place);
    }
    t->count = 0;
}

void traces_free(traces *t) {
    if (!t) return;
    traces_clear(t);
    mem_free(t->items);
    mem_free(t);
}

const char *traces_place(const traces *t) {
    return t->was_broken ? t->items[t->was_broken - 1].place : "";
}

bool traces_were_broken(traces *t) {
    bool was = t->was_broken;
    t->was_broken = 0;
    return was;
}

/* -- finding guards */

typedef struct finder {
    trace *x;
    const unsigned char *code;
    const uintptr_t *stubs;
    uint32_t exit_count, room;
} finder;

static void add_patch(finder *f, patch_kind kind, size_t at, int32_t distance) {
    trace *x = f->x;
    if (x->patch_count == f->room) {
        f->room = f->room ? 2 * f->room : 16;
        x->patches = mem_realloc(x->patches, f->room * sizeof *x->patches);
    }
    x->patches[x->patch_count++] = (patch){ (uint32_t)at, distance, kind };
}

static int32_t distance_at(const finder *f, size_t at) {
    int32_t distance;
    memcpy(&distance, f->code + at, sizeof distance);
    return distance;
}

/* Whether a jump that ends at `end` goes to an exit stub. */
static bool is_exit(const finder *f, size_t end, int32_t distance) {
    uintptr_t to = f->x->code + end + (uintptr_t)(intptr_t)distance;
    for (uint32_t first = 0; first < f->exit_count; first += GROUP) {
        uintptr_t from = f->stubs[first / GROUP];
        if (to >= from && to - from < GROUP * STUB_BYTES && (to - from) % STUB_BYTES == 0)
            return true;
    }
    return false;
}

static bool is_near_jcc(const finder *f, size_t at) {
    return f->code[at] == 0x0f && (f->code[at + 1] & 0xf0) == 0x80;
}

/* Whether a jump that ends at `end` goes back to where the loop begins, or near to it. */
static bool is_back(size_t end, int32_t distance, size_t loop) {
    int64_t to = (int64_t)end + distance - (int64_t)loop;
    return to >= -2 * GUARD_BYTES && to <= 2 * GUARD_BYTES;
}

/* Jumps back to the loop's start right in front of the last jump, and that one. */
static bool find_turned(finder *f, size_t loop) {
    size_t end = f->x->len - JUMP_BYTES;
    bool is_turned = f->x->len > JUMP_BYTES && f->code[end] == 0xe9 &&
                     is_exit(f, f->x->len, distance_at(f, end + 1));
    if (!is_turned) return false;
    add_patch(f, PATCH_JUMP, end, distance_at(f, end + 1));
    for (int i = 0; i < 2; i++) { /* two where a comparison may be unordered */
        bool is_near = end >= loop + GUARD_BYTES && is_near_jcc(f, end - GUARD_BYTES) &&
                       is_back(end, distance_at(f, end - 4), loop);
        bool is_short = end >= loop + SHORT_BYTES && (f->code[end - SHORT_BYTES] & 0xf0) == 0x70 &&
                        is_back(end, (int8_t)f->code[end - 1], loop);
        if (is_near)
            add_patch(f, PATCH_NEAR, end -= GUARD_BYTES, 0);
        else if (is_short)
            add_patch(f, PATCH_SHORT, end -= SHORT_BYTES, 0);
    }
    return true;
}

bool traces_add(traces *t, uintptr_t code, size_t len, size_t loop, uint32_t exit_count,
                const uintptr_t *stubs, const char *place) {
    if (t->count == t->room) {
        t->room = t->room ? 2 * t->room : 64;
        t->items = mem_realloc(t->items, t->room * sizeof *t->items);
    }
    trace *x = &t->items[t->count++];
    *x = (trace){ .code = code, .len = len, .place = mem_copy_text(place, strlen(place)) };
    finder f = { .x = x, .stubs = stubs, .exit_count = exit_count };
    f.code = (const unsigned char *)code;
    bool ends = false;
    for (size_t at = 0; at + GUARD_BYTES <= len; at++) {
        if (!is_near_jcc(&f, at) || !is_exit(&f, at + GUARD_BYTES, distance_at(&f, at + 2)))
            continue;
        add_patch(&f, PATCH_GUARD, at, distance_at(&f, at + 2));
        ends |= at >= loop;
    }
    bool is_turned = loop && find_turned(&f, loop);
    return ends || is_turned || !loop;
}
