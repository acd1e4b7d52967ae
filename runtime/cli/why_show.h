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
    const char *cut;   /* why it was not followed over the change of the text; NULL: it was */
} why_shown;

/* "late", "closed", "open", "not followed": what became of a window. */
const char *why_state(const why_shown *w, const why_stage *s, const why_window *at);

void why_put_text(const why_shown *w, buf *out);
void why_put_json(const why_shown *w, buf *out);
