#pragma once
/* The state of distincts and the arrays a worker judges rows with; distinct.c alone looks inside.
 * thread: worker. */
#include "state/table.h"

typedef struct judge_space judge_space;

judge_space *judge_space_new(void);
void judge_space_free(judge_space *space);

/* The keys that one distinct has seen. Owned by the caller: table_free. */
table *distinct_table_new(void);
