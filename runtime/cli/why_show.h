#pragma once
/* What `sluice why` says, for people and for programs. thread: main. */
#include "runtime/cli/why_facts.h"
#include "runtime/cli/why_find.h"

typedef struct why_shown {
    const char *pipeline, *what; /* its name; the record as asked for */
    const why_found *found;
    why_facts *facts;  /* WHY_READ: filled */
    const pipeline *p; /* as far as batches were done again; NULL: none was */
    uint64_t done;     /* batches of the pipeline */
} why_shown;

void why_put_text(const why_shown *w, buf *out);
void why_put_json(const why_shown *w, buf *out);
