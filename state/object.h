#pragma once
/* One object of a chain, read whole: found, put together of its parts, and held to what its
 * pointer says. thread: any. */
#include "state/image.h"
#include "state/pointer.h"
#include "state/prefetch.h"
#include "state/store.h"

/* Read the object that `p` (no genesis) names. `ahead`: where it may be on its way already, or
 * NULL. `bytes`: of all its parts. ERR_REFUSED: it is missing or damaged, or not the object of that
 * batch; says which. ERR_IO: the store does not answer. */
err *object_read(store *s, const char *pipeline, const pointer *p, prefetch *ahead,
                 image_reader **r, size_t *bytes);

/* An object whose parts behind the first are read when the reader turns to them. */
typedef struct object_parts object_parts;

/* As object_read, but only the first part is read and checked. `later`: where the others come from,
 * to be closed behind the reader; NULL: there are none. */
err *object_open(store *s, const char *pipeline, const pointer *p, prefetch *ahead,
                 image_reader **r, object_parts **later);

/* The other parts will be asked for soon, in order: begin to fetch them. */
void object_expect(object_parts *later);
void object_parts_close(object_parts *later);

/* The pointer that the object behind `p` follows. ERR_REFUSED: it names none, or one that is not
 * of the batch before. */
err *object_parent(const image_reader *r, const char *pipeline, const pointer *p, pointer *parent);

/* The record of its batch, which stands in the first part; `len` 0: it has none. Borrowed from
 * `r`, which is rewound. */
const char *object_record(image_reader *r, size_t *len);

/* Write it: the parts behind the first, then the first, so that an object is there when that is.
 * Each is a new object; ERR_IO as the store says. */
err *object_write(store *s, const char *pipeline, const pointer *p, image *m);

/* Remove what there may be of it, the first part first. */
err *object_remove(store *s, const char *pipeline, const pointer *p, uint32_t parts);
