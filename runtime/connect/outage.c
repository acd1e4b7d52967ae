#include "runtime/connect/outage.h"

#include <pthread.h>
#include <string.h>

#include "runtime/base/mem.h"

/* Connections wait before they try again, so that some clients find the way back later than others.
 */
enum { TAIL_MS = 5000 };

/* A cluster, by its brokers as the script names them. */
typedef struct outage {
    struct outage *next;
    char *brokers;    /* owned */
    int64_t since_ms; /* steady time of the first loss */
    int64_t ended_ms; /* of the last outage; 0: there was none */
    uint32_t clients; /* that miss it now */
} outage;

struct outages {
    pthread_mutex_t lock; /* guards the list */
    outage *first;        /* owned */
};

outages *outages_new(void) {
    outages *o = mem_zalloc(1, sizeof *o);
    pthread_mutex_init(&o->lock, NULL);
    return o;
}

void outages_free(outages *o) {
    if (!o) return;
    for (outage *at = o->first; at;) {
        outage *next = at->next;
        mem_free(at->brokers);
        mem_free(at);
        at = next;
    }
    pthread_mutex_destroy(&o->lock);
    mem_free(o);
}

/* Lock held. */
static outage *of_brokers(outages *o, const char *brokers) {
    outage *at = o->first;
    while (at && strcmp(at->brokers, brokers) != 0) at = at->next;
    if (at) return at;
    at = mem_zalloc(1, sizeof *at);
    at->brokers = mem_copy_text(brokers, strlen(brokers));
    at->next = o->first;
    return o->first = at;
}

outage_kind outages_begin(outages *o, const char *brokers, int64_t now_ms) {
    if (!o) return OUTAGE_NEWS;
    pthread_mutex_lock(&o->lock);
    outage *at = of_brokers(o, brokers);
    outage_kind kind = OUTAGE_KNOWN;
    if (!at->clients)
        kind = at->ended_ms && now_ms - at->ended_ms < TAIL_MS ? OUTAGE_OVER : OUTAGE_NEWS;
    if (kind == OUTAGE_NEWS) at->since_ms = now_ms;
    if (kind != OUTAGE_OVER) at->clients++;
    pthread_mutex_unlock(&o->lock);
    return kind;
}

bool outages_end(outages *o, const char *brokers, int64_t now_ms, int64_t *since_ms) {
    if (!o) return true;
    pthread_mutex_lock(&o->lock);
    outage *at = of_brokers(o, brokers);
    bool is_last = at->clients > 0 && --at->clients == 0;
    if (is_last) at->ended_ms = now_ms;
    *since_ms = at->since_ms;
    pthread_mutex_unlock(&o->lock);
    return is_last;
}
