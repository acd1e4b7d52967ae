#include "runtime/connect/unpack.h"

#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "runtime/base/mem.h"

enum { GZIP_WINDOW = 15 + 16 }; /* zlib: the largest window, gzip headers only */

typedef err *(*unpack_step)(unpacker *u, const char *in, size_t len, size_t *used, char *out,
                            size_t room, size_t *made);

struct unpacker {
    const char *name;
    unpack_step step;
    bool is_inside; /* a member was begun and has not ended */
    z_stream gzip;
    ZSTD_DStream *zstd; /* owned; NULL: gzip */
};

static bool ends_in(const char *path, const char *ending) {
    size_t len = strlen(path), ending_len = strlen(ending);
    return len > ending_len && strcmp(path + len - ending_len, ending) == 0;
}

/* Padding of zeros behind the last member is no member (gzip of tape archives). */
static size_t skip_zeros(const char *in, size_t len) {
    size_t count = 0;
    while (count < len && in[count] == '\0') count++;
    return count;
}

static err *step_gzip(unpacker *u, const char *in, size_t len, size_t *used, char *out,
                      size_t room, size_t *made) {
    z_stream *z = &u->gzip;
    z->next_in = (Bytef *)(uintptr_t)in;
    z->avail_in = (uInt)len;
    z->next_out = (Bytef *)out;
    z->avail_out = (uInt)room;
    int code = inflate(z, Z_NO_FLUSH);
    *used = len - z->avail_in;
    *made = room - z->avail_out;
    if (code == Z_STREAM_END) {
        u->is_inside = false;
        inflateReset2(z, GZIP_WINDOW);
        return NULL;
    }
    if (code == Z_OK || code == Z_BUF_ERROR) return NULL;
    return err_new(ERR_DATA, "%s", z->msg ? z->msg : "damaged data");
}

static err *step_zstd(unpacker *u, const char *in, size_t len, size_t *used, char *out,
                      size_t room, size_t *made) {
    ZSTD_inBuffer from = { .src = in, .size = len };
    ZSTD_outBuffer to = { .dst = out, .size = room };
    size_t code = ZSTD_decompressStream(u->zstd, &to, &from);
    *used = from.pos;
    *made = to.pos;
    if (ZSTD_isError(code)) return err_new(ERR_DATA, "%s", ZSTD_getErrorName(code));
    if (code == 0) u->is_inside = false;
    return NULL;
}

unpacker *unpacker_for(const char *path) {
    bool is_gzip = ends_in(path, ".gz"), is_zstd = ends_in(path, ".zst");
    if (!is_gzip && !is_zstd) return NULL;
    unpacker *u = mem_zalloc(1, sizeof *u);
    u->name = is_gzip ? "gzip" : "zstd";
    u->step = is_gzip ? step_gzip : step_zstd;
    if (is_gzip)
        inflateInit2(&u->gzip, GZIP_WINDOW);
    else
        u->zstd = ZSTD_createDStream();
    unpacker_reset(u);
    return u;
}

void unpacker_free(unpacker *u) {
    if (!u) return;
    if (u->zstd)
        ZSTD_freeDStream(u->zstd);
    else
        inflateEnd(&u->gzip);
    mem_free(u);
}

void unpacker_reset(unpacker *u) {
    u->is_inside = false;
    if (u->zstd)
        ZSTD_initDStream(u->zstd);
    else
        inflateReset2(&u->gzip, GZIP_WINDOW);
}

err *unpacker_run(unpacker *u, const char *in, size_t len, size_t *used, char *out, size_t room,
                  size_t *made) {
    size_t zeros = u->is_inside ? 0 : skip_zeros(in, len);
    *used = zeros;
    *made = 0;
    if (zeros == len && !u->is_inside) return NULL;
    u->is_inside = true;
    err *e = u->step(u, in + zeros, len - zeros, used, out, room, made);
    *used += zeros;
    return e;
}

bool unpacker_is_whole(const unpacker *u) { return !u->is_inside; }

const char *unpacker_name(const unpacker *u) { return u->name; }
