#pragma once
/* Writing to a file that is new. thread: any. */
#include <stddef.h>

/* Write all of it, at the file's end. Large memory that begins at a page goes past the page cache
 * where the file system can do that: copying it there costs more than all else that stores it, and
 * what is stored is read once, after a crash. 0, or -1 and errno. */
int file_write(int fd, const void *bytes, size_t len);
