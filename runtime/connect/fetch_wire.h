#pragma once
/* Requests and answers of Kafka's protocol, as far as reading records needs them: ApiVersions 0 and
 * Fetch 11 (Kafka 2.3 and later), without fetch sessions. Numbers are big-endian; what comes is
 * read with bounds. thread: any. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/buf.h"

enum {
    WIRE_FETCH = 1,
    WIRE_API_VERSIONS = 18,
    WIRE_FETCH_VERSION = 11,
};

/* -- reading */

/* What is left of an answer. Beyond the end everything is 0 and `is_short` is set. */
typedef struct wire_reader {
    const char *at, *end;
    bool is_short;
} wire_reader;

int8_t wire_int8(wire_reader *r);
int16_t wire_int16(wire_reader *r);
int32_t wire_int32(wire_reader *r);
int64_t wire_int64(wire_reader *r);

/* So many bytes; `*len` 0 and NULL when they are not there. */
const char *wire_bytes(wire_reader *r, int64_t len);

/* A list of topics with partitions in each, as most answers have it: reads up to what stands behind
 * a partition's number place by place. */
typedef struct wire_topics {
    wire_reader in;
    int32_t topics, partitions; /* left to be read */
    const char *topic;          /* borrowed; not NUL-terminated */
    int32_t topic_len;
} wire_topics;

/* The list begins where `in` stands. */
wire_topics wire_topics_open(wire_reader in);

/* On to the next partition, whose number is read next; false: there is none, or the list is cut
 * short. */
bool wire_topics_next(wire_topics *t);

/* -- requests: the whole frame, its length in front */

/* Parts of one. A frame begins with its head and is ended at last; `client` may be empty. */
void wire_put_int8(buf *out, int8_t number);
void wire_put_int16(buf *out, int16_t number);
void wire_put_int32(buf *out, int32_t number);
void wire_put_int64(buf *out, int64_t number);
void wire_put_text(buf *out, const char *text);
void wire_put_head(buf *out, int16_t api, int16_t version, int32_t id, const char *client);
void wire_end_frame(buf *out);

/* Write `number` of so many bytes where it belongs. */
void wire_write_at(char *to, uint64_t number, int bytes);

/* Of the version 0; `client` may be empty. */
void wire_put_api_versions(buf *out, int32_t id, const char *client);

/* Whether an ApiVersions answer has this version of a request. `*most`: the highest of it. */
bool wire_has(wire_reader *r, int16_t api, int16_t version, int16_t *most);

typedef struct wire_fetch {
    int32_t id;         /* of the request, comes back with the answer */
    const char *client; /* its name */
    int32_t wait_ms;    /* for `min_bytes` */
    int32_t min_bytes, max_bytes;
    bool is_committed; /* read_committed */
} wire_fetch;

/* Begin a Fetch request in the empty `out`; add partitions, those of a topic one behind the other;
 * end it. */
typedef struct wire_fetch_writer {
    buf *out;
    size_t topics_at;     /* where the number of topics goes */
    size_t partitions_at; /* likewise of the partitions of the last one */
    int32_t topics, partitions;
} wire_fetch_writer;

wire_fetch_writer wire_fetch_begin(buf *out, const wire_fetch *head);
void wire_fetch_topic(wire_fetch_writer *w, const char *topic);
void wire_fetch_partition(wire_fetch_writer *w, int32_t number, int64_t offset, int32_t max_bytes);
void wire_fetch_end(wire_fetch_writer *w);

/* -- the answer of Fetch */

/* A partition in it. */
typedef struct wire_partition {
    const char *topic; /* borrowed, as all that follows; not NUL-terminated */
    int32_t topic_len;
    int32_t number;
    int16_t code;        /* error of Kafka; 0: none */
    int64_t high;        /* high watermark; -1 with an error */
    int64_t stable;      /* last stable offset; -1 likewise */
    const char *aborted; /* pairs of producer id and first offset, wire_aborted reads them */
    int32_t aborted_count;
    const char *records; /* record batches, the last may be cut short */
    int32_t records_len;
} wire_partition;

/* Reads an answer partition by partition. */
typedef struct wire_fetch_reader {
    wire_topics list;
    int16_t code;        /* of the whole answer; then there is nothing else */
    int32_t throttle_ms; /* the leader wants so long a pause */
} wire_fetch_reader;

/* `answer`: behind the correlation id. */
wire_fetch_reader wire_fetch_open(const char *answer, size_t len);

/* The next partition; false: there is none, or (list.in.is_short) the answer makes no sense. */
bool wire_fetch_next(wire_fetch_reader *r, wire_partition *p);

typedef struct wire_aborted {
    int64_t producer, first; /* the transaction's first offset in the partition */
} wire_aborted;

wire_aborted wire_aborted_at(const wire_partition *p, int32_t index);
