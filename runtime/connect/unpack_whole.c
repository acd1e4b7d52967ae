/* DESIGN. Sizes are not told by all codecs, but batches of a topic are packed much alike: bytes are
 * unpacked into a chunk a little larger than the last one's ratio says, which is given away if it
 * fits well. Else they are copied into one that does. */
#include "runtime/connect/unpack_whole.h"

#include <lz4frame.h>
#include <snappy-c.h>
#include <stdbool.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "runtime/base/mem.h"

enum {
    GZIP_WINDOW = 15 + 16, /* zlib: the largest window, gzip headers only */
    FIRST_BYTES = 64 << 10,
    STEP_BYTES = 128 << 10,
    AROUND_BYTES = 2 * ARENA_PADDING, /* what else is in a chunk */
    XERIAL_HEADER = 16,               /* magic, version, oldest version that can read it */
};

struct unpack_tools {
    arena_chunk *out;   /* while unpacking; owned */
    char *data;         /* what is unpacked */
    size_t head;        /* bytes in front of `data` */
    size_t len, room;   /* of them: used, there are */
    double ratio;       /* of what was unpacked last, to what it was packed into; 0: nothing was */
    size_t most;        /* bytes that `out` may have */
    z_stream gzip;      /* begun if `has_gzip` */
    LZ4F_dctx *lz4;     /* owned; NULL: not yet needed */
    ZSTD_DStream *zstd; /* likewise */
    bool has_gzip;
};

unpack_tools *unpack_tools_new(void) {
    return mem_zalloc(1, sizeof(unpack_tools));
}

void unpack_tools_free(unpack_tools *t) {
    if (!t) return;
    if (t->has_gzip) inflateEnd(&t->gzip);
    LZ4F_freeDecompressionContext(t->lz4);
    ZSTD_freeDStream(t->zstd);
    mem_free(t);
}

static err *too_large(const unpack_tools *t) {
    return err_new(ERR_DATA,
                   "it unpacks to more than %zu bytes (config: receive.message.max.bytes)",
                   t->most);
}

static void grow(unpack_tools *t, size_t room) {
    t->out = arena_chunk_resize(t->out, t->head + room);
    t->data = arena_chunk_data(t->out) + t->head;
    t->room = room;
}

/* Room for more: `*room` bytes behind `len`. */
static err *make_room(unpack_tools *t, size_t *room) {
    if (t->len >= t->most) return too_large(t);
    if (t->len == t->room) grow(t, 2 * t->room);
    *room = t->room - t->len;
    if (*room > t->most - t->len) *room = t->most - t->len;
    return NULL;
}

static err *cut_short(void) { return err_new(ERR_DATA, "it ends too early"); }

/* Whether another member follows (RFC 1952, 2.2): Java's client reads on. */
static bool has_member(const z_stream *z) {
    return z->avail_in > 2 && z->next_in[0] == 0x1f && z->next_in[1] == 0x8b;
}

static err *unpack_gzip(unpack_tools *t, const char *in, size_t len) {
    z_stream *z = &t->gzip;
    if (!t->has_gzip) t->has_gzip = inflateInit2(z, GZIP_WINDOW) == Z_OK;
    if (!t->has_gzip) return err_new(ERR_DATA, "zlib cannot begin");
    inflateReset2(z, GZIP_WINDOW);
    z->next_in = (Bytef *)(uintptr_t)in;
    z->avail_in = (uInt)len;
    for (;;) {
        size_t room;
        err *e = make_room(t, &room);
        if (e) return e;
        z->next_out = (Bytef *)t->data + t->len;
        z->avail_out = (uInt)room;
        int code = inflate(z, Z_NO_FLUSH);
        t->len += room - z->avail_out;
        if (code == Z_STREAM_END && !has_member(z)) return NULL;
        if (code == Z_STREAM_END) code = inflateReset(z);
        if (code != Z_OK && code != Z_BUF_ERROR)
            return err_new(ERR_DATA, "%s", z->msg ? z->msg : "damaged data");
        if (!z->avail_in && z->avail_out) return cut_short();
    }
}

static err *unpack_lz4(unpack_tools *t, const char *in, size_t len) {
    if (!t->lz4 && LZ4F_isError(LZ4F_createDecompressionContext(&t->lz4, LZ4F_VERSION)))
        return err_new(ERR_DATA, "lz4 cannot begin");
    LZ4F_resetDecompressionContext(t->lz4);
    for (;;) {
        size_t used = len, made;
        err *e = make_room(t, &made);
        if (e) return e;
        size_t room = made;
        size_t more = LZ4F_decompress(t->lz4, t->data + t->len, &made, in, &used, NULL);
        if (LZ4F_isError(more)) return err_new(ERR_DATA, "%s", LZ4F_getErrorName(more));
        t->len += made;
        in += used;
        len -= used;
        if (!more) return NULL;
        if (!len && made < room) return cut_short();
    }
}

static err *unpack_zstd(unpack_tools *t, const char *in, size_t len) {
    if (!t->zstd) t->zstd = ZSTD_createDStream();
    if (!t->zstd) return err_new(ERR_DATA, "zstd cannot begin");
    ZSTD_initDStream(t->zstd);
    ZSTD_inBuffer from = { .src = in, .size = len };
    for (;;) {
        size_t room;
        err *e = make_room(t, &room);
        if (e) return e;
        ZSTD_outBuffer to = { .dst = t->data + t->len, .size = room };
        size_t more = ZSTD_decompressStream(t->zstd, &to, &from);
        if (ZSTD_isError(more)) return err_new(ERR_DATA, "%s", ZSTD_getErrorName(more));
        t->len += to.pos;
        if (!more && from.pos == from.size) return NULL;
        if (from.pos == from.size && to.pos < to.size) return cut_short();
    }
}

static err *unpack_snappy_block(unpack_tools *t, const char *in, size_t len) {
    size_t made;
    if (snappy_uncompressed_length(in, len, &made) != SNAPPY_OK)
        return err_new(ERR_DATA, "damaged data");
    if (made > t->most - t->len) return too_large(t);
    if (made > t->room - t->len) grow(t, t->len + made);
    if (snappy_uncompress(in, len, t->data + t->len, &made) != SNAPPY_OK)
        return err_new(ERR_DATA, "damaged data");
    t->len += made;
    return NULL;
}

/* Java's library: a header, then blocks with their lengths, big-endian, in front. */
static err *unpack_snappy(unpack_tools *t, const char *in, size_t len) {
    static const char magic[8] = "\x82SNAPPY";
    if (len < XERIAL_HEADER || memcmp(in, magic, sizeof magic) != 0)
        return unpack_snappy_block(t, in, len);
    const char *end = in + len;
    for (in += XERIAL_HEADER; end - in >= 4;) {
        const unsigned char *at = (const unsigned char *)in;
        size_t block = (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
        in += 4;
        if (block > (size_t)(end - in)) return cut_short();
        err *e = unpack_snappy_block(t, in, block);
        if (e) return e;
        in += block;
    }
    return in == end ? NULL : cut_short();
}

typedef err *unpack_step(unpack_tools *t, const char *in, size_t len);

static const struct {
    const char *name;
    unpack_step *step;
} codecs[UNPACK_CODECS] = {
    [UNPACK_NONE] = { "none", NULL },
    [UNPACK_GZIP] = { "gzip", unpack_gzip },
    [UNPACK_SNAPPY] = { "snappy", unpack_snappy },
    [UNPACK_LZ4] = { "lz4", unpack_lz4 },
    [UNPACK_ZSTD] = { "zstd", unpack_zstd },
};

const char *unpack_codec_name(unpack_codec codec) { return codecs[codec].name; }

/* Whether much more was made room for than is used. */
static bool is_wasteful(const unpack_tools *t) { return t->room - t->len > t->len / 4; }

/* Give away what was unpacked. */
static arena_chunk *give(unpack_tools *t, size_t packed_len) {
    arena_chunk *out = t->out;
    if (is_wasteful(t)) {
        out = arena_chunk_new(t->head + t->len);
        memcpy(arena_chunk_data(out) + t->head, t->data, t->len);
        mem_free(t->out);
    } else {
        arena_chunk_trim(out, t->head + t->len);
    }
    t->ratio = (double)t->len / (double)packed_len;
    return out;
}

/* How many bytes `packed_len` will be, and some: what turns out too short is made twice as long.
 * Large ones are of few sizes, so that memory that was freed fits again. */
static size_t guess_len(const unpack_tools *t, size_t packed_len) {
    static const double spare = 1.02;
    if (t->ratio == 0) return FIRST_BYTES;
    double guess = (double)packed_len * t->ratio * spare + ARENA_PADDING;
    size_t room = guess < (double)t->most ? (size_t)guess : t->most;
    if (room < STEP_BYTES) return room;
    size_t all = (t->head + room + AROUND_BYTES + STEP_BYTES - 1) / STEP_BYTES * STEP_BYTES;
    return all - t->head - AROUND_BYTES;
}

err *unpack_whole(unpack_tools *t, unpack_codec codec, const char *in, size_t len, size_t head,
                  size_t most, arena_chunk **out, size_t *out_len) {
    *out_len = len;
    if (codec == UNPACK_NONE) {
        *out = arena_chunk_new(head + len);
        memcpy(arena_chunk_data(*out) + head, in, len);
        return NULL;
    }
    t->out = NULL;
    t->head = head;
    t->len = 0;
    t->most = most;
    grow(t, guess_len(t, len));
    err *e = codecs[codec].step(t, in, len);
    if (e) {
        mem_free(t->out);
        return err_wrap(e, "%s", codecs[codec].name);
    }
    *out_len = t->len;
    *out = give(t, len);
    return NULL;
}
