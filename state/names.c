#include "state/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ID_LEN = 32,
       BATCH_DIGITS = 12 };

void names_plain(char out[OBJECT_NAME_BYTES], const char *pipeline, const char *plain) {
    snprintf(out, OBJECT_NAME_BYTES, "%s/%s", pipeline, plain);
}

void names_state(char out[OBJECT_NAME_BYTES], const char *pipeline, const pointer *p,
                 uint32_t part) {
    char object[96];
    pointer_object(p, object);
    if (part)
        snprintf(out, OBJECT_NAME_BYTES, "%s/%s.%u", pipeline, object, part);
    else
        snprintf(out, OBJECT_NAME_BYTES, "%s/%s", pipeline, object);
}

static void by_pointer(char out[OBJECT_NAME_BYTES], const char *pipeline, const char *folder,
                       const pointer *p) {
    snprintf(out, OBJECT_NAME_BYTES, "%s/%s/%012" PRIu64 "-%s", pipeline, folder, p->batch, p->id);
}

void names_plan(char out[OBJECT_NAME_BYTES], const char *pipeline, const pointer *parent) {
    by_pointer(out, pipeline, "plan", parent);
}

void names_journal(char out[OBJECT_NAME_BYTES], const char *pipeline, const pointer *p) {
    by_pointer(out, pipeline, "journal", p);
}

void names_script(char out[OBJECT_NAME_BYTES], const char *pipeline, uint64_t hash) {
    snprintf(out, OBJECT_NAME_BYTES, "%s/script/%016" PRIx64, pipeline, hash);
}

void names_commit(char out[OBJECT_NAME_BYTES], const char *pipeline, uint64_t number) {
    snprintf(out, OBJECT_NAME_BYTES, "%s/commit/%012" PRIu64, pipeline, number);
}

static const char *last_component(const char *name) {
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

/* Digits with leading zeros; NULL: there are fewer than BATCH_DIGITS, or it is too large. */
static const char *read_number(const char *at, uint64_t *number) {
    size_t digits = strspn(at, "0123456789");
    if (digits < BATCH_DIGITS || digits > 19) return NULL;
    *number = strtoull(at, NULL, 10);
    return at + digits;
}

static bool read_part(const char *at, uint32_t *part) {
    if (!*at) return true;
    size_t digits = *at == '.' ? strspn(at + 1, "0123456789") : 0;
    if (!digits || digits > 9 || at[1] == '0' || at[1 + digits]) return false;
    *part = (uint32_t)strtoul(at + 1, NULL, 10);
    return true;
}

static const char *read_kind(const char *at, pointer_kind *kind) {
    static const struct {
        const char *text;
        pointer_kind kind;
    } KINDS[] = { { ".delta", POINTER_DELTA }, { ".full", POINTER_FULL } };
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        size_t len = strlen(KINDS[i].text);
        if (strncmp(at, KINDS[i].text, len) != 0) continue;
        *kind = KINDS[i].kind;
        return at + len;
    }
    *kind = POINTER_GENESIS;
    return at;
}

bool names_read(const char *name, object_name *o) {
    *o = (object_name){ 0 };
    const char *at = read_number(last_component(name), &o->p.batch);
    if (!at || *at != '-' || strspn(at + 1, "0123456789abcdef") < ID_LEN) return false;
    memcpy(o->p.id, at + 1, ID_LEN);
    at = read_kind(at + 1 + ID_LEN, &o->p.kind);
    if (o->p.kind == POINTER_GENESIS) return !*at;
    return read_part(at, &o->part);
}

bool names_read_commit(const char *name, uint64_t *number) {
    const char *at = read_number(last_component(name), number);
    return at && !*at;
}
