#pragma once
/* Calls of the file system that fail as told (a power cut is tests/torture/powercut.py). Linked
 * into a unit test, or loaded before libc (LD_PRELOAD=build/release/libfile_faults.so).
 *
 * Only paths below SLUICE_FAULTS_UNDER (a folder without links in its path) are looked at.
 *
 *   SLUICE_FILE_FAULTS=CALL:WHEN:WHAT[,..]
 *
 *   CALL   open (for writing) write sync rename link mkdir (of what is not there) unlink
 *   WHEN   N: the N-th call; N+M: it and the M behind it; @PATH: all while there is a file PATH
 *   WHAT   EIO ENOSPC EDQUOT EINTR EROFS EPERM; short: of a write, half of it is done; skip: a
 *          sync does nothing, and says that it did */
#include <stdbool.h>
#include <stdint.h>

/* In place of SLUICE_FILE_FAULTS; NULL: none. Counts begin anew. Not while calls are under way. */
void file_faults_set(const char *text);

/* No more faults; what was counted and seen stays. */
void file_faults_clear(void);

/* In place of SLUICE_FAULTS_UNDER. */
void file_faults_watch(const char *folder);

typedef struct file_faults_seen {
    uint32_t hits;     /* calls that were let fail */
    uint32_t resynced; /* syncs of a file whose sync had failed, or of a folder that did not
                          change since: what they say is worth nothing */
    uint32_t unsynced; /* files renamed or linked whose bytes were not synced since written */
} file_faults_seen;

/* Since file_faults_set. */
file_faults_seen file_faults_look(void);
