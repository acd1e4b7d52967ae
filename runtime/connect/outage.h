#pragma once
/* Outages of brokers as a pipeline sees them: each of its clients notices for itself, people want
 * to read of it once. A client says when it loses its brokers and when they are back; the first
 * word of a cluster begins an outage, the last end ends it. thread: any. */
#include <stdbool.h>
#include <stdint.h>

typedef struct outages outages;

outages *outages_new(void);
void outages_free(outages *o); /* NULL is allowed */

/* What the loss that a client tells of is. */
typedef enum outage_kind {
    OUTAGE_NEWS,  /* the first word of an outage */
    OUTAGE_KNOWN, /* others have said so */
    OUTAGE_OVER,  /* the tail of one that ended a moment ago: not counted, tell again if it lasts */
} outage_kind;

/* A client of `brokers` has lost them. `o` NULL: news. */
outage_kind outages_begin(outages *o, const char *brokers, int64_t now_ms);

/* They are back for a client that had lost them; true: for all now. `since_ms`: in, when this
 * client lost them; out, when the first did. `o` NULL: true. */
bool outages_end(outages *o, const char *brokers, int64_t now_ms, int64_t *since_ms);
