#pragma once
/* Parts that the commands `checkpoint` print alike. thread: main. */
#include "runtime/cli/stored.h"
#include "runtime/flow/progress.h"

/* Print what `out` holds, and free it. */
void show_text(buf *out);

/* `"name":"value"`, with a comma in front unless `out` ends in a bracket. */
void show_json_text(buf *out, const char *name, const char *value);
void show_json_number(buf *out, const char *name, int64_t value);

/* `"name":`, likewise; and `"name":START`, or null where a pane has no time. */
void show_json_name(buf *out, const char *name);
void show_json_start(buf *out, const char *name, int64_t start_ms);

/* Whether a pane begins somewhere: those of operators without windows do not. */
bool show_has_time(int64_t start_ms);

/* The objects: `"objects":[…]`, or a table. */
void show_objects_json(buf *out, const survey *v);
void show_objects(buf *out, const survey *v);

/* What an object holds of progress, and of its batch. `progress`: progress_done. */
typedef struct show_facts {
    progress progress;
    bool has_progress;
    int64_t created_ms;
    uint64_t script_hash;
} show_facts;
err *show_facts_of(image_reader *object, show_facts *facts);

const char *show_kind(pointer_kind kind);
const char *show_role(survey_role role);
