#include "runtime/base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void mem_exhausted(size_t len) {
    fprintf(stderr, "sluice: out of memory: %zu bytes were asked for\n", len);
    abort();
}

static void *need(void *memory, size_t len) {
    if (!memory) mem_exhausted(len);
    return memory;
}

void *mem_alloc(size_t len) { return need(malloc(len ? len : 1), len); }

void *mem_zalloc(size_t count, size_t size) {
    return need(calloc(count ? count : 1, size ? size : 1),
                count > SIZE_MAX / (size ? size : 1) ? SIZE_MAX : count * size);
}

void *mem_realloc(void *memory, size_t len) { return need(realloc(memory, len ? len : 1), len); }

char *mem_copy_text(const char *text, size_t len) {
    char *copy = mem_alloc(len + 1);
    if (len) memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

void *mem_alloc_aligned(size_t align, size_t len) {
    size_t rounded = (len + align - 1) & ~(align - 1);
    return need(aligned_alloc(align, rounded ? rounded : align), len);
}

void mem_free(void *memory) { free(memory); }

/* tcmalloc's; sanitized builds have another allocator. */
extern __attribute__((weak)) void MallocExtension_MarkThreadIdle(void);
extern __attribute__((weak)) void MallocExtension_ReleaseFreeMemory(void);

bool mem_is_checked(void) { return !MallocExtension_ReleaseFreeMemory; }

void mem_release(void) {
    if (!MallocExtension_MarkThreadIdle || !MallocExtension_ReleaseFreeMemory) return;
    MallocExtension_MarkThreadIdle();
    MallocExtension_ReleaseFreeMemory();
}
