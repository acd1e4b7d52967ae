#pragma once
/* The only caller of malloc. Running out of memory ends the process with a message: no caller
 * checks. thread: any. */
#include <stdbool.h>
#include <stddef.h>

/* Allocate `len` bytes, not cleared. Never NULL, also for 0. Owned by the caller: mem_free. */
void *mem_alloc(size_t len) __attribute__((malloc, returns_nonnull));

/* Allocate `count * size` bytes, cleared; an overflow of the product ends the process. */
void *mem_zalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));

/* Resize `memory` (NULL: allocate) to `len` bytes. */
void *mem_realloc(void *memory, size_t len) __attribute__((returns_nonnull));

/* Copy `len` bytes of `text` and end them with a NUL. */
char *mem_copy_text(const char *text, size_t len) __attribute__((malloc, returns_nonnull));

/* Allocate `len` bytes at an address that is a multiple of `align` (a power of two), not cleared.
 */
void *mem_alloc_aligned(size_t align, size_t len) __attribute__((malloc, returns_nonnull));

/* End the process where a library got none; `len`: how much it wanted. */
void mem_exhausted(size_t len) __attribute__((noreturn));

/* Free what any of the above gave. NULL is allowed. */
void mem_free(void *memory);

/* Free memory that the allocator keeps for this thread, or for later, goes back to the system.
 * Milliseconds. */
void mem_release(void);

/* Whether a sanitizer watches over what is allocated here. */
bool mem_is_checked(void);
