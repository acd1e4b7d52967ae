#include "runtime/connect/pack_whole.h"

#include <lz4frame.h>
#include <snappy-c.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "runtime/base/mem.h"

enum {
    GZIP_WINDOW = 15 + 16, /* zlib: the largest window, gzip headers only */
    GZIP_MEMORY = 8,       /* zlib's own choice */
    GZIP_MOST = 9,         /* levels; more is meant for other codecs */
    ZSTD_LEVEL = 3,        /* likewise */
};

struct pack_tools {
    unpack_codec codec;
    int level;
    z_stream gzip; /* begun if `has_gzip` */
    bool has_gzip;
    LZ4F_cctx *lz4;  /* owned; NULL: not this codec */
    ZSTD_CCtx *zstd; /* likewise */
};

static bool begin_gzip(pack_tools *t) {
    int level = t->level < 0           ? Z_DEFAULT_COMPRESSION
                : t->level > GZIP_MOST ? GZIP_MOST
                                       : t->level;
    t->has_gzip = deflateInit2(&t->gzip, level, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
                               Z_DEFAULT_STRATEGY) == Z_OK;
    return t->has_gzip;
}

static bool begin_zstd(pack_tools *t) {
    int level = t->level < 0 ? ZSTD_LEVEL : t->level;
    t->zstd = ZSTD_createCCtx();
    return t->zstd &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(t->zstd, ZSTD_c_compressionLevel, level));
}

pack_tools *pack_tools_new(unpack_codec codec, int level) {
    pack_tools *t = mem_zalloc(1, sizeof *t);
    t->codec = codec;
    t->level = level;
    bool is_good = true;
    if (codec == UNPACK_GZIP) is_good = begin_gzip(t);
    if (codec == UNPACK_ZSTD) is_good = begin_zstd(t);
    if (codec == UNPACK_LZ4)
        is_good = !LZ4F_isError(LZ4F_createCompressionContext(&t->lz4, LZ4F_VERSION));
    if (is_good) return t;
    pack_tools_free(t);
    return NULL;
}

void pack_tools_free(pack_tools *t) {
    if (!t) return;
    if (t->has_gzip) deflateEnd(&t->gzip);
    LZ4F_freeCompressionContext(t->lz4);
    ZSTD_freeCCtx(t->zstd);
    mem_free(t);
}

static const char *pack_gzip(pack_tools *t, const char *data, size_t len, buf *out) {
    z_stream *z = &t->gzip;
    deflateReset(z);
    size_t most = deflateBound(z, (uLong)len);
    z->next_in = (Bytef *)(uintptr_t)data;
    z->avail_in = (uInt)len;
    z->next_out = (Bytef *)buf_need(out, most);
    z->avail_out = (uInt)most;
    if (deflate(z, Z_FINISH) != Z_STREAM_END) return z->msg ? z->msg : "no room";
    out->len += most - z->avail_out;
    return NULL;
}

static const char *pack_snappy(pack_tools *t, const char *data, size_t len, buf *out) {
    (void)t;
    size_t made = snappy_max_compressed_length(len);
    char *to = buf_need(out, made);
    if (snappy_compress(data, len, to, &made) != SNAPPY_OK) return "no room";
    out->len += made;
    return NULL;
}

/* Java's reader wants blocks that do not hang on one another (KIP-57). */
static const char *pack_lz4(pack_tools *t, const char *data, size_t len, buf *out) {
    const LZ4F_preferences_t how = {
        .frameInfo = { .blockSizeID = LZ4F_max64KB, .blockMode = LZ4F_blockIndependent },
        .compressionLevel = t->level < 0 ? 0 : t->level,
        .autoFlush = 1,
    };
    enum { HEAD = LZ4F_HEADER_SIZE_MAX };
    size_t most = HEAD + LZ4F_compressBound(len, &how);
    char *to = buf_need(out, most);
    size_t made = LZ4F_compressBegin(t->lz4, to, most, &how), all = made;
    if (!LZ4F_isError(made)) {
        made = LZ4F_compressUpdate(t->lz4, to + all, most - all, data, len, NULL);
        if (!LZ4F_isError(made)) all += made;
    }
    if (!LZ4F_isError(made)) made = LZ4F_compressEnd(t->lz4, to + all, most - all, NULL);
    if (LZ4F_isError(made)) return LZ4F_getErrorName(made);
    out->len += all + made;
    return NULL;
}

static const char *pack_zstd(pack_tools *t, const char *data, size_t len, buf *out) {
    size_t most = ZSTD_compressBound(len);
    size_t made = ZSTD_compress2(t->zstd, buf_need(out, most), most, data, len);
    if (ZSTD_isError(made)) return ZSTD_getErrorName(made);
    out->len += made;
    return NULL;
}

static const char *pack_none(pack_tools *t, const char *data, size_t len, buf *out) {
    (void)t;
    buf_put(out, data, len);
    return NULL;
}

err *pack_whole(pack_tools *t, const char *data, size_t len, buf *out) {
    typedef const char *step(pack_tools * t, const char *data, size_t len, buf *out);
    static step *const steps[UNPACK_CODECS] = { pack_none, pack_gzip, pack_snappy, pack_lz4,
                                                pack_zstd };
    const char *wrong = steps[t->codec](t, data, len, out);
    if (!wrong) return NULL;
    return err_new(ERR_DATA, "%s of %zu bytes: %s", unpack_codec_name(t->codec), len, wrong);
}
