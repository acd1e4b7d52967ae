#pragma once
/* A note of what was committed: the pointer, and how far each partition is read. The text of a
 * commit in the store's ledger, of the head's copy, and of an exported checkpoint:
 *
 *   sluice note 1
 *   written 1795604400000
 *   pointer S1 d 42 12 9f0c1a2b3c4d5e6f708192a3b4c5d6e7 1c291ca3
 *   mark 128005 0 ride_events            offset, partition, topic
 *   end 3f0a9c1e55d0b7a2                 XXH3 (64 bits) of all before this line
 *
 * In a topic (or path) `%`, blanks and control characters are written %XX. */
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/shared/ledger.h"

typedef struct commit_note {
    int64_t written_ms; /* wall clock of whoever wrote it */
    char pointer[SL_POINTER_BYTES];
    sl_committed *items; /* owned; each with the pointer */
    uint32_t count;
    char *topics; /* owned: the bytes of all topics */
} commit_note;

void note_write(buf *out, const char *pointer, int64_t now_ms, const sl_mark *marks,
                uint32_t count);

/* `name`: of the object, for messages. ERR_REFUSED: it is damaged, of a newer version, or none. */
err *note_read(const char *name, const buf *text, commit_note *n);
void note_done(commit_note *n);
