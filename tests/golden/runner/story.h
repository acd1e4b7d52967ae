#pragma once
/* A golden file: cases, each a list of sections. See docs/testing.md for the format.
 *
 *   === NAME            a case begins (a file without it is one case)
 *   --- TITLE WORDS     a section of the case; what stands before the first case is for all of them
 *
 * One owner; thread: main. */
#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/buf.h"

typedef struct section {
    char *title;    /* first word behind `---`; owned */
    char *words;    /* what follows it, "" if nothing; owned */
    uint32_t line;  /* of the title, from 1 */
    uint32_t first; /* index of its first line in the file's lines */
    uint32_t end;   /* index behind its last line that is not blank */
} section;

typedef struct story_case {
    char *name;          /* owned; "" in a file of one case */
    uint32_t line;       /* where it begins */
    uint32_t first, end; /* its sections */
} story_case;

/* Lines [first, end) of the file are to become `text`. */
typedef struct story_edit {
    uint32_t first, end;
    char *text; /* owned; whole lines */
} story_edit;

typedef struct story {
    char *path;   /* owned */
    char **lines; /* without newline; owned */
    uint32_t line_count;
    section *sections;
    uint32_t section_count;
    story_case *cases;
    uint32_t case_count;
    uint32_t prelude_end; /* sections [0, prelude_end) are for all cases */
    story_edit *edits;
    uint32_t edit_count;
} story;

/* Read a file; false: it could not be read (said on stderr). */
bool story_read(story *s, const char *path);
void story_done(story *s);

/* Ask for a change of the file; `text` is copied. In rising order. */
void story_edit_lines(story *s, uint32_t first, uint32_t end, const char *text);

/* Write the file with all changes. */
bool story_write(const story *s);
