#pragma once
/* Stores "memory:NAME" for tests and the kit: one a name and process, there until it is removed, so
 * that a pipeline that "died" finds its objects again. thread: any. */
#include <stdbool.h>
#include <stdint.h>

/* Forget the store of this name, its objects and faults. No handle on it may be open. */
void store_memory_remove(const char *name);

enum store_memory_fault {
    STORE_FAULT_BEFORE = 1, /* the put fails, nothing is written */
    STORE_FAULT_AFTER,      /* it is written, but the answer is lost */
    STORE_FAULT_FOR_GOOD,   /* as BEFORE, and no try again will help: not retriable */
};

/* Let puts fail with an ERR_IO, retriable but for the last kind: the `nth` from now (1: the next
 * one) and as many more as make `count`. The store is made where there is none. `nth` 0: no more
 * faults. */
void store_memory_fail(const char *name, uint32_t nth, uint32_t count, int32_t fault);

/* How many puts have been asked for, failed ones too. */
uint64_t store_memory_puts(const char *name);
