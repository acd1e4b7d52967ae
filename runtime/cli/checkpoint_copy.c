/* `sluice checkpoint fork`, `export` and `import`: a state, and how far its input was read, under
 * another name or in a file. The objects are immutable and stay for the grace, so that a pipeline
 * may run while it is copied. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/mem.h"
#include "runtime/cli/checkpoint_target.h"
#include "runtime/cli/checkpoint_ways.h"
#include "runtime/cli/commands.h"
#include "state/bundle.h"
#include "state/names.h"
#include "state/rechain.h"

/* -- what both do */

/* Nothing may be there that the copy would bury. */
static err *refuse_used(stored *to) {
    survey v;
    err *e = survey_open(&to->store, to->name, &v);
    if (!e) e = stored_look(to);
    if (e) return e;
    if (v.count || v.commits.count || to->count) {
        buf rest;
        buf_init(&rest);
        ways_put_rest(&rest, to, &v);
        e = err_new(ERR_REFUSED, "`%s` has %s already: give the copy a name that nothing is stored "
                                 "under; where it is to take the place of that, delete %s first",
                    to->name, v.count ? "state" : "progress", buf_text(&rest));
        buf_done(&rest);
    }
    survey_done(&v);
    return e;
}

/* Where a state came from, beside its objects. */
static err *write_origin(stored *to, const char *from, const pointer *p, uint64_t script_hash) {
    char name[OBJECT_NAME_BYTES], text[SL_POINTER_BYTES];
    bool exists;
    buf origin;
    buf_init(&origin);
    names_plain(name, to->name, "origin");
    pointer_write(p, text);
    buf_printf(&origin, "of `%s`, pointer %s, script %016" PRIx64 ", at %" PRId64 "\n", from, text,
               script_hash, clock_now_ms(&to->clock));
    err *e = to->store.ops->put(to->store.handle, name, origin.data, origin.len, STORE_REPLACE,
                                &exists);
    buf_done(&origin);
    return e;
}

/* The marks of one pipeline for another: where there is none but the pipeline's own, it is named
 * after that. */
static err *commit_copy(stored *to, const pointer *p, const sl_mark *marks, uint32_t count,
                        const char *topic) {
    sl_mark *own = mem_alloc((count + 1) * sizeof *own);
    memcpy(own, marks, count * sizeof *own);
    if (count == 1 && !strcmp(own->topic, topic)) own->topic = to->topic;
    err *e = stored_commit(to, p, own, count);
    mem_free(own);
    return e;
}

static void say_done(const args *a, const stored *to, const pointer *p) {
    if (a->json)
        printf("{\"pipeline\":\"%s\",\"next_batch\":%" PRIu64 "}\n", to->name, p->batch);
    else
        printf("`%s` goes on from batch %" PRIu64 " in %s\n", to->name, p->batch, to->store.url);
}

/* -- fork */

static err *refuse_same(const stored *from, const stored *to) {
    const sl_string *a = &from->plan->checkpoint.group, *b = &to->plan->checkpoint.group;
    if (!strcmp(from->name, to->name))
        return err_new(ERR_USAGE, "checkpoint fork: `%s` is its own name: wanted another",
                       to->name);
    if (a->data && a->len == b->len && !memcmp(a->data, b->data, a->len))
        return err_new(ERR_USAGE, "checkpoint fork: both would commit as the consumer group %.*s, "
                                  "which the script gives: `--set source.group=…` gives the copy "
                                  "its own",
                       (int)a->len, a->data);
    return NULL;
}

static err *copy_link(void *arg, const chain_link *link) {
    return rechain_add(arg, link->read, &link->p);
}

static err *copy_chain(stored *from, stored *to, const pointer *p, pointer *copied) {
    chain ch;
    rechain r = { .store = &to->store, .pipeline = to->name };
    err *e = chain_open(&from->store, from->name, p, NULL, &ch);
    if (!e) e = chain_hand_out(&ch, copy_link, &r);
    *copied = r.has_last ? r.last : pointer_new(POINTER_GENESIS, 0, p->partitions);
    copied->partitions = p->partitions;
    chain_done(&ch);
    return e;
}

static bool is_in(const sl_plan *plan, const sl_string *name) {
    for (uint32_t i = 0; i < plan->sink_count; i++) {
        const sl_string *other = &plan->sinks[i].name;
        if (other->len == name->len && !memcmp(other->data, name->data, name->len)) return true;
    }
    return false;
}

/* Who only gave it another name may not have thought of what both write to. */
static void say_same_sinks(const stored *from, const stored *to) {
    uint32_t count = 0;
    buf names;
    buf_init(&names);
    for (uint32_t i = 0; i < to->plan->sink_count; i++) {
        const sl_string *name = &to->plan->sinks[i].name;
        if (!is_in(from->plan, name)) continue;
        buf_printf(&names, "%s%.*s", count++ ? ", " : "", (int)name->len, name->data);
    }
    if (count)
        printf("both write to %s: name that anew for `%s` (`--set sink.…`) to keep them apart\n",
               buf_text(&names), to->name);
    buf_done(&names);
}

/* Without the state there is only what is committed, and that must be where sources are read. */
static err *leave_state(const stored *from, pointer *copied) {
    *copied = pointer_new(POINTER_GENESIS, 0, from->pointer.partitions);
    if (from->count != 1 || strcmp(from->committed[0].mark.topic, from->topic)) return NULL;
    return err_new(ERR_USAGE, "checkpoint fork --offsets-only: `%s` reads no Kafka: how far its "
                              "sources were read stands in its state, and goes with that alone",
                   from->name);
}

static err *fork_to(const args *a, stored *from, stored *to) {
    pointer copied;
    err *e = refuse_same(from, to);
    if (!e) e = stored_need_pointer(from);
    if (!e) e = refuse_used(to);
    if (!e) e = a->stateless ? leave_state(from, &copied)
                             : copy_chain(from, to, &from->pointer, &copied);
    if (!e) e = write_origin(to, from->name, &from->pointer, from->plan->script_hash);
    if (e) return e;
    sl_mark *marks = stored_marks(from);
    e = commit_copy(to, &copied, marks, from->count, from->topic);
    mem_free(marks);
    if (!e) say_done(a, to, &copied);
    if (!e && !a->json && a->stateless)
        printf("it begins with empty state where `%s` stands: what windows that are open there "
               "have of earlier records is not in it\n",
               from->name);
    if (!e && !a->json) say_same_sinks(from, to);
    return e;
}

int command_checkpoint_fork(const args *a) {
    stored from, to = { 0 };
    err *e = stored_open(a, NULL, &from);
    if (!e) {
        e = stored_open(a, a->more[0], &to);
        if (!e) e = fork_to(a, &from, &to);
        stored_close(&to);
    }
    stored_close(&from);
    return e ? command_failed(e) : 0;
}

/* -- export */

typedef struct exporting {
    stored *s;
    FILE *file; /* owned */
    const char *path;
    bundle_sums sums;
    buf bytes; /* on their way */
} exporting;

static err *file_error(const char *path) {
    return err_new(ERR_IO, "%s: %s", path, strerror(errno));
}

static err *write_out(exporting *x) {
    size_t written = fwrite(x->bytes.data, 1, x->bytes.len, x->file);
    bool whole = written == x->bytes.len;
    buf_reset(&x->bytes);
    return whole ? NULL : file_error(x->path);
}

static err *export_link(void *arg, const chain_link *link) {
    exporting *x = arg;
    store *s = &x->s->store;
    err *e = NULL;
    for (uint32_t i = 0; !e && i < link->parts; i++) {
        char name[OBJECT_NAME_BYTES];
        buf part;
        bool missing = false;
        buf_init(&part);
        names_state(name, x->s->name, &link->p, i);
        e = s->ops->get(s->handle, name, &part, &missing);
        if (!e && missing) e = err_new(ERR_REFUSED, "%s has gone: export it again", name);
        if (!e) bundle_put(&x->bytes, &x->sums, name + strlen(x->s->name) + 1, part.data, part.len);
        buf_done(&part);
        if (!e) e = write_out(x);
    }
    return e;
}

static err *export_head(exporting *x) {
    stored *s = x->s;
    sl_mark *marks = stored_marks(s);
    buf text;
    buf_init(&text);
    note_write(&text, s->committed[0].pointer, clock_now_ms(&s->clock), marks, s->count);
    bundle_begin(&x->bytes, &x->sums);
    bundle_put(&x->bytes, &x->sums, "pipeline", s->name, strlen(s->name));
    bundle_put(&x->bytes, &x->sums, "topic", s->topic, strlen(s->topic));
    bundle_put(&x->bytes, &x->sums, "note", text.data, text.len);
    buf_done(&text);
    mem_free(marks);
    return write_out(x);
}

static err *export_all(exporting *x) {
    chain ch;
    err *e = chain_open(&x->s->store, x->s->name, &x->s->pointer, NULL, &ch);
    if (!e) e = export_head(x);
    if (!e) e = chain_hand_out(&ch, export_link, x);
    chain_done(&ch);
    if (e) return e;
    bundle_end(&x->bytes, &x->sums);
    e = write_out(x);
    if (!e && (fflush(x->file) || fsync(fileno(x->file)))) e = file_error(x->path);
    return e;
}

static void say_exported(const stored *s, const char *path, int64_t len) {
    buf out;
    buf_init(&out);
    buf_put_char(&out, '{');
    show_json_text(&out, "pipeline", s->name);
    show_json_number(&out, "next_batch", (int64_t)s->pointer.batch);
    show_json_text(&out, "file", path);
    show_json_number(&out, "bytes", len);
    buf_put_text(&out, "}\n");
    show_text(&out);
}

static err *export_to(const args *a, stored *s) {
    exporting x = { .s = s, .path = a->more[0] };
    err *e = stored_need_pointer(s);
    if (e) return e;
    int fd = open(x.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    x.file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!x.file) return file_error(x.path);
    buf_init(&x.bytes);
    e = export_all(&x);
    int64_t len = ftell(x.file);
    if (fclose(x.file) && !e) e = file_error(x.path);
    buf_done(&x.bytes);
    if (e) unlink(x.path);
    if (e) return e;
    if (a->json)
        say_exported(s, x.path, len);
    else
        printf("`%s` before batch %" PRIu64 ": %" PRId64 " bytes in %s\n", s->name,
               s->pointer.batch, len, x.path);
    return NULL;
}

int command_checkpoint_export(const args *a) {
    stored s;
    err *e = stored_open(a, NULL, &s);
    if (!e) e = export_to(a, &s);
    stored_close(&s);
    return e ? command_failed(e) : 0;
}

/* -- import: twice through the file, so that nothing is written of one that is damaged */

typedef struct importing {
    stored *to;
    const char *path;
    const char *bytes; /* mapped */
    size_t len;
    commit_note note;
    char name[256], topic[256]; /* what was exported */
    rechain rechain;
    pointer at; /* of the object read last */
    bool has_at;
    image_reader *object; /* owned; being put together */
    pointer object_at;
} importing;

static err *foreign(const importing *x, const bundle_item *item) {
    return err_new(ERR_REFUSED, "%s: `%.*s` is not what should stand there: it is no export of a "
                                "checkpoint",
                   x->path, (int)item->name_len, item->name);
}

/* The object is complete: it must follow the one before. */
static err *end_object(importing *x) {
    if (!x->object || image_part_total(x->object) == 0) return NULL;
    pointer parent = { 0 };
    err *e = NULL;
    if (x->has_at) e = object_parent(x->object, x->name, &x->object_at, &parent);
    if (!e && x->has_at && strcmp(parent.id, x->at.id))
        e = err_new(ERR_REFUSED, "%s: its objects do not follow one another", x->path);
    if (!e) e = rechain_add(&x->rechain, x->object, &x->object_at);
    x->at = x->object_at;
    x->has_at = true;
    image_reader_free(x->object);
    x->object = NULL;
    return e;
}

static err *import_part(importing *x, const char *name, const bundle_item *item) {
    object_name o;
    if (!names_read(name, &o)) return foreign(x, item);
    buf bytes;
    buf_init(&bytes);
    buf_put(&bytes, item->bytes, item->len);
    if (o.part > 0 && x->object) return image_add_part(x->object, &bytes);
    err *e = end_object(x);
    if (e) {
        buf_done(&bytes);
        return e;
    }
    x->object_at = o.p;
    return image_open(name, &bytes, &x->object);
}

static void keep_text(char text[256], const bundle_item *item) {
    size_t len = item->len < 255 ? item->len : 255;
    memcpy(text, item->bytes, len);
    text[len] = '\0';
}

static err *import_item(importing *x, const bundle_item *item) {
    char name[OBJECT_NAME_BYTES];
    snprintf(name, sizeof name, "%.*s", (int)item->name_len, item->name);
    if (!strncmp(name, "state/", 6)) return import_part(x, name, item);
    if (!strcmp(name, "pipeline")) keep_text(x->name, item);
    if (!strcmp(name, "topic")) keep_text(x->topic, item);
    if (strcmp(name, "note")) return NULL;
    buf text = { .data = (char *)item->bytes, .len = item->len };
    note_done(&x->note);
    return note_read(x->path, &text, &x->note);
}

static err *read_through(importing *x, bool is_check) {
    bundle_reader r;
    bundle_item item;
    bool more = true;
    err *e = bundle_open(&r, x->path, x->bytes, x->len);
    while (!e && more) {
        e = bundle_next(&r, &item, &more);
        if (!e && more && !is_check) e = import_item(x, &item);
    }
    return !e && !is_check ? end_object(x) : e;
}

static err *commit_import(const args *a, importing *x) {
    pointer p;
    if (pointer_read(x->note.pointer, &p) != POINTER_OK || (x->has_at && strcmp(p.id, x->at.id)))
        return err_new(ERR_REFUSED, "%s: its pointer is not that of its last object", x->path);
    pointer copied = x->rechain.has_last ? x->rechain.last
                                         : pointer_new(POINTER_GENESIS, 0, x->note.count);
    copied.partitions = x->note.count;
    sl_mark *marks = mem_alloc((x->note.count + 1) * sizeof *marks);
    for (uint32_t i = 0; i < x->note.count; i++) marks[i] = x->note.items[i].mark;
    err *e = write_origin(x->to, x->name, &p, x->to->plan->script_hash);
    if (!e) e = commit_copy(x->to, &copied, marks, x->note.count, x->topic);
    mem_free(marks);
    if (!e) say_done(a, x->to, &copied);
    return e;
}

static err *map_file(importing *x) {
    struct stat about;
    int fd = open(x->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &about)) {
        err *e = file_error(x->path);
        if (fd >= 0) close(fd);
        return e;
    }
    x->len = (size_t)about.st_size;
    void *bytes = x->len ? mmap(NULL, x->len, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    err *e = bytes == MAP_FAILED ? file_error(x->path) : NULL;
    if (!e) x->bytes = bytes;
    close(fd);
    return e;
}

int command_checkpoint_import(const args *a) {
    stored to;
    importing x = { .to = &to, .path = a->more[0] };
    err *e = stored_open(a, NULL, &to);
    x.rechain = (rechain){ .store = &to.store, .pipeline = to.name };
    if (!e) e = map_file(&x);
    if (!e) e = read_through(&x, true);
    if (!e) e = refuse_used(&to);
    if (!e) e = stored_refuse_running(&to);
    if (!e) e = read_through(&x, false);
    if (!e) e = commit_import(a, &x);
    image_reader_free(x.object);
    note_done(&x.note);
    if (x.bytes) munmap((void *)x.bytes, x.len);
    stored_close(&to);
    return e ? command_failed(e) : 0;
}
