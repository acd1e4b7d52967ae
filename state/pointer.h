#pragma once
/* The text that is committed with the offsets and names the state that belongs to them. Under 100
 * bytes of printable ASCII:
 *
 *   S1 <kind> <batch> <partitions> <id> <crc>
 *   S1 d 42 12 9f0c1a2b3c4d5e6f708192a3b4c5d6e7 f854b435
 *
 * `S1`: magic and version. kind: g genesis (nothing was processed, there is no object), d a delta,
 * f a full object. batch: number of the next one. partitions: for how many marks it was committed.
 * id: 128 random bits; with the batch the object's name. crc: CRC-32C of all before it, 8 hex. */
#include <stdbool.h>
#include <stdint.h>

#include "runtime/shared/ledger.h"

typedef enum pointer_kind { POINTER_GENESIS = 'g',
                            POINTER_DELTA = 'd',
                            POINTER_FULL = 'f' } pointer_kind;

typedef struct pointer {
    pointer_kind kind;
    uint64_t batch;      /* number of the next batch: as many are done */
    uint32_t partitions; /* marks it is committed with */
    char id[33];         /* lower-case hex, with the NUL */
} pointer;

typedef enum pointer_fault {
    POINTER_OK = 0,
    POINTER_EMPTY,   /* "": somebody else committed (a reset tool, another consumer) */
    POINTER_FOREIGN, /* not ours */
    POINTER_NEWER,   /* ours, of a version that this program does not know */
    POINTER_DAMAGED, /* the checksum is wrong, or it is cut */
} pointer_fault;

/* A pointer with a new id. */
pointer pointer_new(pointer_kind kind, uint64_t batch, uint32_t partitions);

void pointer_write(const pointer *p, char text[SL_POINTER_BYTES]);
pointer_fault pointer_read(const char *text, pointer *p);

/* The object's name: "state/000000000042-9f0c….delta"; genesis: "". */
void pointer_object(const pointer *p, char name[96]);
