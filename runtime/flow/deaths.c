#include "runtime/flow/deaths.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/base/mem.h"
#include "runtime/flow/poisoned.h"

enum {
    NEAR = 2,
    UNCOMMITTED = 64 + NEAR, /* batches that are done again at most, before the one that died */
};

static const uint64_t MAGIC = 0x6874616564736c31; /* of this layout */

/* The file. Batches are told as their number + 1; 0: none. */
typedef struct page {
    uint64_t magic;
    _Atomic uint64_t inside; /* the batch whose functions are at work */
    uint64_t last;           /* the furthest in which runs ended */
    uint64_t count;          /* so many, one after the other */
} page;

struct deaths {
    page *page; /* mapped */
};

/* What the run before has left. */
static void take_in(page *p) {
    if (p->magic != MAGIC) *p = (page){ .magic = MAGIC };
    uint64_t inside = p->inside;
    if (!inside) return;
    if (inside > p->last + NEAR || inside + NEAR < p->last) p->last = p->count = 0;
    if (inside > p->last) p->last = inside;
    p->count++;
    p->inside = 0;
}

deaths *deaths_open(const sl_plan *plan) {
    char *path = poisoned_path(plan, ".deaths");
    if (!path) return NULL;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    mem_free(path);
    if (fd < 0) return NULL;
    page was = { 0 };
    if (pread(fd, &was, sizeof was, 0) != (ssize_t)sizeof was) was.magic = 0;
    take_in(&was);
    void *at = MAP_FAILED; /* written first: a hole in a file may find no room later */
    if (pwrite(fd, &was, sizeof was, 0) == (ssize_t)sizeof was)
        at = mmap(NULL, sizeof was, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (at == MAP_FAILED) return NULL;
    deaths *d = mem_zalloc(1, sizeof *d);
    d->page = at;
    return d;
}

void deaths_close(deaths *d) {
    if (!d) return;
    munmap(d->page, sizeof *d->page);
    mem_free(d);
}

void deaths_enter(deaths *d, uint64_t batch) {
    if (d) atomic_store_explicit(&d->page->inside, batch + 1, memory_order_release);
}

void deaths_leave(deaths *d, uint64_t batch) {
    if (!d) return;
    page *p = d->page;
    atomic_store_explicit(&p->inside, 0, memory_order_release);
    if (batch + 1 >= p->last || batch + 1 + UNCOMMITTED < p->last) p->last = p->count = 0;
}

uint32_t deaths_of(const deaths *d, uint64_t batch) {
    if (!d || batch >= d->page->last || batch + 1 + NEAR < d->page->last) return 0;
    return d->page->count > UINT32_MAX ? UINT32_MAX : (uint32_t)d->page->count;
}

bool deaths_are_ahead(const deaths *d, uint64_t batch) { return d && batch < d->page->last; }
