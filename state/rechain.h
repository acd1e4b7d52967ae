#pragma once
/* A chain under another name: each object is written anew, with what its head says of pipeline and
 * parent changed, and nothing else; but where its sinks stood goes under the old name alone: files
 * are the old pipeline's, which may have gone on, and to begin at those places would cut off what
 * it wrote since. thread: any, one at a time. */
#include "state/object.h"

typedef struct rechain {
    store *store;         /* borrowed; where it goes */
    const char *pipeline; /* borrowed; its new name */
    pointer last;         /* of the object written last */
    bool has_last;
} rechain;

/* Write the next object, oldest first; `p` is what names it now. Then `r->last` names the copy. */
err *rechain_add(rechain *r, image_reader *object, const pointer *p);
