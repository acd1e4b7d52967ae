#pragma once
/* Paths of a file source: each as it is, or a pattern (`*`, `?`, `[…]`) that stands for files it
 * matches, by name. thread: any. */
#include <stdbool.h>
#include <stdint.h>

#include "runtime/shared/types.h"

typedef struct file_list {
    char **items; /* owned */
    uint32_t count, room;
} file_list;

/* Append what `paths` (a text, or a list of texts) stands for now, each file once, directories left
 * out; paths that are no patterns are taken whether there is such a file or not. A pattern never
 * means what lies at a path of `without` (a list, or NULL), or in such a directory. */
void file_list_expand(file_list *list, const sl_value *paths, const sl_value *without);
void file_list_done(file_list *list);
